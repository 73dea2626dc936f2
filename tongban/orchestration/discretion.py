"""Discretion: what a task's log may say about an error.

Our own errors never quote a value. A library's error may (a constraint that names the row, a parser
that shows the text), so it and the causes behind our errors are reduced to their type and place.
`TONGBAN_DEBUG=1` shows everything; set it only where the data is synthetic.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator
from contextlib import contextmanager

from tongban.kernel.errors import TongbanError


class TaskBroken(TongbanError):
    """A bug, or a library's error that nobody mapped; tried once more, then a person is needed."""

    code = "task.broken"


@contextmanager
def discreet() -> Generator[None]:
    """Let errors out without the words of foreign ones.

    Raises:
        TongbanError: As it came, its causes reduced to their types.
        TaskBroken: For every other error.
    """
    try:
        yield
    except TongbanError as exc:
        if not _is_debugging():
            _cut(exc)
        raise
    except Exception as exc:
        if _is_debugging():
            raise
        frames = traceback.extract_tb(exc.__traceback__)
        broken = TaskBroken(
            f"{type(exc).__name__} at {frames[-1].filename}:{frames[-1].lineno}; "
            "set TONGBAN_DEBUG=1 to see its words"
        )
        raise broken.with_traceback(exc.__traceback__) from None


def _cut(exc: BaseException) -> None:
    """Replace the chain of causes by their names."""
    cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    exc.__cause__ = None  # this also suppresses the context
    exc.__context__ = None
    while cause is not None:
        exc.add_note(f"caused by {type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__


def _is_debugging() -> bool:
    return os.environ.get("TONGBAN_DEBUG") == "1"

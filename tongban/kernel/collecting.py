"""Collecting: let Python's garbage collector look less often while records stream.

Rows are made and dropped by the ten thousand and hold no cycles, yet every 700 new containers make
the collector look through the young ones, and now and then through everything: a tenth of a push.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

RARE = (200_000, 10, 10)


@contextmanager
def rare_collections() -> Generator[None]:
    """Raise the collector's thresholds inside the block, or inside the function it decorates."""
    before = gc.get_threshold()
    gc.set_threshold(*RARE)
    try:
        yield
    finally:
        gc.set_threshold(*before)

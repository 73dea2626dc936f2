"""Opening: the hub for one command, on the given server or on the running local stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from tongban.hub import Hub

console = Console()


def local_hub() -> Hub:
    """Open the hub that this installation's settings mean.

    Raises:
        StackBroken: No database is given and the local stack is not running.
    """
    from tongban.hub import open_hub
    from tongban.kernel.settings import load_settings
    from tongban.local.stack import with_database

    return open_hub(with_database(load_settings()))


def print_json(document: Any) -> None:
    """One JSON document on standard output, for programs."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))  # noqa: T201

"""Opening: the hub for one command, on the given server or on the running local stack."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tongban.kernel.errors import TongbanError

if TYPE_CHECKING:
    from tongban.hub import Hub
    from tongban.kernel.settings import Settings

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


def known_database(settings: Settings) -> Settings:
    """Give settings with the running local stack's database, where there is one."""
    from tongban.local.stack import with_database

    with suppress(TongbanError):  # no stack, or one that was never begun: then there is none
        return with_database(settings)
    return settings


def print_json(document: Any) -> None:
    """One JSON document on standard output, for programs."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))  # noqa: T201

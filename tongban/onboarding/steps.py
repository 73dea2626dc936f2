"""Steps: what `tongban system check` says about one point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
WARNED: Final = "warning"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One point of a check.

    Attributes:
        name: declared, pinned wsdl, mapping, connection, reach, tls, served wsdl, authenticate,
            rows, clock, charset.
        state: ok, warning, failed or skipped; only `failed` makes the check fail.
        detail: What was found, and what to do; never a field's value.
        dataset: Where the point is about one dataset.
        code: Our error code, where an error said it.
    """

    name: str
    state: str
    detail: str
    dataset: str = ""
    code: str = ""

"""contract-changes.md: every kind of change of a contract, who breaks by it, the step it needs."""

from __future__ import annotations

from pathlib import Path

from docs.pages.markdown import code, page, table
from tongban.changes.effects import EFFECTS, Bump

INTRO = """What `bin/tongban contract diff` may name; `bin/tongban check` holds every contract against its newest release by the
same table. **Producer** is the department: what is tightened sends its rows to the quarantine. **Consumer** is whoever reads
the hub: what is loosened breaks what was relied upon. **People** are those in the records: what is protected less is theirs.
The step is major when a consumer or those people lose something. How to: [change a contract](../how-to/change-a-contract.md)."""

SECTIONS = (
    (Bump.MAJOR, "A new file `v<N+1>.yaml` beside the old one; loaded after a person's approval."),
    (Bump.MINOR, "Safe for consumers; the department may have to do something."),
    (Bump.PATCH, "Words only."),
)


def render(root: Path) -> str:  # noqa: ARG001 - every page has the same signature
    """Write the page."""
    parts = []
    for bump, says in SECTIONS:
        rows = [
            (code(kind), effect.means, ", ".join(effect.breaks) or "nobody")
            for kind, effect in EFFECTS.items()
            if effect.bump is bump
        ]
        parts += [
            f"## {bump.word}\n\n{says}",
            table(("change", "what it means", "who breaks"), rows),
        ]
    return page("Contract changes", INTRO, *parts)

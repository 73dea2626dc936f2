"""Changes: what a contract's new version does to those who live by the old one.

Two forms of a contract are read into facts, compared fact by fact, and every difference is named
with who breaks and the version step that it needs. Released forms are kept beside the contracts,
so that an edit by accident is refused without git. Nothing here reads or moves a record.
"""

from tongban.changes.diff import Report, compare
from tongban.changes.effects import Bump, Change, Party
from tongban.changes.facts import Facts, read_facts
from tongban.changes.releases import release_problems

__all__ = [
    "Bump",
    "Change",
    "Facts",
    "Party",
    "Report",
    "compare",
    "read_facts",
    "release_problems",
]

"""Rectify: what departments are asked to correct, and how the corrected rows come back.

A correction notice (补正通知) asks for open quarantine rows until a working day; the department
corrects them at home (the next pull brings them) or in the exported file, which comes back here. A
person may waive a rule for one record until a date. Nothing here judges a row: the contract does.
"""

from tongban.rectify.corrections import Applied, apply_corrections, opened_rows
from tongban.rectify.notices import Notice, issue_notices, listed_notices
from tongban.rectify.sheets import export_rows, read_rows
from tongban.rectify.waivers import waive

__all__ = [
    "Applied",
    "Notice",
    "apply_corrections",
    "export_rows",
    "issue_notices",
    "listed_notices",
    "opened_rows",
    "read_rows",
    "waive",
]

"""Quality: audit what was stored and what was refused, score it, and write one report.

    counts = run_audit(hub)        # the audit DAG and `tongban audit`

Two engines look at the same rows. Ours runs the compiled contract (`masks`), and Great
Expectations counts over the resulting bit masks and, independently, over the columns of the
database that are not classified (`engines`, `native`); where they disagree, that is a finding of
the audit itself. Then departments are compared with each other (`comparisons`), rules become
scores (`scores`), and everything goes to the schema `quality` and to one HTML file (`report`).

Plain values live only inside `stored` and `refused` while a chunk is measured. Great Expectations
is imported on first use, nowhere else in the project.
"""

from __future__ import annotations

from tongban.quality.audit import run_audit

__all__ = ["run_audit"]

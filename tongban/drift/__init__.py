"""Drift: notice that a department has changed its habits, before anything of the batch is stored.

    look(frame, …)           what one batch of decoded rows looks like, as counts: a fingerprint
    judge(fingerprint, …)    which kinds of drift that is, against contract and earlier batches

Stands between decoding and mapping. It sees text as it came and keeps counts, field names and codes
of code tables; no other value leaves it. It stores nothing and asks nobody: the pipeline does.
"""

from __future__ import annotations

from tongban.drift.fingerprint import Expected, FieldSeen, Fingerprint, expect, look, sample_rows
from tongban.drift.judge import Drifted, judge

__all__ = [
    "Drifted",
    "Expected",
    "FieldSeen",
    "Fingerprint",
    "expect",
    "judge",
    "look",
    "sample_rows",
]

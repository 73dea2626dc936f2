"""Subjects: where one resident ID or credit code is known, under which local keys.

One number for all departments (一号): the blind index of a number is the same in every dataset,
so a person or a company is found everywhere without anybody's numbers being readable at rest.
"""

from __future__ import annotations

from tongban.subjects.lookup import KnownAs, SubjectAnswer, find_subject
from tongban.subjects.numbers import NumberUnusable, SubjectNumber, read_number

__all__ = [
    "KnownAs",
    "NumberUnusable",
    "SubjectAnswer",
    "SubjectNumber",
    "find_subject",
    "read_number",
]

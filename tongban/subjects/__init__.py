"""Subjects: where one resident ID or credit code is known, under which local keys."""

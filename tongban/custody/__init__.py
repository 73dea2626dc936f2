"""Custody: what happens to sealed values after they were stored — new keys, new periods, the end.

Rotation and shredding work on the tables in chunks, beside readers and writers, and go on after a
crash from a row in `hub.key_job`. Nothing here opens a value to anybody: it is opened and sealed
again in one breath, and no log, error or certificate holds one.
"""

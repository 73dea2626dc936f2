"""Kernel: what every verb may know — errors, settings, the catalog, identifiers, the record types.

Nothing here opens a socket, a database or Airflow.
"""

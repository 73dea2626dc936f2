"""Tongban (通办): the hub between department systems, one package per verb.

A record travels pull → normalize → validate → protect → store → push; read
`tongban/pipeline.py` first, it is these six verbs in a row; docs/explanation/record-path.md names
the files beside it.
"""

from __future__ import annotations

__version__ = "0.1.0"

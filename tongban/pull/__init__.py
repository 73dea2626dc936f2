"""Pull: fetch the pages of one window and land them as received (step 1 of 6).

The connector opens the sockets; this package decides which window to ask for and keeps every
page, sealed, before anybody decodes it. A pull that was interrupted goes on after its last
landed page.
"""

from __future__ import annotations

from tongban.pull.fetch import fetch_window
from tongban.pull.landing import LandedPage, Landing, LandingStore, Manifest
from tongban.pull.window import given_window, next_window

__all__ = [
    "LandedPage",
    "Landing",
    "LandingStore",
    "Manifest",
    "fetch_window",
    "given_window",
    "next_window",
]

"""`python -m tongban`: the same as the command `tongban`."""

from __future__ import annotations

from tongban.cli import main

if __name__ == "__main__":
    main()

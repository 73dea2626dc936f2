"""Entry point of `python -m sandbox`; the verbs are in `sandbox.cli`."""

from __future__ import annotations

from sandbox.cli import app

if __name__ == "__main__":
    app(prog_name="python -m sandbox")

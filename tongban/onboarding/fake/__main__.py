"""Run a street of fake departments until we are told to stop; started by the local stack.

`python -m tongban.onboarding.fake --state DIR --control PORT NAME=PORT…`; for one department at a
desk there is `tongban system fake`.
"""

from __future__ import annotations

import argparse
import sys
import threading
from functools import partial
from pathlib import Path

from tongban.kernel.catalog import load_catalog
from tongban.kernel.settings import load_settings
from tongban.onboarding.fake.department import Answer
from tongban.onboarding.fake.server import open_server
from tongban.onboarding.fake.street import Street


def main() -> None:
    """Serve every named department and the control port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("places", nargs="+", metavar="NAME=PORT")
    asked = parser.parse_args()
    pairs = (place.partition("=") for place in asked.places)
    ports = {name: int(port) for name, _, port in pairs}
    catalog = load_catalog(load_settings().root)
    street = Street(catalog, asked.state, ports, rows=asked.rows, seed=asked.seed)
    for name, reason in street.broken.items():
        _say(f"{name} is not served: {reason}")
    servers = [
        open_server(department, ports[name], partial(_heard, name))
        for name, department in street.departments.items()
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    open_server(street, asked.control).serve_forever()


def _heard(name: str, request: str, answer: Answer) -> None:
    """One line per request; no query and no body."""
    _say(f"{name} {answer.status} {request} {answer.what}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Benchmarks from the command line: `bin/tongban bench [NAME …] [--json]`, one row per figure.

The exit code is 0 when every benchmark ran, also where a goal is missed: figures are for people
to judge, and a shared machine is no judge of time. It is 2 for a name that does not exist.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence

from benchmarks.figures import Row, table

NAMES = {  # name → module of this package with `run() -> list[dict]`
    "end-to-end": "end_to_end",
    "floors": "floors",
    "rules": "rules",
    "mapping": "mapping",
    "soap-decode": "soap_decode",
    "rest-decode": "rest_decode",
    "stalled-department": "stalled",
    "cases": "cases",
    "evidence": "evidence",
    "reconcile": "reconciling",
}


def available() -> dict[str, str]:
    """The benchmarks whose module is there."""
    return {
        name: module
        for name, module in NAMES.items()
        if importlib.util.find_spec(f"benchmarks.{module}") is not None
    }


def main(names: Sequence[str], json_output: bool) -> int:  # noqa: FBT001 - called by the command
    """Run benchmarks and print their figures.

    Args:
        names: Which; all when empty.
        json_output: Print one JSON list instead of a table.
    """
    known = available()
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or list(known):
        found: list[Row] = importlib.import_module(f"benchmarks.{known[name]}").run()
        rows += found
        if not json_output:
            print(f"\n{name}\n{table(found)}", flush=True)
    if json_output:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--json"]
    raise SystemExit(main(arguments, "--json" in sys.argv))

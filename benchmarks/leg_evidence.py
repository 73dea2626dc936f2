"""Leg: one load from the landing, with evidence or without, under the contract that is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.layout import DATASET
from benchmarks.leg_hub import _connect
from benchmarks.meter import Meter, given, tell
from tongban import pipeline, writing
from tongban.kernel.settings import Settings


def run(facts: dict[str, object]) -> None:
    """Pull, then measure the load alone."""
    root, home = Path(str(facts["root"])), Path(str(facts["home"]))
    settings = Settings(root, home, str(facts["database"]), (home / "landing").as_uri(), 0)
    meter = Meter(int(str(facts["postgres_pid"])))
    if not facts["evidence"]:
        _leave_evidence_out()
    _connect(settings, str(facts["source"]), 0)
    with pipeline.open_hub(settings) as hub:
        landed = pipeline.pull(hub, DATASET)
        with meter.stage("load"):
            loaded = pipeline.load(hub, landed.landing_id, DATASET)
    tell(load=meter.facts()["load"], new=loaded.new, quarantined=loaded.quarantined)


def _leave_evidence_out() -> None:
    def nothing(*_: Any) -> None:
        return

    setattr(writing, "append_load", nothing)  # noqa: B010 - no public name of the module


if __name__ == "__main__":
    run(given())

"""Leg: the hub itself — pull → landing → load → push, as `tongban.pipeline` does it.

One process, opened once; the runs follow one another: everything new, nothing changed, one row
in a hundred changed. Opening the hub is measured apart, since it is paid once per process.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.layout import DATASET
from benchmarks.meter import Meter, given, peak_memory_mb, since_start_s, tell
from tongban import pipeline
from tongban.kernel.settings import Settings


def run(facts: dict[str, object]) -> None:
    """Run every epoch that is asked for and print what each cost."""
    root, home = Path(str(facts["root"])), Path(str(facts["home"]))
    settings = Settings(
        root=root,
        home=home,
        database_url=str(facts["database"]),
        landing_url=(home / "landing").as_uri(),
        port_base=0,
    )
    pid = int(str(facts["postgres_pid"]))
    opening = Meter(pid)
    with opening.stage("open"):
        _connect(settings, str(facts["source"]), 0)
        hub = pipeline.open_hub(settings)
    started_s = since_start_s()
    runs = []
    with hub:
        for epoch in facts["epochs"]:  # type: ignore[attr-defined]
            _connect(settings, str(facts["source"]), int(epoch))
            runs.append(_once(hub, pid))
    tell(
        open=opening.facts()["open"],
        started_s=started_s,
        runs=runs,
        memory_mb=peak_memory_mb(),
    )


def _connect(settings: Settings, source: str, epoch: int) -> None:
    """Say where source and sink are."""
    settings.connections_dir.mkdir(parents=True, exist_ok=True)
    for name, url in (("source", f"{source}/e{epoch}"), ("sink", source)):
        path = settings.connections_dir / f"{name}.json"
        path.write_text(json.dumps({"base_url": url}), encoding="utf-8")


def _once(hub: pipeline.Hub, pid: int) -> dict[str, object]:
    """One transfer from the first request to the last receipt."""
    meter = Meter(pid)
    with meter.stage("pull"):
        landed = pipeline.pull(hub, DATASET)
    with meter.stage("load"):
        loaded = pipeline.load(hub, landed.landing_id, DATASET)
    with meter.stage("push"):
        pushed = pipeline.push(hub, "sink", DATASET)
    return {
        "stages": meter.facts(),
        "read": loaded.read,
        "new": loaded.new,
        "changed": loaded.changed,
        "same": loaded.same,
        "quarantined": loaded.quarantined,
        "sent": pushed.sent,
        "accepted": pushed.accepted,
    }


if __name__ == "__main__":
    run(given())

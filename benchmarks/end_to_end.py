"""End to end: the hub beside the floor and the peers, over REST and SOAP, in one run.

The same records, the same source and sink, the same database server. The floor is run before and
after the hub and the faster of both counts, so that a busy moment of the machine does not flatter
us. Environment: TONGBAN_BENCH_ROWS (100,000), TONGBAN_BENCH_DLT_PYTHON (a Python that has dlt).
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from benchmarks.figures import Row, figure, ratio
from benchmarks.layout import PROTOCOLS, REST
from benchmarks.stage import DEFAULT_ROWS, Stage, open_stage

ROWS_VARIABLE = "TONGBAN_BENCH_ROWS"
GROWTH_ROWS = 1_000_000
FLOOR_GOAL = {"rest": 2.0, "soap": 1.8}
DLT_GOALS = {
    ("rest", "arrow"): 2.0,
    ("rest", "rows"): 5.0,
    ("soap", "arrow"): 4.0,
    ("soap", "rows"): 6.0,
}
UNCHANGED_GOAL = 5.0
MEMORY_GOAL_MB = 400
GROWTH_GOAL = 1.1
Facts = dict[str, Any]


def run() -> list[Row]:
    """All figures of both protocols; with a million rows also the growth of the cost."""
    rows = int(os.environ.get(ROWS_VARIABLE) or DEFAULT_ROWS)
    found, costs = _at(rows)
    if rows >= GROWTH_ROWS:
        _, small = _at(DEFAULT_ROWS, peers=False)
        found += [
            figure(
                f"{protocol}.growth",
                ratio(costs[protocol], small[protocol]),
                "x",
                at_most=GROWTH_GOAL,
            )
            for protocol in PROTOCOLS
        ]
    return found


def _at(rows: int, *, peers: bool = True) -> tuple[list[Row], dict[str, float]]:
    """Figures at one number of rows, and the hub's cost per record by protocol."""
    found: list[Row] = []
    costs: dict[str, float] = {}
    with open_stage(rows) as stage:
        for protocol in PROTOCOLS:
            floor = _floor(stage, protocol, "before")
            hub = _hub(stage, protocol)
            again = _floor(stage, protocol, "after")
            floor = min(floor, again, key=lambda facts: float(facts["stages"]["all"]["wall_s"]))
            found += _own(protocol, rows, hub, floor)
            costs[protocol] = _wall(hub["runs"][0]) / rows
            if peers:
                found += _beside(stage, protocol, hub)
    return found, costs


def _hub(stage: Stage, protocol: str) -> Facts:
    """First load, nothing changed, one in a hundred changed; the counts must add up."""
    hub = stage.run(
        "leg_hub",
        root=str(stage.catalog(protocol)),
        home=str(stage.work / f"home-{protocol}"),
        database=stage.database(f"hub_{protocol}"),
        epochs=[0, 0, 1],
    )
    first, second, _ = hub["runs"]
    arrived = stage.sink_counts()["guids"]
    if not first["new"] == first["accepted"] == second["same"]:
        raise RuntimeError(
            f"{protocol}: stored, acknowledged and unchanged rows differ: {hub['runs']}"
        )
    if first["read"] != stage.rows or arrived < first["new"]:
        raise RuntimeError(f"{protocol}: rows were lost: {first}, {arrived} at the sink")
    return hub


def _floor(stage: Stage, protocol: str, when: str) -> Facts:
    database = stage.database(f"floor_{protocol}_{when}")
    floor = stage.run("leg_floor", protocol=protocol, database=database)
    stage.sink_counts()
    return floor


def _own(protocol: str, rows: int, hub: Facts, floor: Facts) -> list[Row]:
    """The hub beside the floor, and what its stages cost."""
    first, second, delta = hub["runs"]
    lowest = floor["stages"]["all"]
    found = [
        figure(f"{protocol}.floor", lowest["wall_s"], "s"),
        figure(f"{protocol}.first", _wall(first), "s"),
        figure(
            f"{protocol}.first/floor",
            ratio(_wall(first), lowest["wall_s"]),
            "x",
            at_most=FLOOR_GOAL[protocol],
        ),
        figure(f"{protocol}.process/floor", _whole(hub, floor), "x", note="start-up included"),
        figure(f"{protocol}.cpu/floor", ratio(_cpu(first["stages"]), _cpu(floor["stages"])), "x"),
        figure(f"{protocol}.unchanged", _wall(second), "s"),
        figure(f"{protocol}.delta", _wall(delta), "s", note="1 % changed"),
        figure(f"{protocol}.memory", hub["memory_mb"], "MB", at_most=MEMORY_GOAL_MB),
    ]
    for stage, spent in first["stages"].items():
        name = f"{protocol}.first.{stage}"
        found += [
            figure(f"{name}.wall", spent["wall_s"] / rows * 1e6, "us/record"),
            figure(f"{name}.cpu", spent["cpu_s"] / rows * 1e6, "us/record"),
            figure(f"{name}.postgres", spent["postgres_s"] / rows * 1e6, "us/record"),
        ]
    return found


def _beside(stage: Stage, protocol: str, hub: Facts) -> list[Row]:
    """The peers beside the hub."""
    first, second, _ = (_wall(facts) for facts in hub["runs"])
    naive = stage.run("leg_naive", protocol=protocol, database=stage.database(f"naive_{protocol}"))
    if naive["refused"] != hub["runs"][0]["quarantined"]:
        raise RuntimeError(
            f"{protocol}: the naive peer refused {naive['refused']} rows, the hub others"
        )
    stage.sink_counts()
    slow = float(naive["stages"]["all"]["wall_s"])
    found = [
        figure(f"{protocol}.naive", slow, "s"),
        figure(f"{protocol}.naive/first", ratio(slow, first), "x"),
        figure(f"{protocol}.naive/unchanged", ratio(slow, second), "x"),
    ]
    for path in ("arrow", "rows"):
        spent, note = _dlt(stage, protocol, path)
        goal = DLT_GOALS[protocol, path]
        found.append(figure(f"{protocol}.dlt-{path}", spent, "s", note=note))
        name = f"{protocol}.dlt-{path}/first"
        found.append(figure(name, ratio(spent, first), "x", at_least=goal, note=note))
        if protocol == REST and path == "arrow":
            value = ratio(spent, second)
            name = f"{protocol}.dlt-{path}/unchanged"
            found.append(figure(name, value, "x", at_least=UNCHANGED_GOAL, note=note))
    return found


def _dlt(stage: Stage, protocol: str, path: str) -> tuple[float | None, str]:
    """Seconds of dlt, or None and the reason."""
    python = os.environ.get("TONGBAN_BENCH_DLT_PYTHON")
    if not python and importlib.util.find_spec("dlt") is None:
        return None, "not measured: dlt is not installed, see benchmarks/README.md"
    facts = stage.run(
        "leg_dlt",
        python=python,
        protocol=protocol,
        path=path,
        home=str(stage.work / f"dlt-{protocol}-{path}"),
        database=stage.database(f"dlt_{protocol}_{path}"),
    )
    return float(facts["stages"]["all"]["wall_s"]), ""


def _wall(facts: Facts) -> float:
    """Seconds from the first request to the last receipt."""
    return sum(float(spent["wall_s"]) for spent in facts["stages"].values())


def _cpu(stages: Facts) -> float:
    """CPU seconds of client and PostgreSQL together: what a busy machine disturbs least."""
    return sum(float(spent["cpu_s"]) + float(spent["postgres_s"]) for spent in stages.values())


def _whole(hub: Facts, floor: Facts) -> float | None:
    """Ratio with interpreter, imports and opening the hub: as if each were a process of its own."""
    ours = float(hub["started_s"]) + _wall(hub["runs"][0])
    return ratio(ours, float(floor["started_s"]) + float(floor["stages"]["all"]["wall_s"]))

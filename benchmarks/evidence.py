"""Evidence: what protection and evidence cost a load, whether seals are felt, what is found.

    load       the same pages loaded with three classified fields and evidence, without evidence,
               and with neither
    seal       commits alone, and while a thread of the same process seals without a pause
    verify     one archive of 10,000 entries
    tampering  10,000 random changes of an archive

Environment: TONGBAN_BENCH_ROWS (100,000), TONGBAN_BENCH_TAMPERINGS (10,000).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from sqlalchemy import Engine, insert

from benchmarks.end_to_end import ROWS_VARIABLE
from benchmarks.figures import Row, figure, ratio
from benchmarks.layout import REST
from benchmarks.stage import DEFAULT_ROWS, Stage, open_stage
from benchmarks.tampering import KINDS, tampered
from tongban.evidence.archive import write_archive
from tongban.evidence.heads import Heads
from tongban.evidence.log import append_fact, moment
from tongban.evidence.seals import next_seal, seal_all, signed
from tongban.evidence.signing import open_signer
from tongban.evidence.verify import GENESIS, entry_hash, verify_archive
from tongban.store.engine import open_engine, transaction
from tongban.store.migrate import migrate
from tongban.store.tables import evidence_entry

TAMPERINGS_VARIABLE = "TONGBAN_BENCH_TAMPERINGS"
TAMPERINGS, ENTRIES, COMMITS, TRIES = 10_000, 10_000, 1_000, 3
SHARE_GOAL, FELT_GOAL, VERIFY_GOAL_S = 0.25, 1.2, 5.0
SIGNER = open_signer(b"b" * 32, "Ed25519")
_ROUND = 100


def run() -> list[Row]:
    """All figures."""
    rows = int(os.environ.get(ROWS_VARIABLE) or DEFAULT_ROWS)
    with open_stage(rows, epochs=1) as stage:
        found = _load_share(stage)
        engine = open_engine(stage.database("evidence"))
        try:
            migrate(engine)
            _fill(engine, ENTRIES)
            found += _felt(engine)
            found += _archives(engine, stage.work)
        finally:
            engine.dispose()
    return found


def _load_share(stage: Stage) -> list[Row]:
    """The load with everything and with nothing, in turn; the fastest of each counts."""
    plain = _without_classified(stage.catalog(REST), stage.work / "root-plain")
    cases = {
        "full": (stage.catalog(REST), True),
        "protected": (stage.catalog(REST), False),
        "plain": (plain, False),
    }
    best: dict[str, tuple[float, float]] = {}
    for attempt in range(TRIES):
        for name, (root, evidence) in cases.items():
            facts = stage.run(
                "leg_evidence",
                root=str(root),
                home=str(stage.work / f"home-{name}-{attempt}"),
                database=stage.database(f"share_{name}_{attempt}"),
                evidence=evidence,
            )
            if facts["new"] + facts["quarantined"] != stage.rows:
                raise RuntimeError(f"{name}: rows were lost: {facts}")
            load = facts["load"]
            spent = float(load["wall_s"]), float(load["cpu_s"]) + float(load["postgres_s"])
            earlier = best.get(name, spent)
            best[name] = min(earlier[0], spent[0]), min(earlier[1], spent[1])
    (wall, cpu), (plain_wall, plain_cpu) = best["full"], best["plain"]
    share = 1 - (ratio(plain_wall, wall) or 0)
    evidence_alone = (cpu - best["protected"][1]) / stage.rows * 1e6
    protection_alone = (best["protected"][1] - plain_cpu) / stage.rows * 1e6
    return [
        figure("load.full", wall, "s", note="three classified fields, evidence"),
        figure("load.plain", plain_wall, "s", note="no classified field, no evidence"),
        figure("load.share", share, "of wall time", at_most=SHARE_GOAL),
        figure("load.share.cpu", 1 - (ratio(plain_cpu, cpu) or 0), "of CPU time"),
        figure("load.evidence", evidence_alone, "us/record", note="CPU, PostgreSQL's included"),
        figure("load.protection", protection_alone, "us/record", note="CPU, with PostgreSQL's"),
    ]


def _without_classified(root: Path, folder: Path) -> Path:
    """The same catalog with no field classified."""
    shutil.copytree(root, folder)
    for path in folder.glob("contracts/*/v*.yaml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("classification: sensitive", "classification: internal")
        path.write_text(re.sub(r".*property: index.*\n", "", text), encoding="utf-8")
    return folder


def _felt(engine: Engine) -> list[Row]:
    """p99 of a commit alone and while seals are made one after the other, in alternating rounds."""
    alone, beside, made = list[float](), list[float](), 0
    while len(alone) < COMMITS:
        alone += _commits(engine, _ROUND)
        stop = threading.Event()
        counts: list[int] = []
        sealing = threading.Thread(target=_seal_for_nothing, args=(engine, stop, counts))
        sealing.start()
        beside += _commits(engine, _ROUND)
        stop.set()
        sealing.join()
        made += sum(counts)
    p99_alone, p99_beside = (quantiles(times, n=100)[98] for times in (alone, beside))
    return [
        figure("commit.p99.alone", p99_alone * 1000, "ms"),
        figure("commit.p99.sealing", p99_beside * 1000, "ms", note=f"{made} seals without a pause"),
        figure("commit.p99.ratio", ratio(p99_beside, p99_alone), "x", at_most=FELT_GOAL),
    ]


def _commits(engine: Engine, count: int) -> list[float]:
    """Seconds of each of so many transactions with one entry."""
    found = []
    for number in range(count):
        started = time.perf_counter()
        with transaction(engine) as conn:
            append_fact(conn, "approval", {"number": number})
        found.append(time.perf_counter() - started)
    return found


def _seal_for_nothing(engine: Engine, stop: threading.Event, counts: list[int]) -> None:
    """Make the seal of the first 10,000 entries again and again."""
    while not stop.is_set():
        with transaction(engine) as conn:
            seal = next_seal(conn, None)
        if seal is not None:
            signed(seal, SIGNER)
        counts.append(1)


def _archives(engine: Engine, folder: Path) -> list[Row]:
    """Time to verify a long archive, and tamperings of a short one that were not found."""
    heads = Heads(folder / "heads.jsonl")
    seal_all(engine, SIGNER, heads)
    lines = list(write_archive(engine, SIGNER, last_seal=1))
    started = time.perf_counter()
    verdict = verify_archive(lines)
    seconds = time.perf_counter() - started
    if verdict.problem is not None or verdict.entries != ENTRIES:
        raise RuntimeError(f"the archive does not verify: {verdict}")
    for _ in range(5):
        _commits(engine, 10)
        seal_all(engine, SIGNER, heads)
    newest = len(list(heads.all()))
    archive, other = (
        b"".join(write_archive(engine, SIGNER, first_seal=first, last_seal=newest))
        for first in (newest - 4, newest - 2)
    )
    count = int(os.environ.get(TAMPERINGS_VARIABLE) or TAMPERINGS)
    chance = random.Random(7)  # noqa: S311 - repeatable
    missed = done = 0
    while done < count:
        changed = tampered(archive, other, KINDS[done % len(KINDS)], chance)
        if changed != archive:
            done += 1
            missed += verify_archive(changed.splitlines(keepends=True)).problem is None
    return [
        figure("verify", seconds, "s", at_most=VERIFY_GOAL_S, note=f"{ENTRIES:,} entries"),
        figure("tampering.done", done, "archives"),
        figure("tampering.missed", missed, "archives", at_most=0),
    ]


def _fill(engine: Engine, count: int) -> None:
    """Entries as `append` makes them, in one statement."""
    rows, previous = [], GENESIS
    begun = datetime.now(UTC) - timedelta(hours=1)
    for seq in range(1, count + 1):
        at = begun + timedelta(milliseconds=seq)
        subject = {"transfer": f"{seq:036}", "dataset": "house_right", "read": 20000, "new": seq}
        entry = {"seq": seq, "at": moment(at), "kind": "load", "subject": subject}
        entry |= {"leaf": bytes(32).hex(), "previous": previous}
        made = entry_hash(entry)
        binary = {"leaf": bytes(32), "previous": bytes.fromhex(previous)}
        rows.append({**entry, **binary, "at": at, "entry_hash": bytes.fromhex(made)})
        previous = made
    with transaction(engine) as conn:
        conn.execute(insert(evidence_entry), rows)

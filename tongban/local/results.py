"""Results: what the demo moved, and whether it is right, read from the hub and both its ends.

Four questions: do the counts of every transfer balance; did the hub refuse exactly the records
that the sandbox knows to be wrong; does the substation hold exactly what was pushed; is everything
stored that the fake departments hold. Answers are counts and booleans; no key and no value leaves
this module.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tongban.kernel.settings import Settings
from tongban.local import fakes, sandbox

if TYPE_CHECKING:
    from tongban.hub import Hub

SUBSTATION = "substation"
CLOSED_WELL = ("accepted", "duplicate")
NOT_DUE = (*CLOSED_WELL, "superseded", "withheld")

PULLED = """
SELECT system, dataset, 'pull' AS direction,
       sum(read_rows)::bigint AS read,
       sum(new_rows + changed_rows + same_rows)::bigint AS accepted,
       sum(quarantined_rows)::bigint AS quarantined,
       sum(duplicate_rows)::bigint AS duplicate,
       0 AS pushed, 0 AS acknowledged,
       round(sum(work_ms) / 1000.0, 2)::float AS seconds
  FROM hub.transfer
 WHERE direction = 'pull' AND state = 'finished' AND started_at >= %(since)s
 GROUP BY system, dataset
 ORDER BY system, dataset
"""
# Records, not attempts: a row that went out twice (its parent was not there yet) is one record.
PUSHED = """
WITH took AS (
    SELECT system, dataset, sum(extract(epoch FROM finished_at - started_at)) AS seconds
      FROM hub.transfer
     WHERE direction = 'push' AND started_at >= %(since)s
     GROUP BY system, dataset)
SELECT o.target AS system, o.dataset, 'push' AS direction,
       0 AS read, 0 AS accepted, 0 AS quarantined, 0 AS duplicate,
       count(*) AS pushed,
       count(*) FILTER (WHERE o.state IN ('accepted', 'duplicate')) AS acknowledged,
       round(coalesce(max(t.seconds), 0), 2)::float AS seconds
  FROM hub.outbox AS o
  LEFT JOIN took AS t ON t.system = o.target AND t.dataset = o.dataset
 WHERE o.sent_at >= %(since)s AND o.state <> 'superseded'
 GROUP BY o.target, o.dataset
 ORDER BY o.target, o.dataset
"""
# The questions of one call were asked and answered together, so they took its time once.
COMPARED = """
SELECT system, name AS dataset, 'compare' AS direction,
       0 AS read, 0 AS accepted, 0 AS quarantined, 0 AS duplicate, 0 AS pushed, 0 AS acknowledged,
       sum(answered)::bigint AS compared,
       round(sum(extract(epoch FROM answered_at - asked_at)), 2)::float AS seconds
  FROM (SELECT system, name, asked_at, answered_at,
               count(*) FILTER (WHERE state = 'answered') AS answered
          FROM hub.comparison
         WHERE asked_at >= %(since)s
         GROUP BY system, name, asked_at, answered_at) AS call
 GROUP BY system, name
 ORDER BY system, name
"""
UNANSWERED = "SELECT count(*) FROM hub.comparison WHERE asked_at >= %s AND state <> 'answered'"
UNBALANCED = """
SELECT count(*) FROM hub.transfer
 WHERE started_at >= %s AND started_at < %s
   AND (state IN ('pulling', 'landed', 'refused')
        OR direction = 'pull' AND state = 'finished' AND read_rows
           <> new_rows + changed_rows + same_rows + quarantined_rows + duplicate_rows)
"""
UNACKNOWLEDGED = """
SELECT count(*) FROM hub.outbox WHERE NOT state = ANY(%s) AND queued_at < %s
"""
REFUSED = """
SELECT count(*) FROM hub.quarantine WHERE state = 'open' AND system = %s AND dataset = %s
"""
IS_THERE = "SELECT count(to_regclass(%s))"
STORED = """
SELECT count(*)
  FROM data."{table}" AS d JOIN hub.transfer AS t USING (transfer_id)
 WHERE t.system = %s
"""
DELIVERED = """
SELECT DISTINCT ON (record_id) record_id, encode(digest, 'hex') AS digest
  FROM hub.outbox
 WHERE target = %s AND dataset = %s AND state = ANY(%s)
 ORDER BY record_id, version DESC
"""


@dataclass(frozen=True, slots=True)
class Results:
    """What one demo run did.

    Attributes:
        transfers: One plain dict per system, dataset and direction.
        balanced: Every transfer that the run began is finished and its counts add up.
        unacknowledged: Outbox rows of the run that no receiver has confirmed.
        unanswered: Questions that a department was asked to compare and has not answered.
        quarantine_matches_truth: The open quarantine is the sandbox's truth, record by record.
        substation_matches: The substation's statement is what was delivered, by key and digest.
        fakes_match: What a fake department holds is stored, as many records of each dataset as
            its contract accepts, and the others are in the quarantine.
        differences: Datasets that differ, with counts, for the message.
    """

    transfers: list[dict[str, Any]]
    balanced: bool
    unacknowledged: int
    unanswered: int
    quarantine_matches_truth: bool
    substation_matches: bool
    fakes_match: bool
    differences: list[str]

    @property
    def is_right(self) -> bool:
        """Tell if nothing is wrong."""
        return (
            self.balanced
            and self.unacknowledged == 0
            and self.unanswered == 0
            and self.quarantine_matches_truth
            and self.substation_matches
            and self.fakes_match
        )


def read(settings: Settings, since: datetime, until: datetime) -> Results:
    """Read the results of a demo.

    Args:
        settings: With the hub's database URL; the sandbox of its home must run.
        since: Start of the demo.
        until: When it was quiet. The schedules go on: what they began after it is still open, and
            nobody's mistake.
    """
    from tongban.hub import open_hub

    if settings.database_url is None:
        raise AssertionError("results are read from a running stack")
    with (
        open_hub(settings) as hub,
        psycopg.connect(settings.database_url, row_factory=dict_row) as connection,
    ):
        transfers = [
            dict(row)
            for question in (PULLED, PUSHED, COMPARED)
            for row in connection.execute(question, {"since": since})
        ]
        for row in transfers:
            row["protocol"] = _protocol(hub, row["system"])
            row["seconds"] = row["seconds"] or 0.0
            row.setdefault("compared", 0)
        wrong = _quarantine_differences(hub, connection, settings)
        astray = _substation_differences(hub, connection)
        lost = fake_differences(hub, connection, settings)
        return Results(
            transfers=transfers,
            balanced=is_balanced(connection, since, until),
            unacknowledged=_count(connection, UNACKNOWLEDGED, list(NOT_DUE), until),
            unanswered=_count(connection, UNANSWERED, since),
            quarantine_matches_truth=not wrong,
            substation_matches=not astray,
            fakes_match=not lost,
            differences=[*wrong, *astray, *lost],
        )


def is_balanced(
    connection: psycopg.Connection[dict[str, Any]], since: datetime, until: datetime
) -> bool:
    """Tell if each transfer that was begun in between is closed and its counts add up."""
    return _count(connection, UNBALANCED, since, until) == 0


def _protocol(hub: Hub, system: str) -> str:
    """SOAP, REST, or the hub's own rows."""
    return str(hub.catalog.system(system).protocol) if system in hub.catalog.systems else "hub"


def _quarantine_differences(
    hub: Hub, connection: psycopg.Connection[dict[str, Any]], settings: Settings
) -> list[str]:
    """Compare the open quarantine with the truth, by record id."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in sandbox.run_program(settings, "truth").splitlines():
        fact = json.loads(line)
        if fact["expect"] == "quarantined":
            keys[fact["system"], fact["dataset"]].append(fact["key"])
    expected = {
        (dataset, record)
        for (system, dataset), source_keys in keys.items()
        for record in _record_ids(hub, system, dataset, source_keys)
    }
    rows = connection.execute(
        "SELECT dataset, key_index FROM hub.quarantine WHERE state = 'open' AND system = ANY(%s)",
        [list(sandbox.SYSTEMS)],
    )
    found = {(str(row["dataset"]), row["key_index"]) for row in rows}
    return _differences("quarantine", expected - found, "missed", found - expected, "unexpected")


def _record_ids(hub: Hub, system: str, dataset: str, source_keys: list[str]) -> list[UUID]:
    """The hub's ids of records that the source names by its own keys."""
    import polars as pl

    from tongban.normalize import apply, compile_mapping
    from tongban.protect.digest import record_ids

    contract, mapping = hub.catalog.contract(dataset), hub.catalog.mapping(system, dataset)
    parts = zip(*(key.split("|") for key in source_keys), strict=True)
    frame = pl.DataFrame(
        {name: list(values) for name, values in zip(mapping.source_key, parts, strict=True)}
    )
    rows = apply(compile_mapping(mapping, contract, hub.catalog.codes), frame).frame
    return [UUID(bytes=found) for found in record_ids(hub.keyring, contract, rows)]


def _substation_differences(hub: Hub, connection: psycopg.Connection[dict[str, Any]]) -> list[str]:
    """Compare what was delivered to the substation with its own statement."""
    from tongban.protect import Vault

    lines = []
    vault = Vault(hub.keyring)
    connector = hub.connector(SUBSTATION)
    try:
        for route in hub.catalog.push_routes:
            if route.target != SUBSTATION:
                continue
            rows = connection.execute(DELIVERED, [SUBSTATION, route.dataset, list(CLOSED_WELL)])
            sent = {(route.dataset, str(row["record_id"]), str(row["digest"])) for row in rows}
            said = [(guid, digest) for guid, _version, digest in connector.statement(route.dataset)]
            keyed = vault.keyed_all([digest for _guid, digest in said])
            held = {
                (route.dataset, str(UUID(guid)), (digest or b"").hex())
                for (guid, _), digest in zip(said, keyed, strict=True)
            }
            lines += _differences("substation", sent - held, "missing", held - sent, "unknown")
    finally:
        connector.close()
    return lines


def fake_differences(
    hub: Hub, connection: psycopg.Connection[dict[str, Any]], settings: Settings
) -> list[str]:
    """Compare what is stored of each fake department with what it holds; a line per difference."""
    lines = []
    for system, datasets in fakes.holdings(settings).items():
        for dataset, held in datasets.items():
            stored = _stored(connection, hub.catalog.contract(dataset).table, system)
            refused = _count(connection, REFUSED, system, dataset)
            if (stored, stored + refused) != (held["accepted"], held["records"]):
                lines.append(
                    f"fake {system} {dataset}: {held['records']} held, {held['accepted']} of them "
                    f"right; {stored} stored, {refused} refused"
                )
    return lines


def _stored(connection: psycopg.Connection[dict[str, Any]], table: str, system: str) -> int:
    """Records that came from a system; none before the first load has made the table."""
    if not _count(connection, IS_THERE, f'data."{table}"'):
        return 0
    return _count(connection, STORED.format(table=table), system)


def _differences(
    where: str,
    lacking: Iterable[tuple[Any, ...]],
    lacking_word: str,
    surplus: Iterable[tuple[Any, ...]],
    surplus_word: str,
) -> list[str]:
    """Counts per dataset, in words."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in lacking:
        counts[item[0]][0] += 1
    for item in surplus:
        counts[item[0]][1] += 1
    return [
        f"{where} {dataset}: {lack} {lacking_word}, {more} {surplus_word}"
        for dataset, (lack, more) in sorted(counts.items())
    ]


def _count(connection: psycopg.Connection[dict[str, Any]], question: str, *values: object) -> int:
    row = connection.execute(question.encode(), values).fetchone()
    return 0 if row is None else int(row["count"])

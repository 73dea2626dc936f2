"""A batch too large to be judged at once is judged by parts, each before its first write."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from connectors import open_connector
from tests.pipeline.drifting import ROOT, body_of, changed, good_rows
from tongban import rows
from tongban.drift import expect
from tongban.kernel.catalog import load_catalog
from tongban.kernel.connections import Connection
from tongban.kernel.records import Page
from tongban.protect import KeyRing
from tongban.watch import BatchFrozen, Watch


def made(folder: Path, batch: list[dict[str, object]], watched: list[Watch]):
    """Chunks of 100 rows each, as the store would get them."""
    catalog = load_catalog(ROOT)
    plan = rows.compile_dataset(catalog, "housing", "sale_contract")
    connection = Connection("housing", "http://127.0.0.1:9", "hub", "secret")
    watched.append(
        Watch(
            transfer_id=uuid4(),
            expected=expect(
                catalog.mapping("housing", "sale_contract"), plan.contract, catalog.codes
            ),
            contract=plan.contract,
            normalize=plan.normalize,
            is_snapshot=False,
            history=[],
            volumes=[1000] * 5,
        )
    )
    pages = [
        Page(number=1 + at // 100, body=body_of(batch[at : at + 100], len(batch)), cursor="",
             next_cursor=None, declared_total=None)
        for at in range(0, len(batch), 100)
    ]  # fmt: skip
    return rows.chunks(
        pages,
        plan,
        open_connector(catalog.system("housing"), connection, ROOT),
        KeyRing.open(folder, {}),
        rows_per_chunk=100,
        watch=watched[0],
    )


def test_a_bad_part_stops_the_batch_and_says_what_came_before(tmp_path, monkeypatch):
    """The parts before it are judged and go on."""
    monkeypatch.setattr(rows, "ROWS_JUDGED", 200)
    good = good_rows(500)
    batch = good[:400] + changed(good[400:], {"drop": "signTime"})
    chunks = made(tmp_path, batch, [])

    assert [1, 2, 3, 4] == [next(chunks).number for _ in range(4)]
    with pytest.raises(BatchFrozen, match=r"after the first 400 rows was stored: .* signed_at"):
        next(chunks)


def test_a_batch_that_fits_is_judged_whole(tmp_path):
    """Not even its good half is given out."""
    good = good_rows(500)
    batch = good[:400] + changed(good[400:], {"set": {"floor": "many"}})

    with pytest.raises(BatchFrozen, match="nothing of it was stored: type_change floor"):
        next(made(tmp_path, batch, []))


def test_the_number_of_rows_is_judged_at_the_end(tmp_path, monkeypatch):
    """Of a large batch it is known no earlier."""
    monkeypatch.setattr(rows, "ROWS_JUDGED", 100)
    watched: list[Watch] = []

    found = [chunk.is_held for chunk in made(tmp_path, good_rows(300), watched)]

    assert [False, False, True] == found
    assert ["volume"] == [event.kind for event in watched[0].events]
    assert 300 == watched[0].total

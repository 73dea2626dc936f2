"""Labels: whose a dataset is, where one system provides it and where many do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.halls import make_halls
from tongban.console.labels import owner_label
from tongban.kernel.catalog import load_catalog


@pytest.mark.parametrize(
    ("halls", "zh", "en"),
    [
        (1, "本平台", "this hub"),
        (2, "大厅、大厅", "Hall, Hall"),
        (5, "大厅、大厅、大厅、… 共 5 个部门", "Hall, Hall, Hall, … 5 systems in all"),
    ],
)
def test_owner_is_the_contracts_or_all_who_provide(halls: int, zh: str, en: str, tmp_path: Path):
    """A page names those whom one can ask."""
    catalog = load_catalog(make_halls(tmp_path, **{f"hall_{n}": f"h{n}" for n in range(halls)}))
    contract = catalog.contract("visit")

    assert zh == owner_label(catalog, contract, "zh")
    assert en == owner_label(catalog, contract, "en")

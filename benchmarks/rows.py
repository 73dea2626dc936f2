"""Synthetic registration rows for the rule and mapping benchmarks: 15 columns, some of them bad.

Nobody is meant: every resident ID has the area code 620899, which never existed. The same seed
gives the same rows. About 3.6 % of the rows break a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any, TypedDict

import numpy as np
import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field, Rule
from tongban.kernel.identifiers import (
    credit_code_check_character,
    organisation_code_check_character,
    resident_id_check_character,
)
from tongban.kernel.mappings import FieldMapping, Mapping, Op

PAGE = 1_000
BAD_SHARE = 0.036


class Result(TypedDict):
    """One printed line."""

    name: str
    value: float
    unit: str
    goal: str
    holds: bool


class Tables(CodeTables):
    """Two code tables without files."""

    def __init__(self) -> None:
        super().__init__(Path("benchmarks"))
        for name, table in {
            "id_type": {"1": "111", "7": "001", "3": "414"},
            "usage": {"10": "home", "20": "shop", "30": "office", "99": "other"},
        }.items():
            self._in[name, "registration"] = table

    def known(self, name: str) -> frozenset[str]:
        """The hub's codes."""
        return frozenset(self._in[name, "registration"].values())


def cpu(work: Callable[[], Any], repeat: int = 3) -> float:
    """Least CPU seconds of a few runs, all threads together."""
    best = float("inf")
    for _ in range(repeat):
        started = process_time()
        work()
        best = min(best, process_time() - started)
    return best


def cpu_beside(works: dict[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """Least CPU seconds of each, measured in turn so that a busy moment hits all of them."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            best[name] = min(best[name], cpu(work, repeat=1))
    return best


def result(name: str, value: float, unit: str, goal: float, *, least: bool = False) -> Result:
    """A measured value beside its goal."""
    holds = value >= goal if least else value <= goal
    shown = f"{'≥' if least else '≤'} {goal:g}"
    return Result(name=name, value=round(value, 3), unit=unit, goal=shown, holds=holds)


def source_rows(rows: int, seed: int = 20260620) -> pl.DataFrame:
    """Text columns as a department would send them, named by their source fields."""
    rng = np.random.default_rng(seed)
    pick = lambda *values: [values[i] for i in rng.integers(0, len(values), rows)]  # noqa: E731
    days = rng.integers(0, 28, rows) + 1
    years = rng.integers(1950, 2006, rows)
    residents = []
    for number in range(min(rows, 20_000)):
        first = f"620899{years[number]}01{days[number]:02d}{number % 1000:03d}"
        residents.append(first + resident_id_check_character(first))
    units = []
    for number in range(2_000):
        body = f"MA{number:06d}"
        first = f"91620899{body}{organisation_code_check_character(body)}"
        units.append(first + credit_code_check_character(first))
    numbers = np.arange(rows)
    areas = rng.integers(4_000, 20_000, rows)
    frame = pl.DataFrame(
        {
            "YWH": [f"2024{n:020d}" for n in numbers],
            "QLRMC": pick(*["张伟", "王小明", "阿依夏·买买提", "欧阳娜娜"] * 12, " 李\u3000娜 "),
            "ZJZL": ["1"] * rows,
            "ZJH": [residents[i] for i in rng.integers(0, len(residents), rows)],
            "JGDM": [units[i] for i in rng.integers(0, len(units), rows)],
            "BDCDYH": [f"620899001001GB{n % 99_999:05d}F{n % 99_999_999:08d}" for n in numbers],
            "BDCQZH": [f"甘（2024）平凉市不动产权第{n % 9_999_999:07d}号" for n in numbers],
            "FDZL": [f"平凉市示范区示范路{n % 900}号{n % 30}号楼{n % 4}单元" for n in numbers],
            "GHYT": pick("10", "10", "10", "20", "30", "99"),
            "JZMJ": [f"{a / 100:.2f}" for a in areas],
            "FDCJYJG": [f"{a * 0.4 / 100:.6f}" for a in areas],
            "SZC": [str(n) for n in rng.integers(1, 18, rows)],
            "ZCS": [str(n) for n in rng.integers(18, 33, rows)],
            "JGSJ": [f"2015{d:02d}{e:02d}" for d, e in zip(days % 12 + 1, days, strict=True)],
            "DJSJ": [f"2024-03-{d:02d} 10:00:00" for d in days],
        }
    )
    bad = pl.Series(rng.random(rows) < BAD_SHARE)
    return frame.with_columns(
        pl.when(bad)
        .then(pl.col("ZJH").str.slice(0, 17) + "A")
        .otherwise(pl.col("ZJH"))
        .alias("ZJH")
    )


def contract() -> Contract:
    """Fifteen fields and 22 rules about values, both check characters among them."""

    def text(name: str, label: str, **options: Any) -> Field:
        return Field(name, label, "string", **options)

    def rule(rule_id: str, kind: str, *fields: str, **params: Any) -> Rule:
        return Rule(rule_id, kind, fields, params, "error", "conformity", rule_id)

    fields = (
        text("business_no", "业务号", required=True, pattern="^[0-9]{24}$"),
        text("holder_name", "权利人", required=True, min_length=1, max_length=50),
        text("id_type", "证件种类", code_table="id_type"),
        text("id_no", "证件号", required=True),
        text("organ_code", "机构代码"),
        text("unit_no", "单元号", required=True),
        text("certificate_no", "证书号"),
        text("address", "坐落", required=True, min_length=1, max_length=200),
        text("usage", "用途", code_table="usage"),
        Field("area", "面积", "decimal", precision=12, scale=2, minimum=_decimal("0.01")),
        Field("price", "价格", "decimal", precision=16, scale=2, minimum=_decimal("0")),
        Field("floor", "层", "integer"),
        Field("floors", "总层数", "integer", minimum=_decimal("1"), maximum=_decimal("200")),
        Field("completed_on", "竣工", "date"),
        Field("registered_at", "登簿", "datetime"),
    )
    rules = (
        rule("id_no_valid", "resident_id", "id_no", field="id_no"),
        rule("organ_valid", "credit_code", "organ_code", field="organ_code"),
        rule("unit_form", "real_estate_unit", "unit_no", field="unit_no"),
        rule("certificate_form", "certificate_no", "certificate_no", field="certificate_no"),
        rule("floor_within", "compare", "floor", "floors", left="floor", op="<=", right="floors"),
        rule(
            "order",
            "compare",
            "completed_on",
            "registered_at",
            left="completed_on",
            op="<=",
            right="registered_at",
        ),
        rule("completed", "not_future", "completed_on", field="completed_on"),
        rule("registered", "not_future", "registered_at", field="registered_at"),
        rule(
            "price_plausible",
            "ratio_between",
            "price",
            "area",
            numerator="price",
            denominator="area",
            minimum=10,
            maximum=100_000,
        ),
    )
    return Contract(
        dataset="benchmark",
        version="1.0.0",
        label="基准",
        owner="registration",
        key=("business_no",),
        fields=fields,
        rules=rules,
        changed_at="registered_at",
        dirty_share=1.0,
        dirty_rows=0,
        rectification_days=5,
        digest="0" * 64,
        path=Path("benchmarks/v1.yaml"),
    )


def _decimal(text: str) -> Any:
    """An exact bound."""
    from decimal import Decimal

    return Decimal(text)


def mapping() -> Mapping:
    """Seventeen operations over fifteen source fields, the trimming of each not counted."""

    def made(target: str, source: str, *ops: tuple[str, Any]) -> FieldMapping:
        place = f"benchmarks/mapping.yaml:{target}"
        return FieldMapping(target, (source,), tuple(Op(n, a, place) for n, a in ops), place)

    fields = (
        made("business_no", "YWH", ("half_width", None)),
        made("holder_name", "QLRMC", ("person_name", None)),
        made("id_type", "ZJZL", ("code", "id_type")),
        made("id_no", "ZJH", ("id_by_type", {"type": "ZJZL", "resident": ["1"]})),
        made("organ_code", "JGDM", ("credit_code", None)),
        made("unit_no", "BDCDYH", ("unit_no", None)),
        made("certificate_no", "BDCQZH", ("certificate_no", None)),
        made("address", "FDZL", ("half_width", None), ("null_if", ["-1", "无"])),
        made("usage", "GHYT", ("code", "usage")),
        made("area", "JZMJ", ("strip_suffix", ["㎡"]), ("decimal", {"scale": 2})),
        made("price", "FDCJYJG", ("money", {"unit": "万元", "scale": 2})),
        made("floor", "SZC", ("integer", None)),
        made("floors", "ZCS", ("integer", None)),
        made("completed_on", "JGSJ", ("date", ["yyyyMMdd", "yyyy-MM-dd"])),
        made("registered_at", "DJSJ", ("datetime", ["yyyy-MM-dd HH:mm:ss"])),
    )
    return Mapping(
        system="registration",
        dataset="benchmark",
        version="1.0.0",
        contract_version=1,
        explode=None,
        source_key=("YWH",),
        fields={item.target: item for item in fields},
        ignore=(),
        examples=(),
        digest="0" * 64,
        path=Path("benchmarks/mapping.yaml"),
    )

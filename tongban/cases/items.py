"""Items (事项): what can be asked for, how long it takes, and what moves its clocks.

Read from `cases/items/`: `*.yaml`, one service group each, and `*.csv` for items that need no more
than one line. A case keeps the version of the item under which it was accepted; a new version is a
new entry, the old one stays. Nothing here talks to a database.

Source: notice 平政办发〔2018〕179号 §3(1), §6.2, §6.3; GB/T 39046-2020.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tongban.cases.clock_rules import ClockPolicy, OnCorrection
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.identifiers import credit_code
from tongban.kernel.yamlfile import YamlFile, load_yaml, parse_model, suggestion

Kind = Literal["immediate", "promised", "reported", "joint"]
CSV_COLUMNS = (
    "code", "version", "name", "kind", "type", "level", "group", "promise_days", "legal_days",
    "fee_yuan",
)  # fmt: skip

_CODE = r"^[0-9A-Z]{18}[1-7][0-9]{12}$"  # organ 18, level 1, basic code 12
_ORGAN = 18
_LEVELS = {"city": "3", "district": "4"}


class Strict(BaseModel):
    """No unknown keys; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockTerms(Strict):
    """What differs from the usual clocks of an item."""

    on_correction: OnCorrection = "restart"
    legal_on_correction: OnCorrection = "stop"
    pre_check_days: Annotated[int, Field(ge=0, le=5)] = 5
    extension_days: Annotated[int, Field(ge=0, le=15)] = 10
    delivery_days: Annotated[int, Field(ge=0, le=10)] = 10


class Material(Strict):
    """One paper that is handed in; `from_dataset` where the hub has the fact already."""

    name: str
    copies: Annotated[int, Field(ge=0)] = 1
    from_dataset: str | None = None


class Fee(Strict):
    """What it costs: nothing, a fixed sum, or what a tariff says."""

    rule: Literal["free", "fixed", "tariff"] = "free"
    yuan: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)] | None = None
    basis: str | None = None


class Step(Strict):
    """One step of an item without a flow file."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    name: str
    limit_days: Annotated[int, Field(ge=0, le=999)]


class Item(Strict):
    """One service item in one version.

    Attributes:
        code: 31 characters: organ 18, level 1, basic code 12.
        type: `power` (行政权力) or `public_service` (公共服务).
        flow: The flow file that handles it, else `steps` do.
    """

    code: Annotated[str, Field(pattern=_CODE)]
    version: Annotated[int, Field(ge=1)] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind
    type: Literal["power", "public_service"]
    level: Literal["city", "district"]
    group: str | None = None
    promise_days: Annotated[int, Field(ge=0, le=999)]
    legal_days: Annotated[int, Field(ge=0, le=999)] | None = None
    legal_basis: str | None = None
    clock: ClockTerms = ClockTerms()
    fee: Fee = Fee()
    materials: tuple[Material, ...] = ()
    steps: tuple[Step, ...] = ()
    flow: str | None = None

    @property
    def organ(self) -> str:
        """Credit code of the organ that answers for it."""
        return self.code[:_ORGAN]

    @property
    def policy(self) -> ClockPolicy:
        """How long its clocks are and what moves them."""
        return ClockPolicy(self.promise_days, self.legal_days, **self.clock.model_dump())


class _ItemFile(Strict):
    """One YAML file: the items of one group."""

    group: str | None = None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """An item and where it is written."""

    item: Item
    place: str


def read_items(folder: Path, root: Path) -> Iterator[Placed]:
    """Every item of every file, each checked by itself.

    Raises:
        ConfigInvalid: The first thing that is wrong, as file:line.
    """
    for path in sorted(folder.glob("*.yaml")):
        yield from _from_yaml(load_yaml(path, root=root))
    for path in sorted(folder.glob("*.csv")):
        yield from _from_csv(path, str(path.relative_to(root)))


def _from_yaml(file: YamlFile) -> Iterator[Placed]:
    parsed = parse_model(file, _ItemFile)
    for at, item in enumerate(parsed.items):
        named = item.model_copy(update={"group": item.group or parsed.group})

        def fail(key: str, message: str, at: int = at) -> None:
            file.fail(("items", at, key), message)

        check_item(named, fail)
        yield Placed(named, file.at(("items", at)))


def _from_csv(path: Path, shown: str) -> Iterator[Placed]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != CSV_COLUMNS:
            raise ConfigInvalid(f"{shown}:1: expected the columns {','.join(CSV_COLUMNS)}")
        for row in reader:
            place = f"{shown}:{reader.line_num}"

            def fail(key: str, message: str, place: str = place) -> None:
                raise ConfigInvalid(f"{place}: {key}: {message}")

            try:
                item = Item.model_validate(_document(row))
            except ValidationError as exc:
                error = exc.errors(include_url=False, include_input=False)[0]
                fail(".".join(str(part) for part in error["loc"]), error["msg"])
                raise  # never reached: `fail` raises
            check_item(item, fail)
            yield Placed(item, place)


def _document(row: dict[str, Any]) -> dict[str, Any]:
    """One line as the YAML form would say it; an empty cell is nothing."""
    found = {name: value for name, value in row.items() if value}
    if fee := found.pop("fee_yuan", None):
        found["fee"] = {"rule": "fixed", "yuan": fee}
    return found


def check_item(item: Item, fail: Callable[[str, str], None]) -> None:
    """What no single field can tell."""
    if not credit_code(item.code[:_ORGAN]).is_valid:
        fail("code", "the first 18 characters are no valid credit code of an organ")
    if item.code[_ORGAN] != _LEVELS[item.level]:
        fail("code", f"level {item.level} has the digit {_LEVELS[item.level]} in place 19")
    if item.legal_days is not None and item.promise_days > item.legal_days:
        fail("promise_days", "the promise is longer than the law allows (legal_days)")
    if (item.kind == "immediate") != (item.promise_days == 0):
        fail("promise_days", "an immediate item promises 0 days, any other at least 1")
    if item.kind == "joint" and item.flow is None and len(item.steps) == 1:
        fail("steps", "a joint item has a flow, or steps of more than one department")
    if (item.fee.rule == "fixed") != (item.fee.yuan is not None):
        fail("fee", "a fixed fee says how many yuan, any other none")
    if item.flow and item.steps:
        fail("steps", "the flow file has the steps; take them out here")
    codes = [step.code for step in item.steps]
    if len(codes) != len(set(codes)):
        fail("steps", "two steps have one code")
    if sum(step.limit_days for step in item.steps) > item.promise_days:
        fail("steps", "the steps together take longer than the promise")


def unknown(word: str, known: Any, what: str) -> str:
    """`no department "x", did you mean "y"?`."""
    return f'no {what} "{word}"{suggestion(word, known)}'

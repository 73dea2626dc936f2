"""Sales: contracts between sellers and buyers, from draft to registered right.

A sale is the thread that runs through housing (contract), tax (payment) and registration (right).
Its times always follow one another: signed, recorded, paid, registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from sandbox.city.houses import House
from sandbox.city.parties import Group, Party
from sandbox.city.timeline import Timeline
from sandbox.datasets import Document, stamp

Stage = Literal["draft", "in_flight", "done", "revoked"]
AGENCIES = (None, None, None, "平凉示范房产经纪有限公司", "平凉安居示范经纪服务部")
ID_KINDS = {"resident": "01", "credit": "21", "passport": "03"}


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale. `price` is in fen; times that its stage has not reached are None."""

    contract_no: str
    record_no: str
    house: House
    sellers: Group
    buyers: Group
    is_new_house: bool
    stage: Stage
    price: int
    signed: datetime
    recorded: datetime | None
    paid: datetime | None
    registered: datetime | None


class SaleBook:
    """Numbers sales in the order in which they are entered."""

    def __init__(self, random: Random, timeline: Timeline) -> None:
        self._random = random
        self._timeline = timeline
        self._count = 0

    def enter(
        self,
        house: House,
        sellers: Group,
        buyers: Group,
        *,
        stage: Stage,
        is_new_house: bool,
        days_ago: tuple[int, int],
    ) -> Sale:
        """Enter one sale signed between `days_ago` (oldest, newest) days before the anchor."""
        random = self._random
        self._count += 1
        signed = self._timeline.days_ago(random, *days_ago)
        recorded = (
            None if stage == "draft" else signed + timedelta(minutes=random.randint(20, 2880))
        )
        paid = registered = None
        if stage == "done" and recorded is not None:
            paid = recorded + timedelta(hours=random.randint(4, 200))
            registered = paid + timedelta(hours=random.randint(4, 150))
        return Sale(
            contract_no=f"HT{signed:%Y%m%d}{self._count:06d}",
            record_no=f"BA{signed:%Y}620899{self._count:06d}",
            house=house,
            sellers=sellers,
            buyers=buyers,
            is_new_house=is_new_house,
            stage=stage,
            price=house.price_of_whole(random),
            signed=signed,
            recorded=recorded,
            paid=paid,
            registered=registered,
        )


def contract_document(random: Random, timeline: Timeline, sale: Sale) -> Document:
    """Write the housing department's contract of `sale`, parties included."""
    house = sale.house
    sides = [("S", sale.sellers), ("B", sale.buyers)]
    rows = [(role, g.parties[at], g.shares[at]) for role, g in sides for at in range(len(g.shares))]
    status = {"draft": random.choice("12"), "in_flight": "3", "done": "3", "revoked": "9"}
    doc: Document = {
        "contractNo": sale.contract_no,
        "recordNo": sale.record_no if sale.recorded else None,
        "contractKind": "1" if sale.is_new_house else "2",
        "signTime": f"{sale.signed:%Y-%m-%d %H:%M:%S}",
        "recordTime": f"{sale.recorded:%Y-%m-%d %H:%M:%S}" if sale.recorded else None,
        "houseCode": house.code,
        "unitNo": house.unit_no,
        "address": house.address,
        "buildingArea": house.area / 100,
        "innerArea": house.own_area / 100,
        "usage": house.usage,
        "floor": house.floor,
        "totalFloors": house.floors,
        "totalPrice": sale.price / 100,
        "unitPrice": unit_price(sale.price, house.area) / 100,
        "payMethod": random.choice("123"),
        "supervised": random.choice("YN"),
        "agency": random.choice(AGENCIES),
        "status": status[sale.stage],
        "parties": [_party(at + 1, *row) for at, row in enumerate(rows)],
    }
    last = sale.recorded or sale.signed
    if sale.stage == "revoked":
        last += timedelta(days=random.randint(3, 40))
    changed = last if sale.stage == "in_flight" else timeline.change(random, last)
    stamp("sale_contract", doc, changed)
    return doc


def unit_price(price: int, area: int) -> int:
    """Divide a price in fen by an area in ㎡ × 100, rounded half up to whole fen per ㎡."""
    return (price * 200 + area) // (2 * area)


def _party(number: int, role: str, party: Party, share: str) -> Document:
    return {
        "no": number,
        "role": role,
        "name": party.name,
        "idType": ID_KINDS[party.id_kind],
        "idNo": party.id_no,
        "share": share,
        "agentName": None,
    }

"""Houses: the units of the city, their estates and buildings, and the building list (楼盘表).

A house knows its own facts (areas, floor, dates, going price); who owns it is in
`sandbox.city.rights`, who buys it in `sandbox.city.sales`. Areas are whole square centimetre
hundredths (㎡ × 100) so that own + shared = total holds exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.city.timeline import Timeline, add_years
from sandbox.datasets import Document, stamp
from sandbox.identifiers import unit_no
from sandbox.names import ROADS, estate

USAGES = ("10",) * 88 + ("20",) * 6 + ("30",) * 4 + ("40", "99")
LAND_YEARS = {"10": 70, "20": 40, "30": 50, "40": 50, "99": 50}
FLOORS = (5, 6, 6, 11, 17, 18, 26, 33)


@dataclass(frozen=True, slots=True)
class House:
    """One house unit. Areas in ㎡ × 100, `price` is the going price in fen per ㎡."""

    number: int
    unit_no: str
    project: str
    building: int
    entrance: int
    room: str
    address: str
    own_area: int
    shared_area: int
    usage: str
    structure: str
    floor: int
    floors: int
    finished: date
    land_from: date
    land_until: date
    price: int

    @property
    def area(self) -> int:
        """Total area in ㎡ × 100."""
        return self.own_area + self.shared_area

    @property
    def code(self) -> str:
        """The housing department's own key of the unit."""
        return f"FW620899{self.number:010d}"

    def price_of_whole(self, random: Random) -> int:
        """Name a price for the whole unit near the going one, in fen, whole 元."""
        per_metre = self.price * random.randint(90, 110) // 100
        return self.area * per_metre // 10000 * 100


def make_houses(random: Random, count: int) -> list[House]:
    """Make `count` units, estate by estate."""
    houses: list[House] = []
    parcel = 0
    while len(houses) < count:
        parcel += 1
        houses.extend(_estate(random, parcel, len(houses)))
    return houses[:count]


def _estate(random: Random, parcel: int, made: int) -> Iterator[House]:
    project = estate(random)
    road = f"{random.choice(ROADS)}{random.randint(1, 200)}号"
    finished = date(random.randint(2000, 2021), random.randint(1, 12), random.randint(1, 28))
    land_from = add_years(finished, -random.randint(2, 4))
    price = random.randint(3000, 7500) * 100
    number = made
    for building in range(1, random.randint(2, 4)):
        floors = random.choice(FLOORS)
        per_floor = random.randint(2, 4)
        structure = "3" if floors > 6 else random.choice("345")
        for at in range(floors * per_floor):
            number += 1
            floor, door = at // per_floor + 1, at % per_floor + 1
            room = f"{floor}{door:02d}"
            usage = random.choice(USAGES)
            own = random.randint(4000, 15000)
            yield House(
                number=number,
                unit_no=unit_no(1000 + parcel // 90000 + 1, parcel % 90000, building, at + 1),
                project=project,
                building=building,
                entrance=1,
                room=room,
                address=f"平凉市示范区{road}{project}{building}号楼1单元{room}室",
                own_area=own,
                shared_area=own * random.randint(8, 25) // 100,
                usage=usage,
                structure=structure,
                floor=floor,
                floors=floors,
                finished=finished,
                land_from=land_from,
                land_until=add_years(land_from, LAND_YEARS[usage]) - timedelta(days=1),
                price=price * (3 if usage == "20" else 2) // 2,
            )


def unit_document(random: Random, timeline: Timeline, house: House, state: str) -> Document:
    """Write one row of the building list; `state` is 1 for sale, 2 sold, 3, 4 or 5."""
    doc: Document = {
        "houseCode": house.code,
        "unitNo": house.unit_no,
        "projectName": house.project,
        "building": f"{house.building}号楼",
        "unit": f"{house.entrance}单元",
        "room": house.room,
        "buildingArea": house.area / 100,
        "innerArea": house.own_area / 100,
        "usage": house.usage,
        "saleState": state,
        "floor": house.floor,
        "totalFloors": house.floors,
    }
    stamp("house_unit", doc, timeline.change(random, house.finished))
    return doc

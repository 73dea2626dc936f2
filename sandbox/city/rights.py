"""Rights: who owns which unit, now and before, as the real-estate register keeps it.

Every right has its holders nested in `QLRLIST`. A resale leaves two rights for one unit: the
seller's (history) and the buyer's (in force). Rights in force carry the mortgages of
`sandbox.city.mortgages`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from sandbox.city.houses import House
from sandbox.city.parties import Group, Party
from sandbox.city.timeline import Timeline
from sandbox.datasets import Document, stamp
from sandbox.identifiers import AREA_CODE, certificate_no

REGISTER_ORGAN = "平凉市不动产登记中心"
REGISTRARS = ("张登簿", "李登簿", "王登簿", "马登簿")
IN_FORCE = "1"
HISTORY = "2"
ID_KINDS = {"resident": "1", "credit": "7", "passport": "3"}
BRACKETS = (("（", "）"), ("（", "）"), ("（", "）"), ("(", ")"), ("\u3014", "\u3015"))


@dataclass(frozen=True, slots=True)
class Right:
    """One entry of the register. `price` in fen; `registered` is None until it is entered."""

    business_no: str
    certificate_no: str
    house: House
    holders: Group
    kind: str
    reason: str
    price: int
    registered: datetime | None
    contract_no: str | None
    status: str
    changed: datetime | None = None

    @property
    def entered(self) -> datetime:
        """When the right was entered.

        Raises:
            ValueError: It still waits for its trigger.
        """
        if self.registered is None:
            raise ValueError(f"right {self.business_no} is not entered yet")
        return self.registered

    def ended(self, when: datetime) -> Right:
        """Tell the same right as history since `when`."""
        return replace(self, status=HISTORY, changed=when)


class Register:
    """Numbers the entries of the register and its certificates in order of entry."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0

    def enter(
        self,
        house: House,
        holders: Group,
        *,
        price: int,
        registered: datetime | None,
        numbered: datetime,
        contract_no: str | None = None,
        kind: str = "200",
    ) -> Right:
        """Enter one right; `numbered` is the day whose year and date the numbers carry."""
        self._count += 1
        left, right = self._random.choice(BRACKETS)
        certificate = certificate_no(numbered.year, self._count)
        return Right(
            business_no=f"{numbered:%Y%m%d}{self._count:08d}",
            certificate_no=certificate.replace("（", left).replace("）", right),
            house=house,
            holders=holders,
            kind=kind,
            reason="首次登记" if kind == "100" else "买卖",
            price=price,
            registered=registered,
            contract_no=contract_no,
            status=IN_FORCE,
        )


def right_document(random: Random, timeline: Timeline, right: Right) -> Document:
    """Write one right with its holders, all values as text.

    A right that is not entered yet has an empty `DJSJ`; its server fills both times when it fires.
    """
    house = right.house
    doc: Document = {
        "YWH": right.business_no,
        "BDCDYH": house.unit_no,
        "BDCQZH": right.certificate_no,
        "YSDM": "6002010200",
        "QLLX": "4",
        "DJLX": right.kind,
        "DJYY": right.reason,
        "FDZL": house.address,
        "JZMJ": hundredths(house.area),
        "ZYJZMJ": hundredths(house.own_area),
        "FTJZMJ": hundredths(house.shared_area),
        "FDCJYJG": ten_thousands(right.price),
        "GHYT": house.usage,
        "FWXZ": random.choice("0000568"),
        "FWJG": house.structure,
        "SZC": str(house.floor),
        "ZCS": str(house.floors),
        "JGSJ": house.finished.isoformat(),
        "DJSJ": f"{right.registered:%Y-%m-%dT%H:%M:%S}+08:00" if right.registered else "",
        "TDSYQSSJ": house.land_from.isoformat(),
        "TDSYJSSJ": house.land_until.isoformat(),
        "DJJG": REGISTER_ORGAN,
        "DBR": random.choice(REGISTRARS),
        "QSZT": right.status,
        "FDCJYHTH": right.contract_no,
        "QXDM": AREA_CODE,
        "QLRLIST": holder_rows(right.holders),
    }
    if right.contract_no is None:
        del doc["FDCJYHTH"]
    if right.registered is None:
        doc["GXSJ"] = ""
    else:
        last = right.changed or right.registered
        stamp("real_estate_right", doc, timeline.change(random, last))
    return doc


def holder_rows(group: Group) -> list[Document]:
    """Write the holders; shares are only stated when they hold by shares."""
    return [
        _holder(at + 1, party, group.holding, share if group.holding == "2" else "")
        for at, (party, share) in enumerate(zip(group.parties, group.shares, strict=True))
    ]


def _holder(number: int, party: Party, holding: str, share: str) -> Document:
    return {
        "SXH": str(number),
        "QLRMC": party.name,
        "ZJZL": ID_KINDS[party.id_kind],
        "ZJH": party.id_no,
        "QLRLX": "2" if party.id_kind == "credit" else "1",
        "GYFS": holding,
        "QLBL": share,
    }


def status_document(
    random: Random, timeline: Timeline, right: Right, *, is_mortgaged: bool, is_seized: bool
) -> Document:
    """Write the status line of the unit of a right in force."""
    doc: Document = {
        "BDCDYH": right.house.unit_no,
        "SYQZT": "1",
        "DYZT": "1" if is_mortgaged else "0",
        "CFZT": "1" if is_seized else "0",
        "YYZT": "1" if random.random() < 0.003 else "0",
    }
    stamp("right_status", doc, timeline.change(random, right.entered))
    return doc


def hundredths(value: int) -> str:
    """Write a whole number of hundredths as a decimal with two places."""
    return f"{value // 100}.{value % 100:02d}"


def ten_thousands(fen: int) -> str:
    """Write an amount in fen as 万元 with six places, without loss."""
    return f"{fen // 1_000_000}.{fen % 1_000_000:06d}"

"""Synthetic pages: the same records in every run, as JSON and as SOAP, in one cache folder.

One file per protocol, number of rows and epoch, with the pages' offsets beside it. Epoch 1 has
the same keys and one changed price in a hundred rows. Every person has the area code 620899,
which no real resident has; one row in a hundred carries a defect that the contract can see.
"""

from __future__ import annotations

import array
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.layout import FIELDS, NAMESPACE, PAGE_ROWS, REST, SOAP

VERSION = 2  # raise it when the data change, so that no old cache is used
AREA = "620899"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
CHECK_DIGITS = "10X98765432"
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = "伟芳娜敏静秀丽强磊军洋勇艳杰涛明超兰霞平刚桂英华玉萍红玲芬燕彬鹏浩宇辰欣怡轩梓涵雨泽思源"
STREETS = ("示范一路", "示范二路", "示范大道", "测试街", "样例路", "柳湖样街")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
RIGHTS = ("4", "6", "8", "3", "5")
FIRST_BIRTH = date(1940, 1, 1)
FIRST_REGISTRATION = date(2005, 1, 1)
BIRTH_DAYS = (FIRST_REGISTRATION - FIRST_BIRTH).days
REGISTRATION_DAYS = (date(2025, 1, 1) - FIRST_REGISTRATION).days
DEFECTS = 9
CHANGED_EVERY = 100  # epoch 1: one row in so many


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages of one protocol lie: one file and the offset of every page in it."""

    body: Path
    index: Path

    def offsets(self) -> array.array[int]:
        """Offsets of the pages, one more than there are pages."""
        found = array.array("Q")
        found.frombytes(self.index.read_bytes())
        return found

    def read(self) -> Iterator[bytes]:
        """Every page in order."""
        offsets = self.offsets()
        with self.body.open("rb") as stream:
            for start, end in pairwise(offsets):
                yield stream.read(end - start)


def pages_of(folder: Path, protocol: str, rows: int, epoch: int) -> Pages:
    """Where the pages are, made or not."""
    stem = folder / f"{protocol}-v{VERSION}-{rows}-e{epoch}"
    return Pages(stem.with_suffix(".bin"), stem.with_suffix(".idx"))


def make_pages(folder: Path, rows: int, epoch: int = 0) -> None:
    """Make the pages of both protocols, unless they are there."""
    wanted: dict[str, tuple[Pages, Callable[[int, int, list[list[str]]], bytes]]] = {
        REST: (pages_of(folder, REST, rows, epoch), _json_page),
        SOAP: (pages_of(folder, SOAP, rows, epoch), _soap_page),
    }
    if all(pages.index.exists() for pages, _ in wanted.values()):
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets = {name: array.array("Q", [0]) for name in wanted}
    streams = {name: pages.body.open("wb") for name, (pages, _) in wanted.items()}
    for first in range(0, rows, PAGE_ROWS):
        records = page_records(first, min(rows, first + PAGE_ROWS), epoch)
        for name, (_, write) in wanted.items():
            streams[name].write(write(first, rows, records))
            offsets[name].append(streams[name].tell())
    for name, (pages, _) in wanted.items():
        streams[name].close()
        pages.index.write_bytes(offsets[name].tobytes())  # last: it says that the pages are whole


def page_records(first: int, end: int, epoch: int) -> list[list[str]]:
    """The records of one page; each page has a seed of its own."""
    rnd = random.Random(f"{VERSION}:{first}")
    records = [_record(number, rnd) for number in range(first, end)]
    if epoch:
        for number in range(first, end):
            if number % CHANGED_EVERY == CHANGED_EVERY // 2:
                record = records[number - first]
                record[9] = money(rnd.randrange(1, 2_000_000_000))
                record[12] = f"2025{epoch:02d}01120000"
    return records


def money(cents: int) -> str:
    """An amount as a careful source writes it."""
    return f"{cents // 100:,}.{cents % 100:02d}"


def resident_id(rnd: random.Random) -> str:
    """A number with a right check digit, of the area that nobody comes from."""
    born = FIRST_BIRTH + timedelta(days=rnd.randrange(BIRTH_DAYS))
    body = f"{AREA}{born:%Y%m%d}{rnd.randrange(1000):03d}"
    check = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11
    return body + CHECK_DIGITS[check]


def _record(number: int, rnd: random.Random) -> list[str]:
    """One record in the order of `FIELDS`, with the untidiness of real sources."""
    name = rnd.choice(SURNAMES) + "".join(rnd.choices(GIVEN, k=1 + (rnd.random() < 0.75)))
    if rnd.random() < 0.05:
        name = f"\u3000{name} "
    identity = resident_id(rnd)
    if rnd.random() < 0.02:
        identity = identity.translate(FULL_WIDTH)
    address = (
        f"甘肃省平凉市示范区{rnd.choice(STREETS)}{1 + rnd.randrange(400)}号"
        f"{1 + rnd.randrange(30)}幢{1 + rnd.randrange(4)}单元"
        f"{1 + rnd.randrange(33)}0{rnd.randrange(1, 5)}室"
    )
    if rnd.random() < 0.15:
        address = address.translate(FULL_WIDTH)
    registered = FIRST_REGISTRATION + timedelta(days=rnd.randrange(REGISTRATION_DAYS))
    begins = registered - timedelta(days=rnd.randrange(60))
    changed = datetime(2024, 1, 1) + timedelta(minutes=rnd.randrange(500_000))  # noqa: DTZ001 - text
    area, block = 1 + rnd.randrange(20), 1 + rnd.randrange(300)
    parcel = f"{AREA}{area:03d}{block:03d}GB{rnd.randrange(1, 100_000):05d}"
    house = f"F{rnd.randrange(1, 10_000):04d}{rnd.randrange(1, 10_000):04d}"
    record = [
        f"{AREA}{registered:%Y%m%d}{number:010d}",
        name,
        "1",
        identity,
        str(1 + rnd.randrange(2)),
        parcel + house,
        address,
        rnd.choice(RIGHTS),
        f"{rnd.randrange(2_000, 32_000) / 100:.2f}",
        _price(rnd),
        f"{registered:%Y%m%d}",
        f"{begins:%Y%m%d}",
        f"{changed:%Y%m%d%H%M%S}",
        f"1{rnd.choice('3578')}{rnd.randrange(10**9):09d}",
        AREA,
    ]
    if rnd.random() < 0.01:
        _spoil(record, rnd.randrange(DEFECTS))
    return record


def _price(rnd: random.Random) -> str:
    """An amount with separators, without, in full width, or with a currency sign."""
    text = money(rnd.randrange(1, 2_000_000_000))
    style = rnd.random()
    if style < 0.05:
        return text.translate(FULL_WIDTH)
    if style < 0.10:
        return "¥" + text
    return text.replace(",", "") if style < 0.5 else text


def _spoil(record: list[str], defect: int) -> None:
    """Put in one defect that makes the contract refuse the row."""
    wrong_digit = "0" if record[3][-1] not in "0０" else "1"
    spoiled = {
        0: (1, " "),
        1: (3, record[3][:-1] + wrong_digit),
        2: (10, record[10][:4] + "0230"),
        3: (7, "99"),
        4: (9, "-" + record[9].lstrip("¥")),
        5: (5, record[5][:-3]),
        6: (13, "0933-8213"),
        7: (14, "620102"),
        8: (8, "abc"),
    }
    at, value = spoiled[defect]
    record[at] = value


def _json_page(first: int, rows: int, records: list[list[str]]) -> bytes:
    following = first + len(records)
    document = {
        "code": "0",
        "message": "成功",
        "data": {
            "total": rows,
            "next_cursor": str(following // PAGE_ROWS) if following < rows else None,
            "records": [dict(zip(FIELDS, record, strict=True)) for record in records],
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _soap_page(first: int, rows: int, records: list[list[str]]) -> bytes:
    following = first + len(records)
    cursor = f"<t:NextCursor>{following // PAGE_ROWS}</t:NextCursor>" if following < rows else ""
    body = "".join(
        "<t:Record>"
        + "".join(
            f"<t:{name}>{escape(value)}</t:{name}>"
            for name, value in zip(FIELDS, record, strict=True)
        )
        + "</t:Record>"
        for record in records
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<t:QueryResponse xmlns:t="{NAMESPACE}"><t:Code>0</t:Code><t:Message>成功</t:Message>'
        f"<t:Total>{rows}</t:Total><t:HasMore>{'true' if cursor else 'false'}</t:HasMore>{cursor}"
        f"<t:Records>{body}</t:Records></t:QueryResponse></s:Body></s:Envelope>"
    ).encode()

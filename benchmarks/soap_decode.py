"""What decoding SOAP pages into columns costs, beside zeep and a bare scan of the same bytes.

The pages are answers of the registration system's own WSDL (`connectors/wsdl/ShareService.wsdl`,
28 fields and a nested list) and of the tax system's XML in a string. All sides read the same bytes
in turn, several times, and the best of each counts: a shared machine only ever adds time.

- zeep: its own deserialisation of the parsed envelope into objects, nothing more.
- bare lxml scan: parse, then touch the text of every element.
- bare expat scan: three empty handlers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from benchmarks.figures import Row, figure, ratio
from benchmarks.meter import peak_memory_mb
from connectors import open_connector
from connectors.connector import Connector
from connectors.protocols.schema import schemas_of
from connectors.protocols.shapes import Shape
from tongban.kernel.connections import Connection
from tongban.kernel.records import RecordShape
from tongban.kernel.systems import System, load_system

ROOT = Path(__file__).parents[1]
ROWS = 2000
REPEATS = 7
FEW_PAGES, MANY_PAGES = 20, 200
_ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
_SAMPLES = {
    "int": "7",
    "decimal": "1234.50",
    "date": "2018-10-08",
    "dateTime": "2018-10-08T12:00:00",
}


def run() -> list[Row]:
    """Measure and give the figures."""
    system, connector, shape = _registration()
    body = _page(shape, ROWS)
    flat = RecordShape(tuple(c.name for c in shape.children if not c.children))
    rates = _rates(
        {
            "ours": lambda: connector.decode("real_estate_right", body, flat),
            "zeep": _zeep(system, body),
            "lxml": lambda: _lxml_scan(body),
            "expat": lambda: _expat_scan(body),
        }
    )
    holders = RecordShape(("YWH", "QLRLIST.QLR.QLRMC", "QLRLIST.QLR.ZJH"), "QLRLIST.QLR")
    tax, tax_shape, tax_body = _tax()
    irregular = _irregular(body)
    more = _rates(
        {
            "nested": lambda: connector.decode("right_holder", body, holders),
            "string": lambda: tax.decode("deed_tax_payment", tax_body, tax_shape),
            "irregular": lambda: connector.decode("real_estate_right", irregular, flat),
        }
    )
    growth = _growth(lambda: connector.decode("real_estate_right", body, flat))
    return [
        figure("soap decode into columns, 28 fields", rates["ours"], "rows/s"),
        figure("zeep's own deserialisation", rates["zeep"], "rows/s"),
        figure("decode / zeep", ratio(rates["ours"], rates["zeep"]), "x", at_least=10),
        figure("decode / bare lxml scan", ratio(rates["ours"], rates["lxml"]), "x", at_least=0.8),
        figure("decode / bare expat scan", ratio(rates["ours"], rates["expat"]), "x", at_least=0.8),
        figure("exploded list (holders)", more["nested"], "rights/s"),
        figure("XML in a string, GB18030", more["string"], "rows/s"),
        figure(
            "irregular page (an attribute, lists of other lengths)", more["irregular"], "rows/s"
        ),
        figure("irregular page / zeep", ratio(more["irregular"], rates["zeep"]), "x", at_least=10),
        figure(
            "irregular page / expat scan",
            ratio(more["irregular"], rates["expat"]),
            "x",
            at_least=0.8,
        ),
        figure(f"memory after {MANY_PAGES} pages against {FEW_PAGES}", growth, "x", at_most=1.05),
    ]


def _rates(sides: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Rows per second of CPU time of each side, measured in turn."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(REPEATS):
        for name, work in sides.items():
            started = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - started)
    return {name: ROWS / seconds for name, seconds in best.items()}


def _open(name: str) -> tuple[System, Connector]:
    system = load_system(ROOT / "connectors" / "systems" / f"{name}.yaml")
    return system, open_connector(system, Connection(name, "http://127.0.0.1:1"), ROOT)


def _registration() -> tuple[System, Connector, Shape]:
    system, connector = _open("registration")
    soap = next(iter(system.interfaces.values())).soap
    spoken = soap and schemas_of(ROOT / "connectors" / "wsdl", soap).operation("QueryRights", soap)
    record = spoken.answer.at("Records.FDCQ_YZ") if spoken else None
    if record is None:
        raise LookupError("ShareService.wsdl no longer has the records of QueryRights")
    return system, connector, record


def _page(record: Shape, rows: int) -> bytes:
    """One answer of QueryRights."""
    records = "".join(_record(record, number) for number in range(rows))
    return (
        f'<s:Envelope xmlns:s="{_ENVELOPE}"><s:Body><QueryRightsResponse xmlns="urn:bdc:share:v2">'
        f"<Code>200</Code><Message/><Total>{rows}</Total><HasMore>false</HasMore>"
        f"<Records>{records}</Records></QueryRightsResponse></s:Body></s:Envelope>"
    ).encode()


def _record(shape: Shape, number: int) -> str:
    inside = []
    for child in shape.children:
        times = number % 3 + 1 if child.repeats else 1
        if child.children:
            inside += [_record(child, number + extra) for extra in range(times)]
        else:
            text = _SAMPLES.get(child.type_name, f"崆峒区{child.name}{number}")
            inside.append(f"<{child.name}>{text}</{child.name}>")
    return f"<{shape.name}>{''.join(inside)}</{shape.name}>"


def _irregular(body: bytes) -> bytes:
    """The same page with an attribute that no schema declares, so that it has no one grammar."""
    head, tail = body.rsplit(b"<YWH>", 1)
    return head + b'<YWH new="1">' + tail


def _tax() -> tuple[Connector, RecordShape, bytes]:
    """Payments as a document inside a string, in GB18030."""
    names = [f"ZD{number:02}" for number in range(20)]
    rows = "".join(
        "<WSXX>" + "".join(f"<{n}>平凉{n}{row}</{n}>" for n in names) + "</WSXX>"
        for row in range(ROWS)
    )
    inner = (
        f"<TAXBIZML><HEAD><FHM>0</FHM></HEAD><BODY><WSXXLIST>{rows}</WSXXLIST></BODY></TAXBIZML>"
    )
    text = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<doServiceResponse xmlns="http://tax.sandbox.invalid/exchange"><responseCode>0'
        f"</responseCode><responseMessage/><responseData>{escape(inner)}</responseData>"
        "</doServiceResponse></e:Body></e:Envelope>"
    )
    return _open("tax")[1], RecordShape(tuple(names)), text.encode("gb18030")


def _zeep(system: System, body: bytes) -> Callable[[], object]:
    """Deserialise with zeep, from the parsed envelope to its objects."""
    import zeep

    client = zeep.Client(str(ROOT / "connectors" / "wsdl" / "ShareService.wsdl"))
    soap = next(iter(system.interfaces.values())).soap
    service = client.bind(soap.service, soap.port) if soap else client.service
    operation = service._binding.get("QueryRights")  # noqa: SLF001 - zeep has no public way

    def work() -> object:
        return operation.process_reply(etree.fromstring(body))

    return work


def _lxml_scan(body: bytes) -> int:
    return sum(1 for element in etree.fromstring(body).iter() if element.text)


def _expat_scan(body: bytes) -> None:
    from xml.parsers import expat  # noqa: S407 - our own bytes

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda _name, _attributes: None
    parser.EndElementHandler = lambda _name: None
    parser.CharacterDataHandler = lambda _text: None
    parser.Parse(body, True)  # noqa: FBT003 - expat's own signature


def _growth(work: Callable[[], Any]) -> float | None:
    """Most memory after many pages against after few; None where the machine does not tell."""
    for _ in range(FEW_PAGES):
        work()
    before = peak_memory_mb()
    for _ in range(MANY_PAGES - FEW_PAGES):
        work()
    return peak_memory_mb() / before if before else None

"""XSD: a contract's records as XML Schema 1.0, with the rules beyond it as embedded Schematron.

A list wrapper `records` with the moment of writing (`at`, Beijing time), `record` elements with the
fields in the contract's order; an optional field may be left out or be nil, a required one neither.
Facets say types, lengths, patterns, codes and ranges; the Schematron says check characters and
rules over several fields, against `at` as today. What neither can say is listed in the schema's
own documentation. `XsdValidator` runs both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from lxml import etree

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.kernel.records import BEIJING
from tongban.targets.facets import XS, facet_kinds, field_type, xsd_pattern
from tongban.targets.schematron import DOUBLES, Assertion, assertion
from tongban.targets.shapes import MOMENT
from tongban.targets.statements import Gap, Statement, statements_of, written

SCH = "http://purl.oclc.org/dsdl/schematron"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CERTIFICATE_GAP = (
    "its pattern also lets a unified number pass that is not canonical and at the same time looks "
    "like an old one (字 in the name of the place)"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a document breaks the contract; never a value.

    Attributes:
        record: Number of the record, from 0; -1 for the list itself.
        rule: Rule id of the Schematron, or the field whose facet is broken.
    """

    record: int
    rule: str


@dataclass(frozen=True)
class XsdTarget:
    """A contract as XML Schema."""

    namespace: str
    schema: etree._Element = field(repr=False)
    gaps: tuple[Gap, ...]

    @property
    def text(self) -> str:
        """The schema as a file."""
        return etree.tostring(
            self.schema, encoding="UTF-8", xml_declaration=True, pretty_print=True
        ).decode()


def namespace_of(contract: Contract) -> str:
    """Target namespace: one per dataset and major version."""
    return f"urn:tongban:{contract.dataset}:v{contract.major}"


def compile_xsd(contract: Contract, codes: CodeTables) -> XsdTarget:
    """Compile a contract to XML Schema with embedded Schematron.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    statements = statements_of(contract, codes)
    assertions, gaps = _said(statements)
    namespace = namespace_of(contract)
    schema = etree.Element(
        f"{XS}schema",
        {"targetNamespace": namespace, "elementFormDefault": "qualified"},
        nsmap={"xs": XS[1:-1], "sch": SCH, None: namespace},  # type: ignore[dict-item] # stubs
    )
    schema.set("version", contract.version)
    _annotate(schema, contract, assertions, gaps)
    _elements(schema, contract, statements)
    return XsdTarget(namespace, schema, tuple(gaps))


def _said(statements: Iterable[Statement]) -> tuple[list[Assertion], list[Gap]]:
    """Assertions of all rules that facets do not say, and what cannot be said."""
    assertions: list[Assertion] = []
    gaps: list[Gap] = []
    for number, statement in enumerate(statements):
        if facet_kinds(statement):
            if statement.kind == "certificate_no":
                gaps.append(Gap(statement.id, CERTIFICATE_GAP))
            continue
        said = assertion(statement, number)
        if isinstance(said, Gap):
            gaps.append(said)
        elif said.test:
            assertions.append(said)
    return assertions, gaps


def _annotate(
    schema: etree._Element, contract: Contract, assertions: list[Assertion], gaps: list[Gap]
) -> None:
    """Documentation with the gaps, and the Schematron."""
    annotation = etree.SubElement(schema, f"{XS}annotation")
    text = etree.SubElement(annotation, f"{XS}documentation")
    listed = [f"{gap.rule}: {gap.why}" for gap in gaps]
    text.text = "\n".join([f"{contract.label} {contract.version}", DOUBLES, *listed])
    if not assertions:
        return
    info = etree.SubElement(annotation, f"{XS}appinfo")
    for prefix, uri in (("r", namespace_of(contract)), ("xsi", XSI)):
        etree.SubElement(info, f"{{{SCH}}}ns", prefix=prefix, uri=uri)
    pattern = etree.SubElement(info, f"{{{SCH}}}pattern", id=f"{contract.dataset}.rules")
    rule = etree.SubElement(pattern, f"{{{SCH}}}rule", context="r:record")
    for said in assertions:
        for name, value in said.lets:
            etree.SubElement(rule, f"{{{SCH}}}let", name=name, value=value)
    for said in assertions:
        one = etree.SubElement(rule, f"{{{SCH}}}assert", id=said.rule, role=said.severity)
        one.set("test", said.test)
        one.text = said.description


def _elements(
    schema: etree._Element, contract: Contract, statements: tuple[Statement, ...]
) -> None:
    """The list, its record, and the record's fields."""
    wrapper = etree.SubElement(schema, f"{XS}element", name="records")
    listed = etree.SubElement(wrapper, f"{XS}complexType")
    sequence = etree.SubElement(listed, f"{XS}sequence")
    etree.SubElement(
        sequence,
        f"{XS}element",
        {"name": "record", "type": contract.dataset, "minOccurs": "0", "maxOccurs": "unbounded"},
    )
    at = etree.SubElement(listed, f"{XS}attribute", name="at", use="required")
    moment = etree.SubElement(etree.SubElement(at, f"{XS}simpleType"), f"{XS}restriction")
    moment.set("base", "xs:dateTime")
    etree.SubElement(moment, f"{XS}pattern", value=xsd_pattern(MOMENT))
    record = etree.SubElement(schema, f"{XS}complexType", name=contract.dataset)
    fields = etree.SubElement(record, f"{XS}sequence")
    for item in contract.fields:
        element = etree.SubElement(fields, f"{XS}element", name=item.name)
        if not item.required:
            element.set("minOccurs", "0")
            element.set("nillable", "true")
        note = etree.SubElement(element, f"{XS}annotation")
        etree.SubElement(note, f"{XS}documentation").text = item.label
        element.append(field_type(item, statements))


class XsdValidator:
    """Runs a compiled schema and its Schematron over documents; made once, used often."""

    def __init__(self, target: XsdTarget) -> None:
        self._target = target
        self._schema = etree.XMLSchema(target.schema)

    @cached_property
    def _rules(self) -> Any:
        from lxml import isoschematron  # type: ignore[attr-defined] # stubs lack it

        if self._target.schema.find(f".//{{{SCH}}}assert") is None:
            return None
        return isoschematron.Schematron(self._target.schema, store_report=True)

    def _errors(self) -> list[Any]:
        return list(self._schema.error_log)  # type: ignore[call-overload,no-any-return] # stubs lack its iterator

    def problems(self, document: etree._Element) -> list[Problem]:
        """What a document breaks; warnings are not among it. The rules run only on right types."""
        if not self._schema.validate(document):
            found = [_place_in(document, str(error.path)) for error in self._errors()]
            return list(dict.fromkeys(found))
        if self._rules is None:
            return []
        self._rules.validate(document)
        report = self._rules.validation_report
        return [
            Problem(_place(node.get("location", "")).record, node.get("id", ""))
            for node in report.iter("{http://purl.oclc.org/dsdl/svrl}failed-assert")
            if node.get("role") != "warning"
        ]


def _place_in(document: etree._Element, path: str) -> Problem:
    """Record and field of a path such as `/*/*[2]/*[5]`, whose names the document knows."""
    found = document.xpath(path)
    node = found[0] if isinstance(found, list) and found else document
    record = _place(path).record
    name = etree.QName(node).localname if isinstance(node, etree._Element) else ""  # noqa: SLF001 - lxml's only name
    return Problem(record, name)


def _place(path: str | None) -> Problem:
    """Record and field of a path such as `/*/*[2]/*[5]` or Schematron's longer one."""
    steps = re.sub(r"\[local-name\(\)[^\]]*\]", "", path or "").strip("/").split("/")
    name = steps[-1].partition("[")[0].rpartition(":")[2] if len(steps) > 1 else ""
    if len(steps) < 2:  # noqa: PLR2004 - the list itself
        return Problem(-1, "records")
    number = re.search(r"\[([0-9]+)\]", steps[1])
    return Problem(int(number[1]) - 1 if number else 0, name)


def write_records(
    contract: Contract, records: Iterable[Mapping[str, Any]], at: datetime
) -> etree._Element:
    """Records of the exchange form as a document; a missing value is left out."""
    namespace = namespace_of(contract)
    root = etree.Element(f"{{{namespace}}}records", nsmap={None: namespace})  # type: ignore[dict-item] # stubs
    root.set("at", at.astimezone(BEIJING).isoformat(timespec="seconds"))
    for values in records:
        record = etree.SubElement(root, f"{{{namespace}}}record")
        for item in contract.fields:
            found = values.get(item.name)
            if found is not None:
                element = etree.SubElement(record, f"{{{namespace}}}{item.name}")
                element.text = found if isinstance(found, str) else written(found)
    return root

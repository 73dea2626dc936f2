"""Push XSD: the record that a push mapping makes, as XML Schema, and its check before sending.

A field's type follows from its last outgoing operation, or from the contract where the value goes
out as it is; the order is the mapping's. `tongban.push` asks `PushCheck` before a connector is
called, so that a record which would be no good XML document of its own contract is refused here,
by name, and never sent; its neighbours go out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.kernel.mappings import FieldMapping, Op, PushMapping
from tongban.kernel.systems import AcceptedDataset, System
from tongban.targets.facets import XS, field_type, restricted, xsd_pattern
from tongban.targets.statements import Statement, content_key, statements_of, written

RECORD = "record"
_TOKENS = {
    "yyyy": "[0-9]{4}",
    "MM": "(0[1-9]|1[0-2])",
    "dd": "[0-3][0-9]",
    "HH": "[0-2][0-9]",
    "mm": "[0-5][0-9]",
    "ss": "[0-5][0-9]",
}
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2})?"
_FREE = frozenset({"concat", "coalesce", "mask", "slice"})
_STEP = re.compile(r"\[([0-9]+)\]")
_SPECIAL = re.compile(r"([.\\?*+(){}\[\]|^-])")
_XML_NAME = re.compile(r"^[A-Za-z_][\w.-]*$")


def speaks_xml(system: System, accepted: AcceptedDataset) -> bool:
    """Whether records of that dataset reach the system as XML, in an envelope or as text."""
    call = accepted.call
    if system.interface_of(call).soap is not None or call.send_as == "xml":
        return True
    return _has_xml([call.body, dict(call.form)])


def _has_xml(template: Any) -> bool:
    if isinstance(template, Mapping):
        return "$xml" in template or any(_has_xml(item) for item in template.values())
    return isinstance(template, list | tuple) and any(_has_xml(item) for item in template)


def compile_push_xsd(
    mapping: PushMapping, contracts: Mapping[str, Contract], codes: CodeTables
) -> etree._Element:
    """Compile a push mapping to the schema of its records.

    Args:
        mapping: The way out.
        contracts: Those of its dataset and of its children.
        codes: For the target's own codes.

    Raises:
        ConfigInvalid: As `compile_contract`, and for an unknown code table.
    """
    schema = etree.Element(f"{XS}schema", nsmap={"xs": XS[1:-1]})
    listed = etree.SubElement(schema, f"{XS}element", name="records")
    sequence = _sequence(listed)
    record = etree.SubElement(
        sequence, f"{XS}element", name=RECORD, minOccurs="0", maxOccurs="unbounded"
    )
    parts: dict[str, etree._Element] = {}
    _add_fields(parts, "", mapping.fields, contracts[mapping.dataset], codes, mapping.target)
    for path, child in mapping.children.items():
        inner: dict[str, etree._Element] = {}
        _add_fields(inner, "", child.fields, contracts[child.dataset], codes, mapping.target)
        element = etree.Element(f"{XS}element", minOccurs="0", maxOccurs="unbounded")
        _place(_sequence(element), inner)
        parts[path] = element
    _place(_sequence(record), parts)
    return schema


def _sequence(element: etree._Element) -> etree._Element:
    return etree.SubElement(etree.SubElement(element, f"{XS}complexType"), f"{XS}sequence")


def _place(sequence: etree._Element, parts: Mapping[str, etree._Element]) -> None:
    """Elements with dotted names, nested in the order in which payloads nest them."""
    groups: dict[str, dict[str, etree._Element]] = {}
    for path, element in parts.items():
        head, _, rest = path.partition(".")
        groups.setdefault(head, {})[rest] = element
    for head, inner in groups.items():
        if set(inner) == {""}:
            inner[""].set("name", head)
            sequence.append(inner[""])
        else:
            group = etree.SubElement(sequence, f"{XS}element", name=head, minOccurs="0")
            _place(_sequence(group), inner)


def _add_fields(
    parts: dict[str, etree._Element],
    prefix: str,
    fields: Mapping[str, FieldMapping],
    contract: Contract,
    codes: CodeTables,
    target: str,
) -> None:
    """One element for each mapped field; attributes are no part of this check."""
    statements = statements_of(contract, codes)
    for path, made in fields.items():
        if not all(_XML_NAME.match(step) for step in path.split(".")):
            continue
        element = etree.Element(f"{XS}element")
        if not _is_always_there(made, contract):
            element.set("minOccurs", "0")
        element.append(_type(made, contract, statements, codes, target))
        parts[prefix + path] = element


def _is_always_there(made: FieldMapping, contract: Contract) -> bool:
    is_alone = len(made.sources) == 1 and not (made.ops and made.ops[0].name in _FREE)
    source = made.sources[0] if is_alone else ""
    return source in contract.by_name and contract.field(source).required


def _type(
    made: FieldMapping,
    contract: Contract,
    statements: Sequence[Statement],
    codes: CodeTables,
    target: str,
) -> etree._Element:
    """The type that follows from the last operation, or from the contract."""
    if not made.ops and len(made.sources) == 1 and made.sources[0] in contract.by_name:
        return field_type(contract.field(made.sources[0]), statements)
    names = {op.name for op in made.ops}
    if made.ops and not names & _FREE:
        made_by = _OPERATIONS.get(made.ops[-1].name)
        if made_by is not None:
            return restricted(None, "string", made_by(made.ops[-1], codes, target))
    return restricted(None, "string", [])


def _argument(op: Op, name: str, default: Any = None) -> Any:
    if isinstance(op.args, Mapping):
        return {str(k).lower(): v for k, v in op.args.items()}.get(name, default)
    return default if op.args is None else op.args


Facets = list[tuple[str, str]]


def _codes(op: Op, codes: CodeTables, target: str) -> Facets:
    table = codes.from_hub(str(_argument(op, "table")), target)
    return [("enumeration", code) for code in dict.fromkeys(table.values())]


def _format(op: Op, _: CodeTables, __: str) -> Facets:
    parts = re.split(r"(yyyy|MM|dd|HH|mm|ss)", str(_argument(op, "format")))
    steps = [_TOKENS.get(part) or _SPECIAL.sub(r"\\\1", part) for part in parts]
    return [("pattern", "".join(steps))]


def _digits(op: Op, _: CodeTables, __: str) -> Facets:
    scale = int(_argument(op, "scale", 2))
    return [("pattern", "-?[0-9]+" + (rf"\.[0-9]{{{scale}}}" if scale else ""))]


def _words(op: Op, _: CodeTables, __: str) -> Facets:
    return [("enumeration", written(_argument(op, name))) for name in ("true", "false")]


_OPERATIONS: dict[str, Callable[[Op, CodeTables, str], Facets]] = {
    "code_out": _codes,
    "text_date": _format,
    "text_datetime": _format,
    "iso_datetime": lambda *_: [("pattern", xsd_pattern(_ISO))],
    "decimal_text": _digits,
    "money_out": _digits,
    "percent_text": lambda *_: [("pattern", r"-?[0-9]+(\.[0-9]+)?%")],
    "boolean_out": _words,
    "constant": lambda op, *_: [("enumeration", str(_argument(op, "value")))],
}


class PushCheck:
    """Holds documents against the schema of their mapping; compiled once a mapping and contract."""

    _made: dict[tuple[str, ...], PushCheck] = {}  # noqa: RUF012 - one cache for the process

    def __init__(self, schema: etree._Element) -> None:
        self._schema = etree.XMLSchema(schema)

    @classmethod
    def of(
        cls, mapping: PushMapping, contracts: Mapping[str, Contract], codes: CodeTables
    ) -> PushCheck:
        """The check of a mapping, from the cache where nothing has changed."""
        key = (mapping.target, mapping.dataset, mapping.digest, *_contents(mapping, codes))
        key += tuple(content_key(contract, codes) for _, contract in sorted(contracts.items()))
        if key not in cls._made:
            cls._made[key] = cls(compile_push_xsd(mapping, contracts, codes))
        return cls._made[key]

    def __call__(self, documents: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """For each document the field that does not fit, or None; never a value."""
        root = etree.Element("records")
        found: list[str | None] = [None] * len(documents)
        rows: list[int] = []
        for row, document in enumerate(documents):
            record = etree.SubElement(root, RECORD)
            try:
                _fill(record, document)
            except ValueError:  # a character that XML has not; the connector names it
                root.remove(record)
                continue
            rows.append(row)
        if self._schema.validate(root):
            return found
        for error in list(self._schema.error_log):  # type: ignore[call-overload] # stubs lack it
            row, name = _where(str(error.path))
            found[rows[row]] = found[rows[row]] or name
        return found


def _contents(mapping: PushMapping, codes: CodeTables) -> list[str]:
    """The target's codes that the schema is made of."""
    fields = [mapping.fields, *(child.fields for child in mapping.children.values())]
    ops = [op for part in fields for made in part.values() for op in made.ops]
    tables = sorted({str(_argument(op, "table")) for op in ops if op.name == "code_out"})
    return [str(sorted(codes.from_hub(name, mapping.target).items())) for name in tables]


def _fill(element: etree._Element, content: Any) -> None:
    """As the connectors write it: lists repeat, missing values are left out."""
    if not isinstance(content, Mapping):
        element.text = written(content)
        return
    for name, item in content.items():
        if not _XML_NAME.match(name):
            continue
        for each in item if isinstance(item, list) else [item]:
            if each is not None:
                _fill(etree.SubElement(element, name), each)


def _where(path: str) -> tuple[int, str]:
    """Record and field of `/records/record[3]/A/B[2]`."""
    steps = path.strip("/").split("/")[1:]
    number = _STEP.search(steps[0]) if steps else None
    name = ".".join(_STEP.sub("", step) for step in steps[1:])
    return (int(number[1]) - 1 if number else 0), name or RECORD

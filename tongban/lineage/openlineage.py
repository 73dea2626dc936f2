"""OpenLineage: the same lineage as events that a catalog of data understands.

One job event per mapping, on the way in and on the way out, each with a column lineage facet. They
describe the files, not a run, so they can be sent once per change. Nobody is told anything here:
the events are documents for whoever wants to post them.

Source:
    OpenLineage 2-0-2, JobEvent; ColumnLineageDatasetFacet 1-2-0 (`inputFields` with
    `transformations`: type DIRECT or INDIRECT, subtype, description, masking).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tongban import __version__
from tongban.kernel.catalog import Catalog, PullRoute, PushRoute
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.mappings import FieldMapping, PushMapping
from tongban.kernel.records import BEIJING
from tongban.lineage.chain import Column, columns_of

Document = dict[str, Any]
SPEC = "https://openlineage.io/spec"
COLUMN_LINEAGE = (
    f"{SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
)
SCHEMA = f"{SPEC}/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
JOB_EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/JobEvent"
HUB = "tongban://hub"


def lineage_events(
    catalog: Catalog, dataset: str | None = None, *, now: datetime | None = None
) -> Iterator[Document]:
    """Job events of every mapping that makes or reads a dataset; of all when none is named.

    Raises:
        ConfigInvalid: There is no such dataset, or a mapping cannot be read.
    """
    if dataset is not None:
        catalog.contract(dataset)
    when = (now or datetime.now(BEIJING)).isoformat()
    for pulled in catalog.pull_routes:
        for name in pulled.datasets:
            if dataset in {None, name}:
                yield _pull_event(catalog, pulled, name, when)
    for pushed in catalog.push_routes:
        mapping = catalog.push_mapping(pushed.target, pushed.dataset)
        read = {mapping.dataset, *(child.dataset for child in mapping.children.values())}
        if dataset is None or dataset in read:
            yield _push_event(catalog, pushed, mapping, when)


def _pull_event(catalog: Catalog, route: PullRoute, name: str, when: str) -> Document:
    """One mapping of the way in."""
    mapping, contract = catalog.mapping(route.system, name), catalog.contract(name)
    source = (f"tongban://{route.system}", name)
    fields: Document = {}
    for item in contract.fields:
        made = mapping.fields.get(item.name)
        for column in columns_of(contract, item):
            fields[column.name] = {"inputFields": _inputs(source, made, column)}
    columns = [
        {"name": column.name, "type": _type(item, column), "description": item.label}
        for item in contract.fields
        for column in columns_of(contract, item)
    ]
    output = _dataset(HUB, f"data.{contract.table}", columns, fields, [])
    inputs = [{"namespace": source[0], "name": source[1]}]
    return _event(f"pull_{route.name}.{name}", inputs, output, when)


def _push_event(catalog: Catalog, route: PushRoute, mapping: PushMapping, when: str) -> Document:
    """One mapping of the way out, its children in it."""
    main = catalog.contract(mapping.dataset)
    fields: Document = {}
    for target, made in mapping.fields.items():
        fields[target] = {"inputFields": _outputs(main, made)}
    chosen = [_whole(main, name, "FILTER", "only rows with these values") for name in mapping.where]
    inputs = [_table(main)]
    for path, child in mapping.children.items():
        contract = catalog.contract(child.dataset)
        inputs.append(_table(contract))
        for target, made in child.fields.items():
            fields[f"{path}.{target}"] = {"inputFields": _outputs(contract, made)}
        chosen += [_whole(contract, name, "JOIN", f"rows of {path}") for name in child.on]
    columns = [{"name": name, "type": "string"} for name in fields]
    output = _dataset(f"tongban://{route.target}", mapping.dataset, columns, fields, chosen)
    return _event(f"push_{route.name}", inputs, output, when)


def _inputs(source: tuple[str, str], made: FieldMapping | None, column: Column) -> list[Document]:
    """Source fields of one column, with what was done to them."""
    if made is None:
        return []
    names = [op.name for op in made.ops]
    kind = {"plain": "", "encrypted": "encrypt", "blind_index": "keyed hash"}[column.kind]
    words = [*names, kind] if kind else names
    found = [_field(*source, path, _direct(words, is_masked=bool(kind))) for path in made.sources]
    text = "decides how the value is read"
    return found + [
        _field(*source, path, _indirect("CONDITIONAL", text, is_masked=bool(kind)))
        for path in made.deciding
    ]


def _outputs(contract: Contract, made: FieldMapping) -> list[Document]:
    """Columns that one field of a document is made from."""
    names = [op.name for op in made.ops]
    done = _direct(names, is_masked="mask" in names)
    table = _table(contract)
    return [
        _field(table["namespace"], table["name"], name, done)
        for name in made.sources
        if name in contract.by_name
    ]


def _direct(operations: list[str], *, is_masked: bool) -> Document:
    """The value itself arrives, as it was or changed."""
    return {
        "type": "DIRECT",
        "subtype": "TRANSFORMATION" if operations else "IDENTITY",
        "description": " → ".join(operations),
        "masking": is_masked,
    }


def _indirect(subtype: str, text: str, *, is_masked: bool = False) -> Document:
    """The value has a say and does not arrive."""
    return {"type": "INDIRECT", "subtype": subtype, "description": text, "masking": is_masked}


def _whole(contract: Contract, name: str, subtype: str, text: str) -> Document:
    """A column that decides about whole rows."""
    table = _table(contract)
    return _field(table["namespace"], table["name"], name, _indirect(subtype, text))


def _field(namespace: str, name: str, field: str, done: Document) -> Document:
    return {"namespace": namespace, "name": name, "field": field, "transformations": [done]}


def _table(contract: Contract) -> dict[str, str]:
    return {"namespace": HUB, "name": f"data.{contract.table}"}


def _type(item: Field, column: Column) -> str:
    return item.type if column.kind == "plain" else "bytea"


def _dataset(
    namespace: str,
    name: str,
    columns: list[Document],
    fields: Document,
    whole: list[Document],
) -> Document:
    """An output with its columns and where each comes from."""
    facet: Document = {"_producer": _producer(), "_schemaURL": COLUMN_LINEAGE, "fields": fields}
    if whole:
        facet["dataset"] = whole
    schema = {"_producer": _producer(), "_schemaURL": SCHEMA, "fields": columns}
    return {
        "namespace": namespace,
        "name": name,
        "facets": {"schema": schema, "columnLineage": facet},
    }


def _event(job: str, inputs: list[dict[str, str]], output: Document, when: str) -> Document:
    return {
        "eventTime": when,
        "producer": _producer(),
        "schemaURL": JOB_EVENT,
        "job": {"namespace": HUB, "name": job},
        "inputs": inputs,
        "outputs": [output],
    }


def _producer() -> str:
    return f"urn:tongban:{__version__}"

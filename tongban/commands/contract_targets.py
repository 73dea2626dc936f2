"""Commands contract html, sql, jsonschema, xsd: one contract in the languages of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongban.commands.opening import console, local_hub

if TYPE_CHECKING:
    from tongban.kernel.catalog import Catalog
    from tongban.kernel.contracts import Contract

app = typer.Typer()

Dataset = Annotated[str, typer.Argument(help="Dataset, or the path of a contract file.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead.")]


@app.command()
def html(dataset: Dataset, *, out: Out = None) -> None:
    """Print a contract as one HTML page that needs no network."""
    from tongban.targets.html import contract_page

    catalog, contract = _opened(dataset)
    _give(contract_page(contract, catalog.codes), out)


@app.command()
def sql(
    dataset: Dataset,
    *,
    stored: Annotated[
        bool, typer.Option("--stored", help="The hub's own tables, classified columns sealed.")
    ] = False,
    migration: Annotated[
        bool, typer.Option("--migration", help="An Alembic revision that leads there instead.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="With --migration: the contract file of the table as it is now."),
    ] = None,
    out: Out = None,
) -> None:
    """Print the table of a contract for PostgreSQL, with every error rule as a CHECK.

    A migration compares inside the hub's database and changes nothing there.
    """
    from tongban.targets.sql import compile_sql, stored_sql

    catalog, contract = _opened(dataset)
    if migration:
        text = _migration(catalog, contract, against, stored=stored)
    elif stored:
        text = stored_sql(contract)
    else:
        text = compile_sql(contract, catalog.codes, catalog.contracts()).text
    _give(text, out)


@app.command()
def jsonschema(
    dataset: Annotated[
        str | None, typer.Argument(help="Dataset or contract file; every one with --openapi.")
    ] = None,
    *,
    openapi: Annotated[bool, typer.Option("--openapi", help="OpenAPI 3.1 components.")] = False,
    dialect: Annotated[
        bool, typer.Option("--dialect", help="The meta-schema that declares our vocabulary.")
    ] = False,
    out: Out = None,
) -> None:
    """Print a contract as JSON Schema 2020-12, or contracts as OpenAPI 3.1 components."""
    from tongban.targets.json_schema import compile_json_schema, meta_schema
    from tongban.targets.openapi import compile_openapi

    if dialect:
        _give(json.dumps(meta_schema(), ensure_ascii=False, indent=2) + "\n", out)
        return
    if dataset is None and not openapi:
        raise typer.BadParameter("name a dataset, or ask for --openapi")
    catalog, contract = _opened(dataset) if dataset else (_catalog(), None)
    chosen = [contract] if contract else list(catalog.contracts().values())
    if openapi:
        _give(compile_openapi(chosen, catalog.codes).text, out)
    else:
        _give(compile_json_schema(chosen[0], catalog.codes).text, out)


@app.command()
def xsd(dataset: Dataset, *, out: Out = None) -> None:
    """Print a contract as XML Schema with its cross-field rules as embedded Schematron."""
    from tongban.targets.xsd import compile_xsd

    catalog, contract = _opened(dataset)
    _give(compile_xsd(contract, catalog.codes).text, out)


def _migration(catalog: Catalog, contract: Contract, against: Path | None, *, stored: bool) -> str:
    """A revision, compared inside a transaction that is rolled back."""
    from tongban.kernel.contracts import load_contract
    from tongban.targets.migration import plain_migration, stored_migration
    from tongban.targets.sql import compile_sql

    if against is None and not stored:
        raise typer.BadParameter("--migration needs --against OLD.yaml, or --stored")
    with local_hub() as hub, hub.engine.connect() as conn:
        if against is None:
            return stored_migration(conn, contract)
        old = compile_sql(load_contract(against.absolute()), catalog.codes)
        text = plain_migration(conn, contract, old, compile_sql(contract, catalog.codes))
        conn.rollback()
        return text


def _catalog() -> Catalog:
    """The catalog of this installation."""
    from tongban.kernel.catalog import load_catalog
    from tongban.kernel.settings import load_settings

    return load_catalog(load_settings().root)


def _opened(dataset: str) -> tuple[Catalog, Contract]:
    """The catalog, and the contract of a dataset or of a file."""
    from tongban.kernel.contracts import load_contract

    catalog = _catalog()
    if dataset.endswith((".yaml", ".yml")):
        return catalog, load_contract(Path(dataset).absolute(), root=catalog.root)
    return catalog, catalog.contract(dataset)


def _give(text: str, out: Path | None) -> None:
    """Standard output as it is, or a file."""
    if out is None:
        print(text, end="")  # noqa: T201 - the document itself
        return
    out.write_text(text, encoding="utf-8")
    console.print(f"wrote {out}", soft_wrap=True, highlight=False, markup=False)

"""Command compare: ask a department yes or no about rows of a file, and keep nothing.

Whom it is about comes from a file or from standard input, never from an argument, which the list of
processes and the shell's history would show. Standard output gets row numbers and answers only.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from tongban.commands.opening import local_hub, print_json
from tongban.kernel.errors import ConfigInvalid

if TYPE_CHECKING:
    from tongban.compare import Answer, Question

app = typer.Typer()

CASE_COLUMN = "case_no"
STANDARD_INPUT = "-"


@app.command()
def compare(
    system: Annotated[str, typer.Argument(help="System that compares, such as civil_affairs.")],
    name: Annotated[str, typer.Argument(help="Name below its `compares`, such as marriage.")],
    *,
    purpose: Annotated[str, typer.Option(help="One of the purposes that the system's YAML names.")],
    asker: Annotated[str, typer.Option(help="Who asks, as person@unit; goes into the evidence.")],
    file: Annotated[
        str,
        typer.Option(help="CSV with a header, or a JSON list, of the fields asked; `-` for stdin."),
    ],
    case: Annotated[
        str | None, typer.Option(help="Case of all rows without a `case_no` of their own.")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(help="Request id of an earlier try: asks again, leaves no second receipt."),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="One JSON document, with receipts and proofs.")
    ] = False,
) -> None:
    """Ask a department to compare; the hub keeps the receipt and its evidence, never the answer.

    Prints `row,answer` as CSV, batch by batch. Nothing is asked when a row breaks a rule. Exit code
    1 when something went wrong; the rows that were printed until then are answered.
    """
    from tongban.compare import compare_in_batches

    questions = read_questions(file)
    request_id = request or uuid4().hex
    found: list[Answer] = []
    with local_hub() as hub:
        batches = compare_in_batches(
            hub,
            system,
            name,
            questions,
            purpose=purpose,
            asker=asker,
            case_no=case,
            request_id=request_id,
        )
        typer.echo(f"request {request_id}: {len(questions)} rows", err=True)
        if not json_output:
            typer.echo("row,answer")
        for batch in batches:
            found += batch
            if not json_output:
                for one in batch:
                    typer.echo(f"{one.row},{one.answer}")
    if json_output:
        print_json(_document(system, name, request_id, found))


def read_questions(place: str) -> list[Question]:
    """Read rows from a file or standard input; a leading `[` means JSON.

    Raises:
        ConfigInvalid: It is not there, not UTF-8, or neither a table nor a list of mappings.
    """
    from tongban.compare import Question

    shown = "standard input" if place == STANDARD_INPUT else Path(place).name
    try:
        data = sys.stdin.buffer.read() if place == STANDARD_INPUT else Path(place).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as exc:
        raise ConfigInvalid(f"{shown}: cannot be read ({type(exc).__name__})") from None
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"{shown}: not UTF-8 at byte {exc.start}; save it as UTF-8") from None
    rows = _from_json(text, shown) if text.lstrip()[:1] == "[" else _from_csv(text, shown)
    return [
        Question({n: v for n, v in row.items() if n != CASE_COLUMN}, row.get(CASE_COLUMN) or None)
        for row in rows
    ]


def _from_json(text: str, shown: str) -> list[dict[str, str]]:
    try:
        rows = json.loads(text)
    except ValueError:
        raise ConfigInvalid(f"{shown}: not valid JSON") from None
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()):
            raise ConfigInvalid(f"{shown}: row {number} is no mapping of names to text")
    return list(rows)


def _from_csv(text: str, shown: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text), strict=True), 1):
            if None in row or None in row.values():
                raise ConfigInvalid(f"{shown}: row {number} is longer or shorter than the header")
            rows.append({name.strip(): value for name, value in row.items()})
    except csv.Error:
        raise ConfigInvalid(f"{shown}: row {len(rows) + 1} is no CSV; look at its quotes") from None
    return rows


def _document(system: str, name: str, request_id: str, answers: list[Answer]) -> dict[str, Any]:
    """Answers as one document; who keeps it can prove them later."""
    return {
        "system": system,
        "compare": name,
        "request": request_id,
        "answers": [
            {
                "row": one.row,
                "answer": one.answer,
                "receipt": str(one.receipt),
                "receipt_no": one.receipt_no,
                "proof": one.proof,
            }
            for one in sorted(answers, key=lambda one: one.row)
        ],
    }

"""NDJSON and CSV answers: one record per line, no envelope around them.

Strict: a line that is no JSON object, a row of another width than the header, two columns of the
same name, a quote that never ends — each refuses the page. An empty cell is an empty text.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence

import msgspec

from connectors.documents import assemble, is_known
from connectors.errors import AnswerNamesRepeated, AnswerNotJson, AnswerNotTable
from connectors.protocols.jsondoc import PRINT_BYTES, JsonDocument
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import (
    Csv,
)
from tongban.kernel.records import Decoded, RecordShape

LONGEST_CELL = 1 << 24
csv.field_size_limit(LONGEST_CELL)

_lines = msgspec.json.Decoder(msgspec.Raw)


class LinesDocument(JsonDocument):
    """NDJSON: the document is the list of its lines."""

    def __init__(self, lines: Sequence[msgspec.Raw], where: str) -> None:
        self._first = JsonDocument(lines[0], where) if len(lines) == 1 else None
        super().__init__(msgspec.Raw(b"[" + b",".join(lines) + b"]"), where)

    def envelope(self, path: str) -> JsonDocument | None:
        """Give the single line where it is no record but an answer about success."""
        first = self._first
        return first if first is not None and first.text(path) is not None else None


def parse_lines(body: bytes, where: str) -> LinesDocument:
    """Check that UTF-8 bytes are one JSON object per line; empty lines are skipped.

    Raises:
        AnswerNotJson: A line is none; the message tells its number, not its text.
    """
    lines: list[msgspec.Raw] = []
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            if line.lstrip()[:1] != b"{":
                raise ValueError("no object")  # noqa: TRY301 - one outcome for all
            lines.append(_lines.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as exc:
            raise AnswerNotJson(
                f"{where}: line {number} is no JSON object; its digest is kept", line=number
            ) from exc
    return LinesDocument(lines, where)


class TableDocument:
    """CSV: the document is its rows; the first line names the columns, unless YAML does."""

    def __init__(self, names: Sequence[str], rows: list[list[str]], where: str) -> None:
        self._names = list(names)
        self._rows = rows
        self._where = where

    def envelope(self, _path: str) -> None:
        """A table says nothing about success."""
        return

    def text(self, _path: str) -> str | None:
        """There is nothing beside the rows."""
        return None

    def part(self, _path: str) -> TableDocument | None:
        """There is nothing inside."""
        return None

    def items(self, _path: str) -> list[JsonDocument]:
        """Give each row as a document."""
        made = (dict(zip(self._names, row, strict=True)) for row in self._rows)
        return [JsonDocument(msgspec.Raw(msgspec.json.encode(row)), self._where) for row in made]

    def count(self, _path: str) -> int:
        """Count the rows."""
        return len(self._rows)

    def prints(self, _path: str, skip: frozenset[str]) -> list[bytes]:
        """Fingerprint each row, without the columns in `skip`."""
        kept = [at for at, name in enumerate(self._names) if name not in skip]
        texts = ("\0".join(row[at] for at in kept) for row in self._rows)
        return [hashlib.blake2b(text.encode(), digest_size=PRINT_BYTES).digest() for text in texts]

    def columns(self, _path: str, shape: RecordShape, *, whole: bool) -> Decoded:
        """Give the wanted columns; a column that is not there is null."""
        if shape.explode:
            raise ConfigInvalid(
                f"{self._where}: a CSV row holds no list, so `explode` cannot work; correct the "
                "mapping",
                explode=shape.explode,
            )
        turned: list[list[str | None]] = [list(column) for column in zip(*self._rows, strict=True)]
        found = dict(zip(self._names, turned or [[] for _ in self._names], strict=True))
        nothing: list[str | None] = [None] * len(self._rows)
        texts = {name: found.get(name, nothing) for name in shape.fields}
        unknown = {name for name in self._names if not is_known(name, shape.known)}
        return Decoded(assemble(shape, texts, {}, None), frozenset(unknown if whole else ()))


def parse_table(body: bytes, spec: Csv, where: str) -> TableDocument:
    """Read UTF-8 bytes as a table (RFC 4180), strictly.

    Raises:
        AnswerNotTable: No header, a row of another width, or broken quotes.
        AnswerNamesRepeated: Two columns have the same name.
    """
    try:
        if b"\0" in body:
            raise csv.Error("zero byte")  # noqa: TRY301 - one outcome for all
        text = io.StringIO(body.decode(), newline="")
        rows = [row for row in csv.reader(text, delimiter=spec.delimiter, strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as exc:
        raise AnswerNotTable(
            f"{where}: the answer is no CSV table (quotes, or a zero byte); its digest is kept"
        ) from exc
    names = list(spec.header) or ([name.strip() for name in rows.pop(0)] if rows else [])
    if not names or not all(names):
        raise AnswerNotTable(
            f"{where}: the answer has no header line that names every column; its digest is kept"
        )
    if len(set(names)) < len(names):
        raise AnswerNamesRepeated(
            f"{where}: two columns have the same name; which one counts is not ours to guess",
            columns=len(names),
        )
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise AnswerNotTable(
                f"{where}: row {number} has {len(row)} cells, the header has {len(names)}; nothing "
                "of the page is trusted",
                row=number,
                cells=len(row),
            )
    return TableDocument(names, rows, where)

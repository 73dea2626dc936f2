"""Sheets: open quarantine rows as a workbook for their department, and the file that comes back.

Every cell is text, and a text that a spreadsheet could take for a formula is marked as text, so
that opening the file runs nothing. What is not the reader's is masked. Reading back takes text and
plain numbers or dates; a formula is refused, since nobody knows what it will say tomorrow.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook, load_workbook

from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.protect import mask
from tongban.protect.mask import HIDDEN

ROW_COLUMN = "quarantine_id"
RULES_COLUMN = "rules"
SHEET = "rows"
ABOUT = "about"
MOST_ROWS = 50_000
MOST_BYTES = 20_000_000
MOST_UNPACKED = 200_000_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SheetInvalid(ConfigInvalid):
    """A file of corrections cannot be read; nothing of it was applied."""

    code = "fatal.sheet_invalid"


@dataclass(frozen=True, slots=True)
class OpenRow:
    """One open quarantine row, opened.

    Attributes:
        values: Contract field → text, as far as it could be read.
        rules: Rules that it breaks.
    """

    quarantine_id: int
    values: Mapping[str, str | None] = field(repr=False)
    rules: tuple[str, ...]


def export_rows(
    contract: Contract, rows: Iterable[OpenRow], about: Mapping[str, str], *, is_owner: bool
) -> bytes:
    """Make the workbook of a notice.

    Args:
        contract: Gives columns and labels.
        rows: What is asked for.
        about: Facts of the notice for the second sheet.
        is_owner: The reader is the department that sent the rows; for any other one everything
            that the contract classifies or masks is masked.

    Returns:
        An XLSX file.
    """
    book = Workbook()
    book.remove(book.worksheets[0])
    sheet = book.create_sheet(SHEET)
    names = [item.name for item in contract.fields]
    _append(sheet, 1, [ROW_COLUMN, RULES_COLUMN, *names])
    for line, row in enumerate(rows, start=2):
        shown = [_shown(item, row.values.get(item.name), is_owner) for item in contract.fields]
        _append(sheet, line, [str(row.quarantine_id), ", ".join(row.rules), *shown])
    facts = book.create_sheet(ABOUT)
    told = [*about.items(), *((item.name, item.label) for item in contract.fields)]
    told += [(rule.id, rule.description) for rule in contract.rules]
    for line, (name, value) in enumerate(told, start=1):
        _append(facts, line, [name, value])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def read_rows(content: bytes, contract: Contract) -> list[dict[str, str | None]]:
    """Read a file of corrections: XLSX, or CSV in UTF-8 or GB 18030.

    Returns:
        Per row the quarantine row's id and the contract's columns as text, null for empty.

    Raises:
        SheetInvalid: No such file, unknown or missing columns, a formula, too large.
    """
    if len(content) > MOST_BYTES:
        raise SheetInvalid(f"the file has over {MOST_BYTES} bytes; send it in parts")
    lines = _workbook(content) if content[:2] == b"PK" else _csv(content)
    header = [str(name or "").strip() for name in next(lines, [])]
    wanted = {ROW_COLUMN, *(item.name for item in contract.fields)}
    missing, unknown = wanted - set(header), set(header) - wanted - {RULES_COLUMN, ""}
    if missing or unknown or len(header) != len(set(header)):
        raise SheetInvalid(
            f"columns: missing {sorted(missing)}, unknown {sorted(unknown)}; keep the first row of "
            f"the exported file for {contract.dataset} as it is"
        )
    found: list[dict[str, str | None]] = []
    for cells in lines:
        row = {name: cell or None for name, cell in zip(header, cells, strict=False)}
        if any(row.values()):
            found.append({name: row.get(name) for name in sorted(wanted)})
        if len(found) > MOST_ROWS:
            raise SheetInvalid(f"the file has over {MOST_ROWS} rows; send it in parts")
    return found


def is_masked(item: Field, text: str | None, original: str | None) -> bool:
    """Whether a cell still holds the mask of what was exported."""
    return text is not None and original is not None and text == _shown(item, original, False)  # noqa: FBT003


def _shown(item: Field, text: str | None, is_owner: bool) -> str | None:  # noqa: FBT001
    """A value as this reader may see it."""
    if is_owner or not text or (item.mask is None and not item.is_classified):
        return text
    return mask(item.mask, text) if item.mask is not None else HIDDEN


def _append(sheet: Any, line: int, texts: Sequence[str | None]) -> None:
    """One line of text cells."""
    for column, value in enumerate(texts, start=1):
        cell = sheet.cell(line, column)
        cell.number_format = "@"
        if value is None:
            continue
        cell.value = _NOT_XML.sub("\ufffd", value)
        cell.data_type = "s"  # never a formula, whatever it begins with
        if value.startswith(_FORMULA):
            cell.quotePrefix = True


def _workbook(content: bytes) -> Iterator[list[str | None]]:
    """Lines of the sheet of rows.

    Raises:
        SheetInvalid: It is no workbook, or one that would fill our memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
    except (zipfile.BadZipFile, OSError):
        raise SheetInvalid("the workbook is cut or damaged; export it again") from None
    if unpacked > MOST_UNPACKED:
        raise SheetInvalid("the workbook unpacks to more than any list of rows needs")
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
    except Exception as exc:  # noqa: BLE001  # openpyxl lets out whatever its parts raise
        raise SheetInvalid(f"the workbook cannot be read ({type(exc).__name__})") from None
    sheet = book[SHEET] if SHEET in book.sheetnames else book.worksheets[0]
    for cells in sheet.iter_rows():
        yield [_text(cell) for cell in cells]


def _text(cell: Any) -> str | None:
    """One cell as text.

    Raises:
        SheetInvalid: It holds a formula or an error.
    """
    value = cell.value
    if value is None:
        return None
    if cell.data_type in {"f", "e"}:
        raise SheetInvalid(
            f"cell {cell.coordinate} holds a formula or an error; write its value as text"
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _csv(content: bytes) -> Iterator[list[str | None]]:
    """Lines of a CSV file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError:
            raise SheetInvalid("the file is neither a workbook nor UTF-8 or GB 18030") from None
    try:
        for line in csv.reader(io.StringIO(text, newline=""), strict=True):
            yield [cell.strip() or None for cell in line]
    except csv.Error:
        raise SheetInvalid("the CSV has a broken line; export it again") from None


def readable(item: Field, text: str | None) -> str | None:
    """A sealed text of a field as people write it: moments in Beijing time."""
    if text is None or item.type != "datetime" or not text.lstrip("-").isdigit():
        return text
    moment = datetime.fromtimestamp(int(text) / 1_000_000, BEIJING)
    return moment.isoformat(sep=" ", timespec="seconds")

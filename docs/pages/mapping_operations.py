"""mapping-operations.md: the closed lists of operations, in and out."""

from __future__ import annotations

from pathlib import Path

from docs.pages.markdown import code, page, table
from docs.pages.usage import example, operations_used, outgoing_used
from tongban.kernel.catalog import load_catalog
from tongban.kernel.formatting import OUT_OPERATIONS
from tongban.normalize.dates import MONTH_FORMATS
from tongban.normalize.layouts import KNOWN_FORMATS
from tongban.normalize.operations import JOINING, OPERATIONS

INTRO = """A mapping is data: each contract field names its sources and a list of operations, applied in order to the whole
column. Trimming (also of ideographic and zero-width blanks) and "empty text is null" always come first. Every operation
is total: for any text it gives a cell or null. Where a text was there and null came out, that is a finding, never a
silent null: `<field>.code` for `code`, `<field>.type` for all others. A bare value stands for the argument in **bold**.

An unknown operation or argument is refused by `bin/tongban check` with file, line and a suggestion."""

MEANINGS = {
    "boolean": "Yes and no by their listed spellings; any other word is a finding.",
    "certificate_no": "Canonical number of a real-estate certificate, whatever brackets, blanks and zeros it came with.",
    "coalesce": "First source that is there.",
    "code": "This system's code to the hub's, by `mappings/codes/<table>.<system>.csv`; an unknown code is a finding. Where a code was reused, `at` names the source field with the record's own day.",
    "concat": "Sources joined; missing ones are left out.",
    "constant": "The same value in every row.",
    "credit_code": "Half width, upper case, no blanks.",
    "date": "A day, by the listed formats and no other; of a moment, its day in Beijing.",
    "datetime": "A moment, by the listed formats and no other; Beijing time where it has no zone.",
    "decimal": "An exact number; more digits than `scale` are a finding, not a rounding.",
    "half_width": "Full-width letters, digits and signs to ASCII.",
    "id_by_type": "Resident form (15 to 18 digits) where the field named by `type` has one of the `resident` codes; else half width and upper case.",
    "integer": "A whole number.",
    "invert_scale": "A scale turned round: `minimum` becomes `maximum`.",
    "lower": "Lower case.",
    "money": "An exact amount in 元 from the source's `unit` (元, 万元 or 分); ¥ and thousands separators are understood.",
    "month": "A month as yyyy-MM.",
    "null_if": "Stand-ins for null, such as `-` or `无`, become null.",
    "percent_or_fraction": "`50%`, `1/2` or `0.5` as a share from 0 to 1; `plain: percent` reads 50 as a half.",
    "person_name": "One kind of middle dot, no blanks between Chinese characters.",
    "replace": "Every occurrence of `find` becomes `with`.",
    "resident_id": "Half width, upper case, 15 digits to 18.",
    "slice": "`length` characters from `start` (0 is the first).",
    "split": "Part number `index` (0 is the first) between separators.",
    "strip_chars": "These characters off both ends.",
    "strip_suffix": "The longest of these endings off.",
    "text": "Trimming again, after an operation that may leave blanks.",
    "unit_no": "Half width, upper case, no blanks.",
    "upper": "Upper case.",
}  # fmt: skip
OUT_MEANINGS = {
    "boolean_out": "True and false in the target's words.",
    "coalesce": "First source that is there.",
    "code_out": "The hub's code to the target's.",
    "concat": "Sources joined with `separator`.",
    "constant": "The same value in every record.",
    "decimal_text": "A number as text with exactly `scale` digits after the point.",
    "iso_datetime": "ISO 8601; a moment with +08:00.",
    "mask": "Masked as `kind` says (resident_id, name, phone, address, amount, code, text).",
    "money_out": "元 as text in the target's `unit`, with exactly `scale` digits.",
    "number": "A JSON number with `scale` digits (0: a whole one).",
    "percent_text": "A share as percent: 0.5 is `50%`.",
    "slice": "`length` characters from `start`.",
    "text_date": "A day in a format of yyyy, MM, dd.",
    "text_datetime": "A moment in a format of yyyy, MM, dd, HH, mm, ss, Beijing time.",
}
JOINING_ARGUMENTS = {"concat": "**separator**", "coalesce": ""}


def render(root: Path) -> str:
    """Write the page.

    Raises:
        SystemExit: An operation is not explained here, or one is explained that is gone.
    """
    differ = ({*OPERATIONS, *JOINING} ^ set(MEANINGS)) | (set(OUT_OPERATIONS) ^ set(OUT_MEANINGS))
    if differ:
        raise SystemExit(f"docs/pages/mapping_operations.py: differs from the code in {differ}")
    catalog = load_catalog(root)
    used, sent = operations_used(catalog), outgoing_used(catalog)
    rows = [
        (code(n), _arguments(n), _takes(n), MEANINGS[n], *example(used.get(n, [])))
        for n in sorted(MEANINGS)
    ]
    out = [(code(n), OUT_MEANINGS[n], *example(sent.get(n, []))) for n in sorted(OUT_MEANINGS)]
    return page(
        "Mapping operations",
        INTRO,
        "## In: from a system to its contract",
        table(("operation", "arguments", "works on", "effect", "example", "uses"), rows),
        f"Formats of days and moments: {', '.join(map(code, KNOWN_FORMATS))}, or letters such as "
        "`yyyy/MM/dd HH:mm`. "
        f"Formats of months: {', '.join(map(code, MONTH_FORMATS))}. "
        "`concat` and `coalesce` can only come first, where `from` is a list.",
        "## Out: from a contract to a target",
        table(("operation", "effect", "example", "uses"), out),
        "A number that does not fit the target's digits, or a code that the target does not know, is not sent: the "
        "receipt says `rejected` with the code `TONGBAN_UNSENDABLE:<field>`. A record that goes out as XML and would "
        "break the schema of its mapping is not sent either: `TONGBAN_UNFIT:<field>`. Rows outside `where` are `withheld`. "
        "Sources may also be `$guid`, `$op`, `$version`, `$now` and `$digest`.",
    )


def _arguments(name: str) -> str:
    if name in JOINING:
        return JOINING_ARGUMENTS[name]
    operation = OPERATIONS[name]
    return ", ".join(f"**{a}**" if a == operation.main else a for a in operation.allowed)


def _takes(name: str) -> str:
    return "text" if name in JOINING else ", ".join(sorted(OPERATIONS[name].takes))

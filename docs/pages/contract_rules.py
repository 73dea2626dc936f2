"""contract-rules.md: the closed vocabulary of rules, those that follow from properties first."""

from __future__ import annotations

from pathlib import Path

from docs.pages.markdown import code, page, table
from docs.pages.usage import flow, rules_used
from tongban.kernel.catalog import load_catalog
from tongban.kernel.contract_rules import CROSS_KINDS
from tongban.kernel.contracts import CLASSIFICATIONS, DIMENSIONS
from tongban.kernel.cross_rules import PARAMETERS
from tongban.protect.mask import KINDS as MASKS
from tongban.validate import KINDS

INTRO = """A contract is an [ODCS 3.2](https://bitol-io.github.io/open-data-contract-standard/) document. Rules follow from
a field's properties, or are `quality` entries of type `custom` with `engine: tongban`. All are compiled once to
expressions over columns; per row the result is a bit mask, and what is stored and shown is the rule's id. `severity:
error` sends the row to the quarantine; `warning` lets it pass and counts it. A missing value passes every rule but those
about presence, so that one missing value is one finding."""

IMPLICIT = (
    ("required", "`required: true`", "completeness", "No value came."),
    ("type", "every field", "conformity", "A value came that the mapping could not read."),
    ("length", "`minLength`, `maxLength`", "conformity", "Too short or too long, in characters."),
    ("pattern", "`pattern`", "conformity", "The whole text does not match; only `[0-9]`, `[A-Z]` classes, anchored."),
    ("range", "`minimum`, `maximum`", "accuracy", "Outside the bounds, which count as inside."),
    ("code", "`codeTable`", "conformity", "No code of `mappings/codes/<table>.csv`."),
)  # fmt: skip
MEANINGS = {
    "absent_when": ("field, when", "Missing wherever every field of `when` has one of its values."),
    "certificate_no": ("field", "Every certificate number in the field is canonical."),
    "compare": ("left, op, right or value, tolerance", "Two fields, or a field and a literal; a moment compared with a day is its day in Beijing."),
    "credit_code": ("field, part", "GB 32100 credit code; `part` checks the outer or the inner check character alone."),
    "expression": ("sql", "A condition in SQL over this row; the last resort."),
    "id_by_type": ("number, type, resident, credit", "The check that belongs to the row's id type; other types have only a length."),
    "in": ("field, values", "One of the listed values."),
    "licence_id": ("field", "Electronic licence id with its check character (GB/T 36904)."),
    "month": ("field", "A real month yyyy-MM, not after the current one."),
    "not_future": ("field", "A day not after today, a moment not more than five minutes ahead."),
    "one_of_required": ("fields", "At least one of the fields is there."),
    "organisation_code": ("field", "GB 11714 organisation code with its check character."),
    "phone": ("field", "A mainland mobile or landline number."),
    "product": ("result, factors, tolerance", "A product of two fields and the field that states it."),
    "ratio_between": ("numerator, denominator, minimum, maximum", "A quotient inside bounds; a denominator of zero does not apply."),
    "real_estate_unit": ("field", "Shape of a 28-character real-estate unit number."),
    "registration_no": ("field", "15-digit registration number with its check digit."),
    "required_when": ("field, when", "There wherever every field of `when` has one of its values."),
    "resident_id": ("field, areas", "GB 11643: length, birth date, check character; with `areas`, whether the area ever existed."),
    "sum": ("total, parts, tolerance", "A total and its parts."),
}  # fmt: skip

CROSS = {
    "agrees_with": "The field equals a field of the record that belongs to it (`by`), within `tolerance`; or is not after (`<=`), not before it (`>=`).",
    "among": "The field is one of the values that the other dataset has for the same thing; a thing that it does not know is no case.",
    "at_most_one": "Of the rows with the same `per`, at most one is in such a state (`when`) and not taken out (`unless`).",
    "parts_sum": "A field of all parts with the same `per` adds up to `total`; parts without a value make no case.",
}  # fmt: skip
OVER_SEVERAL = """## Rules over several datasets

They stand in the contract of the dataset whose records are listed, below the schema's `quality`, with `severity: warning`: no
record is refused for what another department wrote. The audit joins stored rows; people are joined by blind index, names by
hash. What sits in the quarantine makes its case *not evaluated*. `by` pairs our field with theirs, `through` names the dataset
that stands between, `when` and `with_when` choose rows."""
SHAPE = """## How a rule is written

```yaml
quality:
  - name: deed_tax_payment.paid_not_future     # its id for ever: findings, scores and tickets refer to it
    type: custom
    engine: tongban
    dimension: accuracy
    severity: error
    description: 缴款时间不能晚于当前时间
    implementation: {rule: not_future}         # on a property, `field` is that property
```"""


def render(root: Path) -> str:
    """Write the page.

    Raises:
        SystemExit: A kind of rule is not explained here, or one is explained that is gone.
    """
    differ = (KINDS ^ set(MEANINGS)) | (CROSS_KINDS ^ set(CROSS))
    if differ:
        raise SystemExit(f"docs/pages/contract_rules.py: differs from the code in {differ}")
    used = rules_used(load_catalog(root))
    rows = []
    for kind, (parameters, meaning) in MEANINGS.items():
        uses = used.get(kind, [])
        shortest = min((flow(params) for _, params in uses), key=len, default="")
        rows.append((code(kind), parameters, meaning, code(shortest), str(len(uses))))
    catalog = load_catalog(root)
    crossed = [rule for item in catalog.contracts().values() for rule in item.cross_rules]
    over = [
        (
            code(kind),
            ", ".join(PARAMETERS[kind]),
            meaning,
            ", ".join(code(r.id) for r in crossed if r.kind == kind),
        )
        for kind, meaning in CROSS.items()
    ]
    return page(
        "Contract rules",
        INTRO,
        "## Rules that follow from a property",
        table(
            ("id", "from", "dimension", "broken when"),
            [(code(f"<field>.{name}"), source, dim, text) for name, source, dim, text in IMPLICIT],
        ),
        "## Explicit rules",
        table(("rule", "parameters", "kept when", "example", "uses"), rows),
        SHAPE,
        OVER_SEVERAL,
        table(("rule", "parameters", "kept when", "where"), over),
        "## Words of a contract",
        table(
            ("what", "values"),
            [
                ("classification", ", ".join(CLASSIFICATIONS)),
                ("dimension", ", ".join(DIMENSIONS)),
                ("mask", ", ".join(sorted(MASKS))),
            ],
        ),
    )

"""The closed list of mapping operations; a new one is code here and tests, never YAML alone.

| family | operations |
|---|---|
| text | text half_width upper lower strip_chars strip_suffix replace null_if split slice |
| names | person_name |
| joining | concat coalesce (first operation of a field with several sources) |
| numbers | integer decimal money percent_or_fraction invert_scale |
| dates | date datetime month |
| codes | code boolean constant |
| identifiers | resident_id credit_code unit_no certificate_no id_by_type |

Every operation is total: it gives a cell or null for any text, and never raises on data.
"""

from __future__ import annotations

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import Op
from tongban.kernel.yamlfile import suggestion
from tongban.normalize import codes, dates, identifiers, numbers, text
from tongban.normalize.steps import Arguments, Kind, Operation, Setting, Step

JOINING = ("concat", "coalesce")
OPERATIONS: dict[str, Operation] = {
    **text.OPERATIONS,
    **numbers.OPERATIONS,
    **dates.OPERATIONS,
    **codes.OPERATIONS,
    **identifiers.OPERATIONS,
}


def compile_operation(op: Op, takes: Kind, setting: Setting) -> Step:
    """Make the step of one operation.

    Args:
        op: Name, arguments and place in the mapping.
        setting: Code tables, system and target field.
        takes: What the cells are before it.

    Raises:
        ConfigInvalid: Unknown operation or argument, or an operation that needs other cells.
    """
    operation = OPERATIONS.get(op.name)
    if operation is None:
        known = (*OPERATIONS, *JOINING)
        raise ConfigInvalid(
            f'{op.where}: unknown operation "{op.name}"{suggestion(op.name, known)}'
        )
    args = Arguments(op, operation)
    if takes not in operation.takes:
        args.refuse(f"works on {' or '.join(sorted(operation.takes))}, but gets {takes}")
    return operation.build(args, setting)

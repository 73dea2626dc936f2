"""Family: are the buyers of one contract married to each other? Asked for the deed tax, per case.

The rate of the deed tax depends on how many houses a family has (契税家庭住房套数核查), so who is
one family must be known once a case has found its contract. Every pair of buyers that has no answer
yet for its case is asked, in batches, also when the payment came first: the tax office checks those
afterwards. The hub keeps the receipts and no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tongban.cases.tables import ensure_tables
from tongban.compare import Asker, Question, compare_in_batches, declared, is_askable
from tongban.kernel.catalog import Catalog
from tongban.protect import open_column
from tongban.store.engine import transaction

if TYPE_CHECKING:
    from tongban.hub import Hub

COMPARE = "marriage"
PURPOSE = "deed_tax_family"
ASKS = frozenset({"name_a", "id_a", "name_b", "id_b"})
PARTY, PAYMENT = "sale_contract_party", "deed_tax_payment"
ASK_AT_ONCE = 500
LOOK_BACK = "90 days"  # since a case moved; nobody checks older ones, and each run would read them
PROCESS = "cases"

_RESIDENT_ID = "111"  # mappings/codes/id_type.csv
_BUYER = "buyer"
_PAIRS = """
SELECT c.accept_no,
       a.record_id AS record_a, a.name AS name_a, a.id_no AS id_a,
       b.record_id AS record_b, b.name AS name_b, b.id_no AS id_b
  FROM cases.gov_case AS c
  JOIN data.{party} AS a
    ON a.contract_no = c.contract_no AND a.role = :buyer AND a.id_type = :resident
  JOIN data.{party} AS b
    ON b.contract_no = c.contract_no AND b.role = :buyer AND b.id_type = :resident
   AND a.id_no_index < b.id_no_index
 WHERE c.contract_no IS NOT NULL AND c.changed_at > now() - CAST(:look_back AS interval)
   AND (c.accept_no, a.record_id, b.record_id)
       > (:accept_no, CAST(:record_a AS uuid), CAST(:record_b AS uuid))
   AND NOT EXISTS (
       SELECT 1 FROM hub.comparison AS x
        WHERE x.case_no = c.accept_no AND x.system = :system AND x.name = :name
          AND x.state = 'answered' AND x.subjects = ARRAY[a.id_no_index, b.id_no_index])
 ORDER BY c.accept_no, a.record_id, b.record_id
 LIMIT :limit
"""
_BEFORE_ALL = {"accept_no": "", "record_a": f"{0:032x}", "record_b": f"{0:032x}"}


def asked_system(catalog: Catalog) -> str | None:
    """The system that compares marriages for this purpose, or None where none is declared."""
    for name, system in sorted(catalog.systems.items()):
        spec = system.compares.get(COMPARE)
        if spec is not None and PURPOSE in spec.purposes and set(spec.asks) == ASKS:
            return name
    return None


def compare_buyers(hub: Hub) -> dict[str, int]:
    """Ask about every pair of buyers of one contract that has no answer yet for its case.

    Returns:
        `pairs` found, `compared` now, and `unaskable`: a number or name that breaks its rule.

    Raises:
        CredentialsMissing: The system has no connection.
        RetryLater: It did not answer; what was answered until then stays answered.
    """
    counts = {"pairs": 0, "compared": 0, "unaskable": 0}
    system = asked_system(hub.catalog)
    if system is None:
        return counts
    spec = declared(hub.catalog, system, COMPARE)
    for questions in _pairs(hub, system):
        askable = [question for question in questions if is_askable(spec, question)]
        counts["pairs"] += len(questions)
        counts["unaskable"] += len(questions) - len(askable)
        counts["compared"] += _compared(hub, system, askable) if askable else 0
    return counts


def _compared(hub: Hub, system: str, questions: list[Question]) -> int:
    """Ask; a pair has one receipt per case, however often it is asked."""
    batches = compare_in_batches(
        hub,
        system,
        COMPARE,
        questions,
        purpose=PURPOSE,
        asker=Asker(PROCESS, _unit(hub.catalog)),
        request_id=PURPOSE,
    )
    return sum(len(batch) for batch in batches)


def _unit(catalog: Catalog) -> str:
    """The department whose duty it is: the one that takes the deed tax."""
    (provider, *_) = catalog.providers(PAYMENT)
    return catalog.system(provider).department.code


def _pairs(hub: Hub, system: str) -> Iterator[list[Question]]:
    """Pairs without an answer, page by page; no pair comes twice in one run."""
    sql = text(_PAIRS.format(party=hub.catalog.contract(PARTY).table))
    values: dict[str, Any] = {
        "buyer": _BUYER,
        "resident": _RESIDENT_ID,
        "look_back": LOOK_BACK,
        "system": system,
        "name": COMPARE,
        "limit": ASK_AT_ONCE,
        **_BEFORE_ALL,
    }
    while True:
        with transaction(hub.engine) as conn:
            ensure_tables(conn)
            rows = [dict(row) for row in conn.execute(sql, values).mappings()]
        if not rows:
            return
        yield _questions(hub, rows)
        values |= {name: str(rows[-1][name]) for name in _BEFORE_ALL}


def _questions(hub: Hub, rows: list[dict[str, Any]]) -> list[Question]:
    """Open the classified fields of some pairs."""
    opened: dict[str, list[str | None]] = {}
    for side in ("a", "b"):
        keys = [row[f"record_{side}"].bytes for row in rows]
        for field, name in (("name", f"name_{side}"), ("id_no", f"id_{side}")):
            sealed = [row[name] for row in rows]
            opened[name] = open_column(hub.keyring, sealed, PARTY, field, keys)
    return [
        Question({name: opened[name][at] or "" for name in sorted(ASKS)}, row["accept_no"])
        for at, row in enumerate(rows)
    ]

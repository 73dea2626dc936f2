"""Items and flows: what ships is right, and what is wrong in a file is named with its line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tongban.cases.catalogue import REFERENCE, CaseCatalogue, calendar_warnings, case_problems
from tongban.cases.flows import Flow
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.errors import ConfigInvalid

ROOT = Path(__file__).parents[2]
Edit = Callable[[str, str, str], list[str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The data catalog that the hub ships."""
    return load_catalog(ROOT)


@pytest.fixture(scope="module")
def shipped() -> CaseCatalogue:
    """The case catalogue that the hub ships."""
    return CaseCatalogue(ROOT)


@pytest.fixture
def problems_after(tmp_path: Path, catalog: Catalog) -> Edit:
    """Give a function: change one place of one file, then check everything."""
    shutil.copytree(ROOT / "cases", tmp_path / "cases")

    def edit(name: str, old: str, new: str) -> list[str]:
        path = tmp_path / "cases" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return CaseCatalogue(tmp_path).check(catalog)

    return edit


def test_what_ships_is_right(catalog: Catalog):
    """No problem in any item, group or flow."""
    assert [] == case_problems(catalog)


def test_the_items_count_as_the_notice_counts_them(shipped: CaseCatalogue):
    """1,887 = 1,455 + 432 = 972 + 915, and the cuts inside."""
    assert REFERENCE == shipped.totals()
    assert 1887 == len(shipped.items)


def test_the_seven_groups_of_the_notice_have_organs_and_items(shipped: CaseCatalogue):
    """§6.3 names them in this order."""
    titles = [group.title.zh for group in shipped.groups.values()]

    assert [
        "医保社保", "市场监管", "联合办税", "不动产登记交易",
        "交管运管", "社会事务", "投资项目审批",
    ] == titles  # fmt: skip
    for name, group in shipped.groups.items():
        assert group.organs
        assert any(item.group == name for item in shipped.items.values())


def test_there_are_items_of_all_four_kinds_and_three_flows(shipped: CaseCatalogue):
    """A joint item has a flow of its own."""
    assert {"immediate", "promised", "reported", "joint"} == {
        i.kind for i in shipped.items.values()
    }
    assert {"house_sale", "company_start", "investment_project"} == set(shipped.flows)
    assert {f.item for f in shipped.flows.values()} == {
        item.code for item in shipped.items.values() if item.kind == "joint"
    }


def test_an_item_is_found_by_code_and_version(shipped: CaseCatalogue):
    """The newest when none is given."""
    code = shipped.flows["house_sale"].item

    assert 1 == shipped.item(code).version
    assert ("restart", 5, 30) == (
        shipped.item(code).policy.on_correction,
        shipped.item(code).policy.promise_days,
        shipped.item(code).policy.legal_days,
    )
    with pytest.raises(ConfigInvalid, match="in version 9"):
        shipped.item(code, 9)
    with pytest.raises(ConfigInvalid, match="no item"):
        shipped.item("nosuch")


SALE, REAL, LINES = "flows/house_sale.yaml", "items/real_estate.yaml", "items/one_line_items.csv"
FIRST = (
    "1162080001389000673620617101000,1,国有建设用地使用权设立审批,promised,power,city,real_estate"
)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            SALE,
            "after: [contract]",
            "after: [registration]",
            r"house_sale.yaml:\d+: the steps wait",
        ),
        (
            SALE,
            "after: [contract]",
            "after: [contrat]",
            r'no step "contrat", did you mean "contract"',
        ),
        (SALE, "after: [contract]", "after: [contract, contract]", "a step stands twice"),
        (
            SALE,
            "after: [contract]",
            "after: [contract]\n    join: {any: 2}",
            "any 2 of 1 can never",
        ),
        (
            SALE,
            "after: [contract]",
            "after: [contract]\n    join: {lead: tax}",
            'lead "tax" is not',
        ),
        (SALE, "decides: registration", "decides: register", 'no step "register"'),
        (SALE, "system: housing", "system: hosing", r'house_sale.yaml:25: no system "hosing"'),
        (SALE, "dataset: sale_contract", "dataset: sale_contrct", "housing provides none"),
        (SALE, "    system: housing\n", "", "names its system"),
        (SALE, "    dataset: sale_contract\n", "", "names its dataset"),
        (SALE, "limit_days: 3", "limit_days: 4", "takes 6 working days, the item promises 5"),
        (SALE, "moment: paid_at", "moment: contract_at", "told with one moment"),
        (SALE, "flow: house_sale", "flow: house", "expected the file's name"),
        (
            SALE,
            'lead: "116208000138900067"',
            'lead: "116208000138900060"',
            "house_sale.yaml:5: no organ",
        ),
        (SALE, 'item: "11620800', 'item: "11620801', "no item has this code"),
        (SALE, "optional: true", "optional: true\n    undo: {name: x}", "is not undone"),
        (SALE, "optional: true", "optionl: true", 'unknown key "optionl", did you mean "optional"'),
        (
            REAL,
            "promise_days: 5",
            "promise_days: 31",
            r"real_estate.yaml:\d+: the promise is longer",
        ),
        (REAL, "flow: house_sale", "flow: house_sales", 'no flow "house_sales"'),
        (REAL, "kind: immediate", "kind: promised", "an immediate item promises 0 days"),
        (REAL, "name: 审核, limit_days: 3", "name: 审核, limit_days: 4", "longer than the promise"),
        (REAL, "code: review", "code: accept", "two steps have one code"),
        (REAL, 'yuan: "80.00", ', "", "a fixed fee says how many yuan"),
        (REAL, "from_dataset: real_estate_right", "from_dataset: right", 'no dataset "right"'),
        (REAL, "group: real_estate", "group: realestate", 'no service group "realestate"'),
        (REAL, "level: city", "level: district", "has the digit 4"),
        (REAL, "117052000", "117051000", r"version 1 of this item also stands in cases/items/real"),
        (LINES, FIRST, FIRST.replace("promised", "sometimes"), "one_line_items.csv:2: kind"),
        (LINES, FIRST, FIRST.replace("67362", "66362"), "no valid credit code"),
        (LINES, "fee_yuan", "fee", "one_line_items.csv:1: expected the columns"),
        ("organs.csv", "116208000138900067", "116208000138900066", "organs.csv:2: not a valid"),
        (
            "organs.csv",
            "11620899013820024A,平凉市房",
            "116208000138900067,平",
            "organs.csv:3: the organ",
        ),
        (
            "service_groups.yaml",
            "datasets: [unit_insurance",
            "datasets: [unit",
            'no dataset "unit"',
        ),
        (
            "service_groups.yaml",
            '"116208990138200400"',
            '"1"',
            'service_groups.yaml:6: no organ "1"',
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    problems_after: Edit, name: str, old: str, new: str, message: str
):
    """A cycle, a wrong name, a promise longer than the law."""
    found = problems_after(name, old, new)

    assert found
    assert any(re.search(message, problem) for problem in found), found
    assert all(re.match(r"[\w/.]+:\d+: ", problem) for problem in found)


def test_a_circle_is_told_as_a_whole(problems_after: Edit):
    """Who waits for whom."""
    (found,) = problems_after(SALE, "after: [contract]", "after: [registration]")

    circle = {"tax_task", "payment", "registration"}
    words = found.partition("each other: ")[2].split(" waits for ")
    assert circle == set(words)
    assert words[0] == words[-1]


def steps(**found: dict[str, object]) -> Flow:
    """A flow with these steps."""
    document = {
        name: {"name": {"zh": name, "en": name}, "mode": "window", **step}
        for name, step in found.items()
    }
    title = {"zh": "试", "en": "trial"}
    return Flow.model_validate(
        {"flow": "trial", "title": title, "item": "i", "lead": "l", "source": "s",
         "decides": list(found)[-1], "steps": document}
    )  # fmt: skip


def test_joins_wait_for_all_for_some_or_for_the_lead():
    """Three ways in which parallel steps come together."""
    flow = steps(
        a={}, b={}, c={},
        every={"after": ["a", "b", "c"]},
        some={"after": ["a", "b", "c"], "join": {"any": 2}},
        lead={"after": ["a", "b", "c"], "join": {"lead": "b"}},
    )  # fmt: skip

    assert {"a", "b", "c"} == flow.ready(frozenset())
    assert {"a", "c", "lead"} == flow.ready(frozenset({"b"}))
    assert {"c", "some", "lead"} == flow.ready(frozenset({"a", "b"}))
    assert {"every", "some", "lead"} == flow.ready(frozenset({"a", "b", "c"}))


def test_a_refusal_cuts_off_what_comes_after_and_undoes_what_came_before():
    """House sale: registration refused → the tax is given back, then the contract cancelled."""
    flow = CaseCatalogue(ROOT).flows["house_sale"]
    done = frozenset({"acceptance", "source_check", "contract", "tax_task", "payment"})

    assert {"delivery", "evaluation"} == flow.cut_off("registration")
    assert ("payment", "tax_task", "contract") == flow.undone_by("registration", done)
    assert ("contract",) == flow.undone_by("registration", frozenset({"contract"}))
    assert ((), frozenset()) == (flow.undone_by("evaluation", done), flow.cut_off("evaluation"))


def test_a_start_up_does_not_lose_its_licence_when_the_bank_refuses():
    """Only what must be is undone; nothing there has an undo."""
    flow = CaseCatalogue(ROOT).flows["company_start"]

    assert {"tax", "social", "fund", "seal"} == flow.ready(frozenset({"acceptance", "licence"}))
    assert frozenset() == flow.cut_off("bank")
    assert {"handover"} == flow.cut_off("tax")
    assert () == flow.undone_by("tax", frozenset({"acceptance", "licence"}))


def test_a_join_of_some_survives_one_refusal():
    """Two of three are left."""
    flow = steps(a={}, b={}, c={}, some={"after": ["a", "b", "c"], "join": {"any": 2}})

    assert frozenset() == flow.cut_off("a")


def test_the_check_warns_before_the_official_calendar_ends():
    """In time for the notice, and not all year."""
    assert [] == calendar_warnings(Catalog(ROOT, today=date(2026, 9, 1)))
    (warning,) = calendar_warnings(Catalog(ROOT, today=date(2026, 12, 1)))
    assert "calendar.ends_soon" in warning


def test_a_root_without_cases_has_no_problem_with_them(tmp_path: Path):
    """A hub that only exchanges data."""
    assert [] == case_problems(Catalog(tmp_path)) == calendar_warnings(Catalog(tmp_path))

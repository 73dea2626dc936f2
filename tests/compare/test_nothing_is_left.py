"""After asking, the hub knows that it asked about whom, and nobody can read whom or what came."""

from __future__ import annotations

import pytest

from connectors.errors import AnswerCodeUnknown
from tests.compare.places import hub_at, person, rows_of, soap_answers, soap_root
from tests.connectors.serving import serving
from tests.guard.canary import Traces
from tongban.compare import QuestionsInvalid, compare
from tongban.evidence.log import export

pytestmark = pytest.mark.postgres

NAME, OTHER = "鹿泠雪崖", "鹿沅霜渡"
WHY = {"purpose": "bus_pass", "asker": "he.ping@62089931"}
CODE, WORD, STRANGE = "QX7731", "quixotic", "ZV9913"


@pytest.fixture
def left(tmp_path, database_url):
    """What a good call, a refused question and an unreadable answer leave behind."""
    root = soap_root(tmp_path / "root")
    path = root / "connectors" / "systems" / "disabled_union.yaml"
    text = path.read_text(encoding="utf-8").replace("S: suspended", f"{CODE}: {WORD}")
    path.write_text(text, encoding="utf-8")
    one, other = {**person(1), "name": NAME}, {**person(2), "name": OTHER}
    codes = {one["id_no"]: CODE, other["id_no"]: STRANGE}
    traces = Traces()
    with serving(soap_answers(lambda _n, who: codes[who])) as server:
        account = {"base_url": server.url, "login": "hub", "password": "only-for-tests"}
        home = tmp_path / "home"
        with hub_at(root, home, database_url, {"disabled_union": account}) as hub:
            with traces.listening():
                (answer,) = compare(hub, "disabled_union", "disability", [one], **WHY)
                traces.add("answer", repr(answer))
                for wrong, error in (
                    ({**one, "id_no": one["id_no"][:-1] + "*"}, QuestionsInvalid),
                    (other, AnswerCodeUnknown),
                ):
                    with pytest.raises(error) as refused:
                        compare(hub, "disabled_union", "disability", [wrong], **WHY)
                    traces.raised(refused.value)
            traces.add("evidence", "\n".join(export(hub.engine)))
        traces.add_database(database_url)
        traces.add_files(home)
    assert WORD == answer.answer
    return traces, (one, other)


def test_no_name_no_number_and_no_answer_is_left_anywhere(left):
    """Database, logs, both streams, errors, evidence, files; in no spelling."""
    traces, people = left
    values = {value for one in people for value in one.values()}

    assert {"errors", "evidence", "logs", "table hub.comparison"} <= set(traces.places)
    assert set() == traces.spelled({*values, CODE, WORD, STRANGE})


def test_that_it_was_asked_is_left(left, database_url):
    """Both calls, by whom and for what."""
    traces, _ = left
    rows = rows_of(database_url)

    assert ["answered", "failed"] == [row["state"] for row in rows]
    assert 2 == traces.places["evidence"].count('"bus_pass"')
    assert {("he.ping", "62089931")} == {(row["asker"], row["unit"]) for row in rows}

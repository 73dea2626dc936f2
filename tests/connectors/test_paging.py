"""Paging over real HTTP: no row is missed, whatever the list does between two pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.positions import pieces_of
from tests.connectors.serving import ALL, UNTIL, Asked, collect, connect, rest_system, serving
from tongban.kernel.errors import (
    ConfigInvalid,
    OutsideBudget,
    PagingBroken,
    SystemUnavailable,
    UnexpectedlyEmpty,
)
from tongban.kernel.records import RecordShape, Window

SHAPE = RecordShape(("id",), None, frozenset({"id"}))
NUMBERED = {"path": "/a", "query": {"p": "{page}", "n": "{size}"}}
ROWS = {"path": "/a", "query": {"start": "{row}", "n": "{size}"}}
CURSOR = {"path": "/a", "query": {"c": "{cursor}", "n": "{size}"}}


def answer(rows, **more):
    """Answer with rows as JSON."""
    return 200, {"Content-Type": "application/json"}, json.dumps({"rows": rows, **more}).encode()


def ids(connector, pages) -> list[str]:
    """Decode pages and list the ids as they came."""
    found: list[str] = []
    for page in pages:
        found += connector.decode("account", page.body, SHAPE).frame["id"].to_list()
    return found


def run(handler: Callable, dataset: dict, *, window=ALL, after=None, budget=None, connection=None):
    """Read everything and give ids, pages and requests."""
    with serving(handler) as server:
        system = rest_system(dataset=dataset, budget=budget)
        with connect(system, server.url) as connector:
            pages = list(connector.read_pages("account", window, after=after))
            return ids(connector, pages), pages, server.asked


class Numbered:
    """A list served by page number; `change` runs after each request."""

    def __init__(self, size: int, *, total: bool = True, change=lambda _rows, _n: None) -> None:
        self.rows = [{"id": str(n)} for n in range(size)]
        self.total = total
        self.change = change
        self.calls = 0

    def __call__(self, asked: Asked):
        """Answer one request."""
        page, size = int(asked.query["p"]), int(asked.query["n"])
        rows = self.rows[(page - 1) * size : page * size]
        reply = answer(rows, **({"total": len(self.rows)} if self.total else {}))
        self.calls += 1
        self.change(self.rows, self.calls)
        return reply


def numbered(shifting: str, size: int = 3, *, total: bool = True) -> dict:
    """Declare a numbered list."""
    paging = {"kind": "page_number", "size": size, "shifting": shifting}
    return {"call": NUMBERED, "paging": paging, **({"total": "total"} if total else {})}


@pytest.mark.parametrize("shifting", ["no", "total", "pass"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 6, 10])
def test_a_still_list_is_read_completely(shifting, size):
    """Empty, less than a page, exactly full pages, and more."""
    found, pages, _ = run(Numbered(size), numbered(shifting))
    assert [str(n) for n in range(size)] == found
    assert [None] == [page.next_cursor for page in pages if page.next_cursor is None]
    assert pages[-1].next_cursor is None


@pytest.mark.parametrize("shifting", ["no", "total", "pass"])
def test_a_list_without_a_total_is_read_until_an_empty_page(shifting):
    """A short page alone proves nothing: servers cap page sizes silently."""
    found, _, _ = run(Numbered(7), numbered(shifting, total=False))
    assert {str(n) for n in range(7)} == set(found)


def test_one_page_is_asked_once():
    """Small windows cost one request, also with the strictest guard."""
    _, pages, asked = run(Numbered(3), numbered("pass"))
    assert (1, 1) == (len(pages), len(asked))


@pytest.mark.parametrize("shifting", ["total", "pass"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_row_that_leaves_the_window_makes_no_other_row_disappear(shifting, at):
    """The first row of the list is updated away, so all others move up."""

    def change(rows, calls):
        if calls == at:
            rows.pop(0)

    found, _, _ = run(Numbered(10, change=change), numbered(shifting))
    assert {str(n) for n in range(1, 10)} <= set(found)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_leaving_and_a_late_row_together_hide_nothing_from_a_second_reading(at):
    """The total stays the same, only reading again shows what was jumped over."""

    def change(rows, calls):
        if calls == at:
            rows.pop(0)
            rows.append({"id": "late"})

    found, _, _ = run(Numbered(10, change=change), numbered("pass"))
    assert {str(n) for n in range(1, 10)} | {"late"} <= set(found)


def test_pages_are_handed_out_before_the_error_of_a_second_look():
    """The last page of the first reading waits for the second, but is never lost by it."""

    def handler(asked):
        return served(asked) if served.calls < 3 else (500, {}, b"")

    served = Numbered(7)
    with serving(handler) as server:
        connector = connect(rest_system(dataset=numbered("pass")), server.url)
        kept = []
        with pytest.raises(SystemUnavailable):
            collect(connector.read_pages("account", ALL), kept)
        assert [str(n) for n in range(7)] == ids(connector, kept)
        assert kept[-1].next_cursor


def test_rows_inserted_in_front_only_repeat_rows():
    """Everything moves down: rows come twice, none is lost."""

    def change(rows, calls):
        if calls in {1, 2}:
            rows.insert(0, {"id": f"new{calls}"})

    found, _, _ = run(Numbered(10, change=change), numbered("pass"))
    assert {str(n) for n in range(10)} <= set(found)


def test_a_list_that_never_stands_still_is_named():
    """After several readings we stop and say so."""
    with pytest.raises(PagingBroken, match="moved during each"):
        run(Numbered(40, change=lambda rows, _n: rows.pop(0)), numbered("total", size=2))


def test_a_changed_total_of_a_list_declared_still_is_refused():
    """`shifting: no` is a promise that is checked."""
    with pytest.raises(PagingBroken, match="total changed from 10 to 9"):
        run(Numbered(10, change=lambda rows, n: n == 1 and rows.pop()), numbered("no"))


@pytest.mark.parametrize("shifting", ["no", "total", "pass"])
def test_fewer_rows_than_declared_are_refused(shifting):
    """The source says 9, its pages give 6."""

    def handler(asked):
        rows = [{"id": f"{asked.query['p']}{n}"} for n in range(3)]
        return answer(rows if int(asked.query["p"]) < 3 else [], total=9)

    with pytest.raises(PagingBroken, match="declares 9 rows but its pages gave 6"):
        run(handler, numbered(shifting))


def test_a_source_that_ignores_the_page_number_is_refused():
    """The same page again would otherwise never end."""
    with pytest.raises(PagingBroken, match="two pages in a row are the same"):
        run(lambda _a: answer([{"id": "1"}] * 3, total=99), numbered("no"))


@pytest.mark.parametrize("total", [-1, "many", 1.5, "²"])
def test_a_total_that_is_no_count_is_refused(total):
    """A negative total would end every reading at once."""
    from tongban.kernel.errors import AnswerUnreadable

    with pytest.raises(AnswerUnreadable, match="no whole number"):
        run(lambda _a: answer([{"id": "1"}], total=total), numbered("no"))


@pytest.mark.parametrize("shifting", ["no", "total", "pass"])
def test_reading_goes_on_after_a_kept_page(shifting):
    """A killed run re-reads at most one page before it goes on."""
    with serving(Numbered(12)) as server:
        connector = connect(rest_system(dataset=numbered(shifting)), server.url)
        kept = []
        for page in connector.read_pages("account", ALL):
            kept.append(page)
            if len(kept) == 2:
                break
        before = len(server.asked)
        rest = list(connector.read_pages("account", ALL, after=kept[-1].next_cursor))

        assert [str(n) for n in range(12)] == ids(connector, [*kept, *rest])
        assert [3, 4] == [page.number for page in rest]
        assert len(server.asked) - before <= 4  # one probe before, two pages, one probe after


def test_reading_starts_anew_where_the_list_moved_while_we_were_away():
    """The row before the kept place is another one now."""
    served = Numbered(12)
    with serving(served) as server:
        connector = connect(rest_system(dataset=numbered("pass")), server.url)
        first = next(iter(connector.read_pages("account", ALL)))
        served.rows.pop(0)
        rest = list(connector.read_pages("account", ALL, after=first.next_cursor))

        assert {str(n) for n in range(1, 12)} <= set(ids(connector, rest))


def offsets(rows, change=lambda _rows, _n: None):
    """Serve rows by offset from 1."""
    calls = 0

    def handler(asked):
        nonlocal calls
        start = int(asked.query["start"]) - 1
        reply = answer(rows[start : start + int(asked.query["n"])], total=len(rows))
        calls += 1
        change(rows, calls)
        return reply

    return handler


OFFSET = {
    "call": ROWS,
    "paging": {"kind": "offset", "size": 4, "first": 1, "overlap": 1},
    "total": "total",
}


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 13])
def test_offsets_read_everything(size):
    """The overlapping row comes twice, each other row at least once."""
    found, _, _ = run(offsets([{"id": str(n)} for n in range(size)]), OFFSET)
    assert {str(n) for n in range(size)} == set(found)


@pytest.mark.parametrize("gone", [1, 2, 4, 6])
def test_rows_leaving_before_the_offset_are_noticed_by_the_overlapping_row(gone):
    """We step back until the row that we know is found."""

    def change(rows, calls):
        if calls == 3:
            del rows[:gone]

    rows = [{"id": str(n)} for n in range(20)]
    found, _, _ = run(offsets(rows, change), OFFSET)
    assert {str(n) for n in range(gone, 20)} <= set(found)


def test_offsets_without_overlap_and_without_total():
    """The plainest offset service."""
    dataset = {"call": ROWS, "paging": {"kind": "offset", "size": 4, "first": 1, "overlap": 0}}
    found, _, _ = run(offsets([{"id": str(n)} for n in range(9)]), dataset)
    assert [str(n) for n in range(9)] == found


def test_an_offset_list_that_keeps_moving_is_named():
    """Each page finds its known row gone."""

    def handler(asked):
        handler.n = getattr(handler, "n", 0) + 1
        start = int(asked.query["start"])
        return answer([{"id": f"{handler.n}-{start + n}"} for n in range(4)], total=1000)

    with pytest.raises(PagingBroken, match="moved 50 times"):
        run(handler, OFFSET)


def cursors(pages: dict, **more):
    """Serve pages by cursor: cursor to (ids, next)."""

    def handler(asked):
        rows, following = pages[asked.query["c"]]
        return answer([{"id": i} for i in rows], next=following, **more)

    return handler


def by_cursor(**more) -> dict:
    """Declare a cursor list."""
    return {"call": CURSOR, "paging": {"kind": "cursor", "size": 2, "next": "next", **more}}


@pytest.mark.parametrize("end", ["", None])
def test_cursors_are_followed_to_the_end(end):
    """An empty or null cursor ends the list."""
    found, pages, _ = run(cursors({"": ("ab", "x"), "x": ("c", end)}), by_cursor())
    assert ["a", "b", "c"] == found
    assert pages[-1].next_cursor is None


def test_an_empty_page_in_the_middle_does_not_end_a_cursor_list():
    """Filters may leave a page empty."""
    found, _, _ = run(cursors({"": ("a", "x"), "x": ("", "y"), "y": ("b", "")}), by_cursor())
    assert ["a", "b"] == found


def test_an_empty_page_that_names_itself_is_the_end():
    """Queues answer with the cursor that they were asked with."""
    found, _, _ = run(cursors({"": ("a", "x"), "x": ("", "x")}), by_cursor())
    assert ["a"] == found


def test_a_repeated_cursor_is_refused():
    """Following it would never end."""
    with pytest.raises(PagingBroken, match="already used"):
        run(cursors({"": ("a", "x"), "x": ("b", "y"), "y": ("c", "x")}), by_cursor())


def test_a_flag_that_promises_more_without_a_cursor_is_refused():
    """The rest of the rows cannot be reached."""
    with pytest.raises(PagingBroken, match="promises another page"):
        run(cursors({"": ("a", "")}, more=True), by_cursor(more="more"))


def test_the_flag_decides_where_a_cursor_is_always_given():
    """`HasMore` false ends the list."""
    found, _, asked = run(cursors({"": ("a", "x")}, more=False), by_cursor(more="more"))
    assert (["a"], 1) == (found, len(asked))


def test_a_cursor_list_that_ends_early_is_refused():
    """Declared 5, given 3."""
    dataset = {**by_cursor(), "total": "total"}
    with pytest.raises(PagingBroken, match="declares 5 rows but its pages gave 3"):
        run(cursors({"": ("ab", "x"), "x": ("c", "")}, total=5), dataset)


def linked(link):
    """Serve three pages linked by a function of the next page's number."""

    def handler(asked):
        page = int(asked.query.get("after", "1"))
        headers = {"Link": link(page + 1)} if page < 3 else {}
        status, _, body = answer([{"id": str(page)}])
        return status, headers, body

    return handler


@pytest.mark.parametrize(
    "link",
    [
        lambda n: f'</accounts?after={n}&x=%2B>; rel="next"',
        lambda n: f"<?after={n}>; rel=next",
        lambda n: f'</p>; rel="prev", </accounts?after={n}>; title="a, b"; rel="last next"',
    ],
)
def test_link_headers_are_followed(link):
    """Absolute paths, bare queries, several links and relations."""
    found, _, _ = run(linked(link), {"paging": {"kind": "link_header", "size": 1}})
    assert ["1", "2", "3"] == found


def test_a_link_to_another_host_is_not_followed():
    """Our identity stays with the system that it belongs to."""
    link = lambda n: f'<http://evil.invalid/?after={n}>; rel="next"'  # noqa: E731
    with pytest.raises(PagingBroken, match="another host"):
        run(linked(link), {"paging": {"kind": "link_header", "size": 1}})


def test_next_urls_in_the_body_are_followed():
    """Relative to what was asked."""

    def handler(asked):
        page = int(asked.query.get("after", "1"))
        following = f"/accounts?after={page + 1}" if page < 3 else None
        return answer([{"id": str(page)}], links={"next": following})

    found, _, _ = run(handler, {"paging": {"kind": "next_url", "size": 1, "next": "links.next"}})
    assert ["1", "2", "3"] == found


def test_a_long_window_is_asked_in_pieces_and_goes_on_in_the_right_one():
    """Three pieces of at most 31 days; half-open, without a gap."""
    window = Window(UNTIL - timedelta(days=70), UNTIL)
    dataset = {"window": {"format": "yyyyMMdd", "max_days": 31}}

    def handler(asked):
        return answer([{"id": asked.query["from"] + asked.query["to"]}])

    found, pages, asked = run(handler, dataset, window=window)
    assert ["2018073020180830", "2018083020180930", "2018093020181008"] == found
    assert [1, 2, 3] == [page.number for page in pages]

    found, _, asked = run(handler, dataset, window=window, after=pages[1].next_cursor)
    assert (["2018093020181008"], 1) == (found, len(asked))


def test_pieces_cover_a_window_exactly():
    """Each ends where the next begins."""
    window = Window(UNTIL - timedelta(days=62), UNTIL)
    pieces = pieces_of(window, 31)
    assert [window.since, *(piece.until for piece in pieces)] == [
        *(piece.since for piece in pieces),
        window.until,
    ]


def test_a_cursor_of_another_window_is_refused():
    """It would silently skip rows."""
    pages = cursors({"": ("a", "x"), "x": ("b", "")})
    _, kept, _ = run(pages, by_cursor())
    with pytest.raises(ConfigInvalid, match="another dataset or window"):
        run(pages, by_cursor(), window=Window(UNTIL, UNTIL), after=kept[0].next_cursor)


@pytest.mark.parametrize("text", ["", "x", "{}", '{"window":1,"evil":2}', "[]"])
def test_a_broken_cursor_is_refused(text):
    """Nothing is guessed."""
    if not text:
        return
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        run(cursors({"": ("a", "")}), by_cursor(), after=text)


def test_rows_per_run_stop_the_run_with_its_cursor_kept():
    """The next run goes on where this one stopped."""
    with serving(Numbered(12)) as server:
        system = rest_system(dataset=numbered("no"), budget={"rows_per_run": 5})
        connector = connect(system, server.url)
        kept = []
        with pytest.raises(OutsideBudget, match="6 rows were read, the budget is 5"):
            collect(connector.read_pages("account", ALL), kept)
        kept += connector.read_pages("account", ALL, after=kept[-1].next_cursor)
        assert [str(n) for n in range(12)] == ids(connector, kept)


def test_zero_rows_where_there_are_never_zero():
    """An empty first load of a register is a fault of somebody's."""
    with pytest.raises(UnexpectedlyEmpty, match="no row at all"):
        run(Numbered(0), {**numbered("no"), "never_zero": True})


def test_zero_rows_of_a_short_window_are_normal():
    """Nothing changed in the last five minutes."""
    window = Window(UNTIL - timedelta(minutes=5), UNTIL)
    found, _, _ = run(Numbered(0), {**numbered("no"), "never_zero": True}, window=window)
    assert [] == found


def test_the_page_is_kept_as_it_came():
    """Byte for byte, with the declared total."""
    body = b'{ "rows" : [ {"id" : 1.50} ], "total":1 }'
    _, pages, _ = run(lambda _a: (200, {}, body), {"total": "total"})
    assert [(1, body, 1)] == [(p.number, p.body, p.declared_total) for p in pages]

"""Key sets, halved windows and counted pages over real HTTP; each lie of a source has its name."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    LinkLeavesHost,
    PageShort,
    PagingNeverStill,
    PagingRepeats,
    RowsMissing,
    TotalChanged,
    WindowTooFull,
)
from connectors.spans import unit_seconds
from tests.connectors.serving import UNTIL, collect, connect, ok, rest_system, serving
from tests.connectors.test_paging import (
    NUMBERED,
    Numbered,
    by_cursor,
    cursors,
    ids,
    linked,
    numbered,
    run,
)
from tongban.kernel.errors import ConfigInvalid, OutsideBudget, PagingBroken
from tongban.kernel.records import BEIJING, Window

KEYED = {
    "call": {"path": "/a", "query": {"t": "{after:t?}", "id": "{after:id?}", "n": "{size}"}},
    "paging": {"kind": "key_set", "size": 3, "keys": ["t", "id"]},
}


class Keyed:
    """A list ordered by (t, id), asked after a key; `change` runs after each request."""

    def __init__(self, count: int, *, change=lambda _rows, _n: None, total=False) -> None:
        self.rows = [{"t": f"{n // 2:03d}", "id": f"{n:03d}"} for n in range(count)]
        self.change = change
        self.total = total
        self.calls = 0

    def __call__(self, asked):
        """Answer one request."""
        after = (asked.query.get("t", ""), asked.query.get("id", ""))
        found = sorted((r["t"], r["id"]) for r in self.rows)
        part = [k for k in found if k > after][: int(asked.query["n"])]
        more = {"total": len(self.rows)} if self.total else {}
        reply = ok([{"t": t, "id": i} for t, i in part], **more)
        self.calls += 1
        self.change(self.rows, self.calls)
        return reply


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 10])
def test_a_key_set_is_read_to_its_empty_page(count):
    """Each row once; the first request names no key."""
    found, pages, asked = run(Keyed(count), KEYED)
    assert [f"{n:03d}" for n in range(count)] == found
    assert "t" not in asked[0].query
    assert pages[-1].next_cursor is None


@pytest.mark.parametrize("at", [1, 2, 3])
def test_rows_that_leave_a_key_set_move_no_other_row(at):
    """The rows before the key are gone; nothing is jumped over."""
    served = Keyed(10, change=lambda rows, n: n == at and rows.pop(0))
    found, _, _ = run(served, KEYED)
    assert [f"{n:03d}" for n in range(10) if n] == [i for i in found if i != "000"]


def test_a_key_set_goes_on_after_a_kept_page():
    """Exactly the rest."""
    served = Keyed(10)
    with serving(served) as server:
        connector = connect(rest_system(dataset=KEYED), server.url)
        kept = [page for page, _ in zip(connector.read_pages("account", ALL_), "ab", strict=False)]
        rest = list(connector.read_pages("account", ALL_, after=kept[-1].next_cursor))
        assert [f"{n:03d}" for n in range(10)] == ids(connector, [*kept, *rest])


def test_fewer_rows_than_the_first_page_of_a_key_set_declares_are_refused():
    """Declared 10, and the list ends after 6."""
    served = Keyed(10, total=True, change=lambda rows, n: n == 2 and rows.__delitem__(slice(6, 10)))
    with pytest.raises(RowsMissing, match="declares 10 rows but its pages gave 6"):
        run(served, {**KEYED, "total": "total"})


def test_a_total_that_counts_only_what_is_left_does_not_end_a_key_set():
    """Many sources count the rows after the key; only an empty page is the end."""
    served = Keyed(10)

    def handler(asked):
        after = asked.query.get("id", "")
        served.total = False
        status, headers, body = served(asked)
        left = sum(r["id"] > after for r in served.rows)
        return status, headers, body[:-1] + f', "total": {left}}}'.encode()

    found, _, _ = run(handler, {**KEYED, "total": "total"})
    assert 10 == len(found)


def test_a_source_that_ignores_the_key_is_refused():
    """It would answer the first page for ever."""
    page = [{"t": "1", "id": "1"}, {"t": "1", "id": "2"}]
    with pytest.raises(PagingRepeats, match="key that was asked before"):
        run(lambda _a: ok(page), KEYED)


def test_a_last_row_without_its_key_is_refused():
    """The next page cannot be asked."""
    with pytest.raises(PagingBroken, match="lacks a field of the key"):
        run(lambda _a: ok([{"t": "1", "id": None}]), KEYED)


def test_an_inclusive_key_set_reads_the_boundary_row_twice_and_ends():
    """The page begins with the row of the key."""
    rows = [f"{n:03d}" for n in range(8)]

    def handler(asked):
        return ok([{"id": i} for i in rows if i >= asked.query["a"]][:3])

    dataset = {
        "call": {"path": "/a", "query": {"a": "{after}"}},
        "paging": {
            "kind": "key_set",
            "size": 3,
            "keys": "id",
            "inclusive": True,
            "first": {"id": "000"},
        },
    }
    found, _, asked = run(handler, dataset)
    assert rows == sorted(set(found))
    assert "000" == asked[0].query["a"]


def test_a_whole_page_of_one_key_is_refused_where_the_key_is_inclusive():
    """What lies behind it can never be reached."""
    dataset = {
        "call": {"path": "/a", "query": {"a": "{after}"}},
        "paging": {"kind": "key_set", "size": 3, "keys": "t", "inclusive": True},
    }
    with pytest.raises(PagingRepeats, match="whole page of one key"):
        run(lambda _a: ok([{"t": "5", "id": n} for n in range(3)]), dataset)


def test_a_placeholder_that_is_no_field_of_the_key_is_a_configuration_error():
    """Named with the fields that are."""
    dataset = {**KEYED, "call": {"path": "/a", "query": {"x": "{after:name}"}}}
    with pytest.raises(ConfigInvalid, match="no field of the key"):
        run(Keyed(1), dataset)


def test_key_set_paging_needs_its_placeholder():
    """Or every page would be the first."""
    dataset = {**KEYED, "call": {"path": "/a"}}
    with pytest.raises(ConfigInvalid, match=r"needs \{after\}"):
        run(Keyed(1), dataset)


ALL_ = Window(None, UNTIL)
SECONDS = "yyyyMMddHHmmss"


class Capped:
    """Rows at given seconds; gives at most `cap` of a window, with or without its true total."""

    def __init__(self, seconds, cap, *, total: str | None = "true") -> None:
        self.moments = [(SINCE + timedelta(seconds=s), n) for n, s in enumerate(seconds)]
        self.cap = cap
        self.total = total

    def __call__(self, asked):
        """Answer one numbered page of a window."""
        since, until = (
            datetime.strptime(asked.query[name], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
            for name in ("from", "to")
        )
        page, size = int(asked.query["p"]), int(asked.query["n"])
        inside = [n for moment, n in self.moments if since <= moment < until]
        given = inside[: self.cap][(page - 1) * size : page * size]
        totals = {"true": len(inside), "capped": min(len(inside), self.cap), None: None}
        more = {} if self.total is None else {"total": totals[self.total]}
        return ok([{"id": str(n)} for n in given], **more)


SINCE = datetime(2018, 10, 1, tzinfo=BEIJING)
WEEK = Window(SINCE, SINCE + timedelta(days=7))


def capped(cap, **more):
    """Declare a list with a cap on one window."""
    query = {"from": "{since}", "to": "{until}", **NUMBERED["query"]}
    return {
        "call": {"path": "/a", "query": query},
        "paging": {"kind": "page_number", "size": 2, "shifting": "no"},
        "window": {"format": SECONDS, "cap_rows": cap},
        "total": "total",
        **more,
    }


@settings(max_examples=12)
@given(st.lists(st.integers(0, 7 * 86_400 - 1), max_size=25, unique=True))
@pytest.mark.parametrize("total", ["true", "capped", None])
def test_a_window_over_the_cap_is_halved_until_every_row_is_read(total, seconds):
    """With a true total, one that stops at the cap, and none at all."""
    dataset = capped(4)
    if total is None:
        dataset.pop("total")
    found, pages, _ = run(Capped(seconds, 4, total=total), dataset, window=WEEK)
    assert {str(n) for n in range(len(seconds))} == set(found)
    assert list(range(1, len(pages) + 1)) == [page.number for page in pages]
    assert [True] == [page.next_cursor is None for page in pages][-1:]


def test_a_halved_window_declares_the_sum_of_its_parts():
    """The last page's total is the whole window's, for the balance of the transfer."""
    _, pages, _ = run(Capped(range(0, 600_000, 60_000), 4), capped(4), window=WEEK)
    assert 10 == pages[-1].declared_total


@pytest.mark.parametrize("total", ["true", None])
def test_every_page_of_a_halved_window_is_a_place_to_go_on_from(total):
    """Killed anywhere, the rest is read, and nothing before it but at most a part."""
    dataset = capped(4)
    if total is None:
        dataset.pop("total")
    served = Capped(range(0, 600_000, 40_000), 4, total=total)
    with serving(served) as server:
        connector = connect(rest_system(dataset=dataset), server.url)
        pages = list(connector.read_pages("account", WEEK))
        for at in range(1, len(pages)):
            rest = connector.read_pages("account", WEEK, after=pages[at - 1].next_cursor)
            together = ids(connector, [*pages[:at], *rest])
            assert {str(n) for n in range(15)} == set(together)


def test_more_rows_in_one_second_than_the_source_gives_are_named():
    """The window cannot be smaller, and the rest of the rows cannot be reached."""
    with pytest.raises(WindowTooFull, match="4 rows or more in the shortest window"):
        run(Capped([5] * 9, 4), capped(4), window=WEEK)


def test_the_first_load_is_halved_from_the_declared_beginning():
    """A window without a lower bound has one for halving."""
    rule = {"format": SECONDS, "cap_rows": 4, "earliest": SINCE}
    dataset = capped(4, window=rule)
    found, _, asked = run(Capped(range(0, 600_000, 60_000), 4), dataset, window=Window(None, UNTIL))
    assert {str(n) for n in range(10)} == set(found)
    assert "20181001000000" == asked[0].query["from"]


@pytest.mark.parametrize(
    ("pattern", "seconds"),
    [
        ("iso", 1),
        ("yyyyMMddHHmmss", 1),
        ("yyyy-MM-dd HH:mm", 60),
        ("yyyyMMddHH", 3600),
        ("yyyyMMdd", 86_400),
    ],
)
def test_windows_are_halved_at_what_their_format_can_say(pattern, seconds):
    """A date cannot be halved at noon."""
    assert seconds == unit_seconds(pattern)


def test_a_window_of_dates_is_halved_at_midnight():
    """Both halves together are the week."""
    query = {"from": "{since}", "to": "{until}", **NUMBERED["query"]}
    dataset = capped(4, window={"format": "yyyyMMdd", "cap_rows": 4})
    dataset["call"] = {"path": "/a", "query": query}
    asked_for = []

    def handler(asked):
        span = asked.query["from"], asked.query["to"]
        asked_for.append(span)
        days = int(span[1]) - int(span[0])
        return ok([{"id": span[0]}] if days <= 2 else [], total=1 if days <= 2 else 9)

    run(handler, dataset, window=WEEK)
    leaves = [s for s in asked_for if int(s[1]) - int(s[0]) <= 2]
    assert "20181001" == leaves[0][0]
    assert "20181008" == leaves[-1][1]
    assert [b for _, b in leaves[:-1]] == [a for a, _ in leaves[1:]]


def test_a_page_that_is_shorter_than_it_says_is_refused():
    """Its own count is another than its rows."""
    dataset = {**by_cursor(), "count": "n"}
    with pytest.raises(PageShort, match="says that it has 2 rows but 1 came"):
        run(cursors({"": ("a", "")}, n=2), dataset)


LIES = {
    "a list that never stands still": (
        PagingNeverStill,
        lambda: run(Numbered(40, change=lambda r, _n: r.pop(0)), numbered("total", size=2)),
    ),
    "a page that comes twice": (
        PagingRepeats,
        lambda: run(lambda _a: ok([{"id": "1"}] * 3, total=99), numbered("no")),
    ),
    "a cursor that comes twice": (
        PagingRepeats,
        lambda: run(cursors({"": ("a", "x"), "x": ("b", "y"), "y": ("c", "x")}), by_cursor()),
    ),
    "fewer rows than declared": (
        RowsMissing,
        lambda: run(cursors({"": ("a", "")}, total=5), {**by_cursor(), "total": "total"}),
    ),
    "a total that changes": (
        TotalChanged,
        lambda: run(Numbered(10, change=lambda r, n: n == 1 and r.pop()), numbered("no")),
    ),
    "a link to another host": (
        LinkLeavesHost,
        lambda: run(
            linked(lambda n: f'<http://evil.invalid/?after={n}>; rel="next"'),
            {"paging": {"kind": "link_header", "size": 1}},
        ),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_of_a_source_has_its_own_name(lie):
    """Below `PagingBroken`, with a code of its own."""
    expected, act = LIES[lie]
    with pytest.raises(PagingBroken) as caught:
        act()
    assert expected is type(caught.value)
    assert PagingBroken.code != caught.value.code


def test_rows_that_are_committed_late_come_with_the_overlap():
    """The source stamps a row 09:59 and commits it at 10:01; the next window looks back."""
    from tongban.pull import next_window

    first_end = datetime(2018, 10, 8, 10, 0, tzinfo=BEIJING)
    late = (first_end - timedelta(minutes=1), "late")
    visible: list[tuple[datetime, str]] = [(first_end - timedelta(minutes=30), "early")]

    def handler(asked):
        since, until = (datetime.fromisoformat(asked.query[name]) for name in ("from", "to"))
        return ok([{"id": i} for moment, i in visible if since <= moment < until])

    with serving(handler) as server:
        connector = connect(rest_system(), server.url)
        before = list(connector.read_pages("account", Window(SINCE, first_end)))
        visible.append(late)
        overlap = timedelta(seconds=rest_system().window_rule("account").overlap_s)
        window = next_window(
            first_end, first_end + timedelta(minutes=10), overlap=overlap, longest=None
        )
        after = list(connector.read_pages("account", window))
        assert ["early"] == ids(connector, before)
        assert ["late"] == ids(connector, after)


def test_a_cursor_list_may_stop_between_any_two_pages_and_go_on():
    """The cursor that is kept is the source's own."""
    pages = {str(n) if n else "": (f"{n}", str(n + 1) if n < 5 else "") for n in range(6)}
    with serving(cursors(pages)) as server:
        system = rest_system(dataset=by_cursor(), budget={"rows_per_run": 2})
        connector = connect(system, server.url)
        kept = []
        for _ in range(3):
            after = kept[-1].next_cursor if kept else None
            with suppress(OutsideBudget):
                collect(connector.read_pages("account", ALL_, after=after), kept)
        assert [str(n) for n in range(6)] == ids(connector, kept)

"""The landing keeps pages as received, sealed, and lets an interrupted pull go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel.errors import ConfigInvalid, EnvelopeBroken, SystemUnavailable
from tongban.kernel.records import BEIJING, Page, Window
from tongban.protect import KeyRing
from tongban.pull import Landing, LandingStore, fetch_window, given_window, next_window
from tongban.pull.landing import UNREADABLE_KEPT, LandingMissing

NOON = datetime(2026, 11, 24, 12, tzinfo=BEIJING)
WINDOW = Window(since=None, until=NOON)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A new landing in a local folder."""
    ring = KeyRing.open(tmp_path / "keys")
    store = LandingStore((tmp_path / "landing").as_uri(), seal=ring.seal, unseal=ring.unseal)
    return store.landing("tax", "deed_tax_payment", "0001")


class Source:
    """A source of numbered pages that can stop in the middle."""

    def __init__(self, pages: int, *, stop_before: int | None = None) -> None:
        self.pages = pages
        self.stop_before = stop_before
        self.asked: list[str | None] = []

    def read_pages(
        self, dataset: str, window: Window, *, after: str | None = None
    ) -> Iterator[Page]:
        """Pages `body 1 of dataset`, …, with the page number as the cursor."""
        self.asked.append(after)
        for number in range(int(after or 1), self.pages + 1):
            if number == self.stop_before:
                raise SystemUnavailable("the source went away")
            yield Page(
                number=number,
                body=f"body {number} of {dataset}".encode(),
                cursor=str(number),
                next_cursor=str(number + 1) if number < self.pages else None,
                declared_total=self.pages,
            )


def test_pages_come_back_exactly_as_received(landing: Landing):
    """What was landed is what the source sent, in order."""
    fetch_window(Source(3), landing, WINDOW)

    bodies = [page.body for page in landing.pages()]

    assert [f"body {n} of deed_tax_payment".encode() for n in (1, 2, 3)] == bodies


def test_no_file_of_the_landing_holds_a_readable_body(landing: Landing, tmp_path: Path):
    """A curious operator who reads the folder learns nothing."""
    fetch_window(Source(3), landing, WINDOW)

    files = [p.read_bytes() for p in (tmp_path / "landing").rglob("*") if p.is_file()]

    assert 4 == len(files)
    assert not any(b"body" in data for data in files)


def test_no_file_of_the_landing_holds_a_readable_cursor(landing: Landing, tmp_path: Path):
    """With key-set paging a cursor is somebody's number."""
    page = Page(1, b"rows", cursor="", next_cursor="620899199001010000", declared_total=None)
    landing.append(page)
    landing.append(Page(2, b"", "620899199001010000", next_cursor=None, declared_total=None))
    landing.close(since=None, until=NOON.isoformat())

    files = [p.read_bytes() for p in (tmp_path / "landing").rglob("*") if p.is_file()]

    assert 3 == len(files)
    assert not any(b"620899" in data for data in files)


def test_a_manifest_from_another_landing_is_refused(landing: Landing, tmp_path: Path):
    """Else its bounds would move the cursor over rows that nobody read."""
    fetch_window(Source(2), landing, WINDOW)
    ring = KeyRing.open(tmp_path / "keys")
    store = LandingStore((tmp_path / "landing").as_uri(), seal=ring.seal, unseal=ring.unseal)
    other = store.landing("tax", "deed_tax_payment", "0002")
    fetch_window(Source(2), other, Window(since=None, until=NOON + timedelta(days=9)))
    theirs, ours = (tmp_path / "landing/tax/deed_tax_payment" / i for i in ("0002", "0001"))
    (ours / "manifest.bin").write_bytes((theirs / "manifest.bin").read_bytes())

    with pytest.raises(EnvelopeBroken):
        landing.manifest()


def test_a_stale_page_behind_a_gap_is_no_page_of_the_window(landing: Landing):
    """A page of an older reading must not come back when the list has become shorter."""
    landing.append(Page(1, b"one", "1", next_cursor=None, declared_total=None))
    landing.append(Page(3, b"old", "3", next_cursor=None, declared_total=None))

    manifest = landing.close(since=None, until=NOON.isoformat())

    assert [1] == [page.number for page in manifest.pages]


def test_an_interrupted_pull_goes_on_after_its_last_landed_page(landing: Landing):
    """Pages that are landed are never asked for again."""
    with pytest.raises(SystemUnavailable):
        fetch_window(Source(5, stop_before=4), landing, WINDOW)
    source = Source(5)

    manifest = fetch_window(source, landing, WINDOW)

    assert ["4"] == source.asked
    assert [1, 2, 3, 4, 5] == [page.number for page in manifest.pages]


def test_fetching_a_complete_landing_again_asks_nothing(landing: Landing):
    """A retry after the last page costs the source nothing."""
    first = fetch_window(Source(2), landing, WINDOW)
    source = Source(2)

    second = fetch_window(source, landing, WINDOW)

    assert first == second
    assert [] == source.asked


def test_a_changed_page_file_is_refused(landing: Landing, tmp_path: Path):
    """Nobody can slip another page into a landing."""
    fetch_window(Source(2), landing, WINDOW)
    victim = next((tmp_path / "landing").rglob("page-000002.bin"))
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(bytes(data))

    with pytest.raises(EnvelopeBroken):
        list(landing.pages())


def test_two_page_files_that_were_swapped_are_refused(landing: Landing, tmp_path: Path):
    """A sealed page opens only in its own place."""
    fetch_window(Source(2), landing, WINDOW)
    one, two = sorted((tmp_path / "landing").rglob("page-*.bin"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)

    with pytest.raises(EnvelopeBroken):
        list(landing.pages())


def test_a_lost_page_file_is_named(landing: Landing, tmp_path: Path):
    """The message says which page is gone and what to do."""
    fetch_window(Source(2), landing, WINDOW)
    next((tmp_path / "landing").rglob("page-000001.bin")).unlink()

    with pytest.raises(LandingMissing, match="page 1 is gone; pull the window again"):
        list(landing.pages())


def test_an_open_landing_has_no_manifest(landing: Landing):
    """Loading half a window is impossible."""
    with pytest.raises(SystemUnavailable):
        fetch_window(Source(3, stop_before=2), landing, WINDOW)

    with pytest.raises(LandingMissing):
        landing.manifest()


def test_unreadable_answers_are_kept_sealed_beside_the_pages(landing: Landing, tmp_path: Path):
    """Evidence for the talk with the department; the pages and the manifest do not change."""
    fetch_window(Source(1), landing, WINDOW)
    for body in (b"<html>closed</html>", b"<cut", b"<cut"):
        landing.keep_unreadable(body)

    assert [b"<html>closed</html>", b"<cut"] == list(landing.unreadable())
    assert ["unreadable-1.bin", "unreadable-2.bin"] == sorted(
        p.name for p in (tmp_path / "landing").rglob("unreadable-*")
    )
    assert not any(b"closed" in p.read_bytes() for p in (tmp_path / "landing").rglob("*.bin"))
    assert 1 == len(list(landing.pages()))


def test_a_source_that_fails_all_night_does_not_fill_the_disk(landing: Landing):
    """Only the first unreadable answers of a landing are kept."""
    for number in range(UNREADABLE_KEPT + 5):
        landing.keep_unreadable(f"broken {number}".encode())

    assert UNREADABLE_KEPT == len(list(landing.unreadable()))


def test_a_half_written_page_file_does_not_count(landing: Landing, tmp_path: Path):
    """A kill in the middle of a write leaves a .part file, which nobody reads."""
    with pytest.raises(SystemUnavailable):
        fetch_window(Source(3, stop_before=2), landing, WINDOW)
    folder = next((tmp_path / "landing").rglob("page-000001.bin")).parent
    (folder / "page-000002.bin.part").write_bytes(b"half")

    manifest = fetch_window(Source(3), landing, WINDOW)

    assert 3 == len(manifest.pages)


def test_deleting_a_landing_twice_is_fine(landing: Landing):
    """Retention may be interrupted and started again."""
    fetch_window(Source(1), landing, WINDOW)

    landing.delete()
    landing.delete()

    assert landing.last() is None


def test_the_first_window_has_no_beginning():
    """Before the first commit everything is asked for."""
    window = next_window(None, NOON, overlap=timedelta(minutes=5), longest=None)

    assert Window(since=None, until=NOON) == window


def test_the_next_window_looks_back_over_the_overlap():
    """Rows that were committed late at the source are read once more."""
    cursor = NOON - timedelta(hours=1)

    window = next_window(cursor, NOON, overlap=timedelta(minutes=5), longest=None)

    assert Window(since=cursor - timedelta(minutes=5), until=NOON) == window


@given(
    behind=st.integers(0, 10_000),
    overlap=st.integers(0, 600),
    longest=st.one_of(st.none(), st.integers(1, 2_000)),
)
def test_a_window_never_leaves_a_gap_behind_the_cursor(
    behind: int, overlap: int, longest: int | None
):
    """Whatever the limits, the window begins at or before the cursor and does not go back."""
    cursor = NOON - timedelta(minutes=behind)
    window = next_window(
        cursor,
        NOON,
        overlap=timedelta(minutes=overlap),
        longest=timedelta(minutes=longest) if longest else None,
    )

    assert window.since is not None
    assert window.since <= cursor <= window.until <= NOON


def test_a_clock_that_was_set_back_is_noticed():
    """Else rows that change until the old reading would silently never be asked for."""
    with pytest.raises(ConfigInvalid, match="clock"):
        next_window(NOON + timedelta(days=2), NOON, overlap=timedelta(minutes=5), longest=None)


def test_clocks_of_two_workers_may_differ_a_little():
    """A cursor a minute ahead gives an empty window behind it, not an error."""
    cursor = NOON + timedelta(minutes=1)

    window = next_window(cursor, NOON, overlap=timedelta(minutes=5), longest=None)

    assert Window(since=cursor - timedelta(minutes=5), until=cursor) == window


def test_a_given_window_ends_at_the_present():
    """The cursor must not move over what has not happened yet."""
    asked = Window(since=None, until=NOON + timedelta(days=365))

    assert WINDOW == given_window(asked, NOON)


@pytest.mark.parametrize("hours", [0, 1])
def test_a_given_window_without_a_past_moment_is_refused(hours: int):
    """Both bounds exchanged, or a year mistyped."""
    asked = Window(since=NOON + timedelta(hours=hours), until=NOON + timedelta(days=1))

    with pytest.raises(ConfigInvalid, match="--since"):
        given_window(asked, NOON)


def test_a_window_without_a_zone_is_refused():
    """An eight-hour error cannot even be written down."""
    with pytest.raises(ValueError, match="time zone"):
        Window(since=None, until=datetime(2026, 11, 24))  # noqa: DTZ001

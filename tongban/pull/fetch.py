"""Fetch one window into its landing, going on after the last landed page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from tongban.kernel.records import Page, Window
from tongban.pull.landing import Landing, Manifest


class PageReader(Protocol):
    """The part of a connector that pulling needs."""

    def read_pages(
        self, dataset: str, window: Window, *, after: str | None = None
    ) -> Iterator[Page]:
        """Pages of the window, from the cursor `after` on."""
        ...


def fetch_window(
    reader: PageReader,
    landing: Landing,
    window: Window,
    *,
    on_page: Callable[[Page], None] | None = None,
) -> Manifest:
    """Land every page of a window and close the landing.

    A landing that already holds pages is continued: the connector is asked from the last page's
    `next_cursor` on, so an interrupted window re-reads at most the page that was in flight.

    Args:
        reader: A connector.
        landing: Where the pages go; new, or interrupted earlier.
        window: What to ask for.
        on_page: Told of each page once it is safely landed (progress, counts).

    Raises:
        RetryLater: The source paused; the landed pages stay for the next try.
        Fatal: The source's answer cannot be used; the landed pages stay for evidence.
    """
    last = landing.last()
    finished = last is not None and last.next_cursor is None
    if not finished:
        number = last.number if last else 0
        after = last.next_cursor if last else None
        for page in reader.read_pages(landing.dataset, window, after=after):
            number += 1
            kept = Page(
                number=number,
                body=page.body,
                cursor=page.cursor,
                next_cursor=page.next_cursor,
                declared_total=page.declared_total,
            )
            landing.append(kept)
            if on_page is not None:
                on_page(kept)
    since = window.since.isoformat() if window.since else None
    return landing.close(since=since, until=window.until.isoformat())

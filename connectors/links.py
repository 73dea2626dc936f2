"""Links: what a source names as the next page's address, and whether we may go there.

A link is followed to the host that the connection names and to no other, whether it has just come
or was kept in a cursor; it carries no identity of its own. Nothing here opens a socket.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from connectors.errors import LinkLeavesHost

_PORTS = {"http": 80, "https": 443}


def is_our_host(ours: str, url: str) -> bool:
    """Tell whether an address has our scheme, host and port, and no user in it."""
    try:
        return _place(url) == _place(ours) and "@" not in urlsplit(url).netloc
    except ValueError:  # no port, or brackets that do not close
        return False


def _place(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, parts.port or _PORTS.get(scheme)


def check_our_host(ours: str, url: str, where: str) -> None:
    """Refuse an address that leads our identity elsewhere.

    Raises:
        LinkLeavesHost: It does.
    """
    if not is_our_host(ours, url):
        raise LinkLeavesHost(
            f"{where}: the link to the next page leads to another host; it was not followed. Where "
            "a proxy stands between, `take: query` asks our own address with the link's query"
        )


def followed(asked: str, target: str, where: str, *, query_only: bool) -> str:
    """Give the address of the next page.

    Args:
        asked: Address of the page that named it.
        target: What it named, perhaps relative.
        where: System and dataset, for messages.
        query_only: Only the link's query counts; the address stays ours.

    Raises:
        LinkLeavesHost: It leads to another host.
    """
    try:
        url = urljoin(asked, target)
    except ValueError:
        url = target
    if query_only:
        return f"{asked.partition('?')[0]}?{url.partition('#')[0].partition('?')[2]}"
    check_our_host(asked, url, where)
    return url.partition("#")[0]

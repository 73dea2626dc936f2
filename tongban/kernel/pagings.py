"""The closed vocabulary of paging: how a department cuts its answer into pages.

A part of a system's YAML, as `tongban.kernel.interfaces` is; `connectors/paging.py` walks them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from tongban.kernel.budgets import Strict
from tongban.kernel.words import Words


class NoPaging(Strict):
    """One answer holds everything."""

    kind: Literal["none"] = "none"
    size: PositiveInt = 1


class PageNumber(Strict):
    """Numbered pages of fixed size.

    Attributes:
        first: Number of the first page.
        shifting: What guards against rows that move between pages while we read. `no`: the list
            stands still, its total must not change; `total`: a changed total or first page at the
            end starts another pass; `pass`: read again until a pass shows nothing new.
    """

    kind: Literal["page_number"]
    size: PositiveInt
    first: int = 1
    shifting: Literal["no", "total", "pass"] = "pass"


class Offset(Strict):
    """Row offset and count.

    Attributes:
        first: Offset of the first row.
        overlap: Rows of the page before that are read again to prove that nothing moved.
    """

    kind: Literal["offset"]
    size: PositiveInt
    first: int = 0
    overlap: int = Field(default=1, ge=0, le=100)


class Cursor(Strict):
    """The answer names the cursor of the next page.

    Attributes:
        next: Path of the next cursor.
        more: Path of a flag that says whether there is another page; null: a cursor means yes.
        first: Cursor of the first page.
        end: Cursors that mean "no further page", such as "0"; absent, null, false and "" always do.
    """

    kind: Literal["cursor"]
    size: PositiveInt
    next: str
    more: str | None = None
    first: str = ""
    end: Words = ()


class LinkHeader(Strict):
    """`Link: <url>; rel="next"` (RFC 8288) names the next page; it must stay on our host.

    Attributes:
        take: `query`: only the link's query counts and the address stays ours, for a source behind
            a proxy that names its inner address.
    """

    kind: Literal["link_header"]
    size: PositiveInt
    take: Literal["url", "query"] = "url"


class NextUrl(Strict):
    """The answer's body names the next page's URL; it must stay on our host.

    Attributes:
        next: Path of that URL; a member's own name may have dots, as `@odata.nextLink`.
        take: See `link_header`.
    """

    kind: Literal["next_url"]
    size: PositiveInt
    next: str
    take: Literal["url", "query"] = "url"


class KeySet(Strict):
    """The next page is asked after the key of the last row; the list is ordered by that key.

    It ends with an empty page: a short one proves nothing. Key values are kept in the cursor, which
    travels sealed with its page.

    Attributes:
        keys: Fields of a record, in the order of the sorting; `{after:FIELD}` in the call.
        first: Values of the first page; empty where not named (then `{after:FIELD?}` drops out).
        inclusive: The page begins with the row of the key, so the last row comes again.
    """

    kind: Literal["key_set"]
    size: PositiveInt
    keys: Words
    first: dict[str, str] = Field(default_factory=dict)
    inclusive: bool = False


Paging = Annotated[
    NoPaging | PageNumber | Offset | Cursor | LinkHeader | NextUrl | KeySet,
    Field(discriminator="kind"),
]

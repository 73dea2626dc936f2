"""Markdown: tables and cells, so that the pages only say what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m docs.generate` from the code. Change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """Put a page together: title, the note that it is generated, its parts."""
    return "\n\n".join([f"# {title}", MADE, *(part.strip("\n") for part in parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table; pipes and line ends inside cells are made harmless."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(item) for item in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: object) -> str:
    """Write one cell; nothing is a dash."""
    text = "" if value is None else str(value)
    return " ".join(text.replace("|", r"\|").split()) or "—"


def code(text: object) -> str:
    """Write a name or a value as code; nothing stays nothing."""
    return f"`{text}`" if text not in {None, ""} else ""


def first_line(docstring: str | None) -> str:
    """Give the first sentence of a docstring."""
    return (docstring or "").strip().split("\n\n")[0].replace("\n", " ")

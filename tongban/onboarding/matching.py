"""Matching: which field of ours a source field probably is, how sure that is, and why.

Evidence is by name, by label, by what departments call it, by type and by sample values; several
pieces strengthen each other, a type that does not fit halves them. Each concept is given once, the
surest match first. A guess stays a guess: it stands in the draft with its confidence and reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tongban.kernel import identifiers
from tongban.onboarding.concepts import Concept, plain
from tongban.onboarding.described import Node

COMPANY = 0.1  # what the rest of the record adds between two that are alike
LEAST = 0.45  # below this a match misleads more often than it helps
Evidence = tuple[float, str]
_FITS = {
    "string": {"string", "month", "date", "datetime", "decimal", "integer", "boolean"},
    "integer": {"integer", "decimal", "string", "month", "boolean", "datetime"},
    "decimal": {"decimal", "integer"},
    "date": {"date", "datetime", "month"},
    "datetime": {"datetime", "date"},
    "boolean": {"boolean", "string"},
}


@dataclass(frozen=True, slots=True)
class Match:
    """One source field and what it probably is.

    Attributes:
        path: Dotted source path.
        concept: None when nothing of ours fits.
        confidence: 0 to 1.
        reasons: Why, the strongest first.
    """

    path: str
    node: Node
    concept: Concept | None
    confidence: float
    reasons: tuple[str, ...]


def match_fields(fields: Sequence[tuple[str, Node]], concepts: dict[str, Concept]) -> list[Match]:
    """Match every field of a record, in its order."""
    popular = _popular(concepts.values())
    scored = [
        (*combined(list(_evidence(node, concept, popular))), path, concept)
        for path, node in fields
        for concept in concepts.values()
        if concept.field.type in _FITS.get(node.type, set())
    ]
    first = _assigned(scored, {})
    company = Counter(d for concept, _, _ in first.values() for d in concept.datasets)
    found = _assigned(scored, company)
    return [
        Match(path, node, *found[path]) if path in found else Match(path, node, None, 0.0, ())
        for path, node in fields
    ]


Scored = tuple[float, tuple[str, ...], str, Concept]


def _assigned(
    scored: Sequence[Scored], company: Mapping[str, int]
) -> dict[str, tuple[Concept, float, tuple[str, ...]]]:
    """Give each concept once, the surest first; of equals, the one that keeps more company.

    Args:
        scored: Confidence, reasons, path and concept of every pair.
        company: Dataset → how many of its fields this record probably has.
    """

    def order(item: Scored) -> tuple[float, str, int, str]:
        score, _, path, concept = item
        most = max(company.values(), default=0)
        near = max((company[d] for d in concept.datasets if d in company), default=0)
        return (
            -(score + (COMPANY * near / most if most and score else 0)),
            path,
            len(concept.name),
            concept.name,
        )

    found: dict[str, tuple[Concept, float, tuple[str, ...]]] = {}
    taken: set[str] = set()
    for confidence, reasons, path, concept in sorted(scored, key=order):
        if confidence >= LEAST and path not in found and concept.name not in taken:
            found[path] = (concept, confidence, reasons)
            taken.add(concept.name)
    return found


def combined(evidence: Sequence[Evidence]) -> tuple[float, tuple[str, ...]]:
    """Confidence of several pieces: the strongest, and half of what the others add."""
    ordered = sorted(evidence, key=lambda item: -item[0])
    if not ordered:
        return 0.0, ()
    doubt = 1.0 - ordered[0][0]
    for weight, _ in ordered[1:]:
        doubt *= 1.0 - weight / 2
    return round(1.0 - doubt, 2), tuple(reason for _, reason in ordered)


def _popular(concepts: Iterable[Concept]) -> dict[str, int]:
    """Source name → number of concepts that it has been used for."""
    found: dict[str, int] = {}
    for concept in concepts:
        for source in concept.sources:
            found[source] = found.get(source, 0) + 1
    return found


def _evidence(node: Node, concept: Concept, popular: dict[str, int]) -> Iterator[Evidence]:
    name = plain(node.name)
    if name == plain(concept.name):
        yield 0.95, "same name"
    elif name in concept.sources:
        times = concept.sources[name]
        weight = (0.9 if times else 0.75) / (1 + 0.15 * (popular[name] - 1))
        yield weight, f"called so in {times} of our mappings" if times else "usually called so"
    else:
        shared = _shared_words(node.name, concept.name)
        if shared >= 0.5:  # noqa: PLR2004 - half of the words
            yield 0.6 * shared, "similar name"
    yield from _by_label(node.label, concept.labels)
    yield from _by_values(node, concept)


def _by_label(label: str, labels: Iterable[str]) -> Iterator[Evidence]:
    text = _letters(label)
    if len(text) < 2:  # noqa: PLR2004 - one character says nothing
        return
    best: Evidence = (0.0, "")
    for own in labels:
        known = _letters(own)
        if known == text:
            best = max(best, (0.92, f"same label {own}"))
        elif len(known) > 1 and (known in text or text in known):
            share = min(len(known), len(text)) / max(len(known), len(text))
            best = max(best, (0.4 + 0.4 * share, f"label like {own}"))
        else:
            likeness = _likeness(text, known)
            if likeness >= 0.5:  # noqa: PLR2004 - half of the pairs of characters
                best = max(best, (0.75 * likeness, f"label like {own}"))
    if best[0]:
        yield best


def _by_values(node: Node, concept: Concept) -> Iterator[Evidence]:
    """What the shown values are by their own check digits or form."""
    samples = [value for value in node.samples if value]
    if not samples:
        return
    for kind, test in _TESTS.items():
        told = kind in concept.rules or kind in {concept.field.mask, concept.name}
        if told and all(test(value) for value in samples):
            yield 0.6, f"sample values are {kind}"
    allowed = concept.field.pattern
    if allowed and all(re.search(allowed, value) for value in samples):
        yield 0.25, "sample values fit the pattern"


_TESTS: dict[str, Callable[[str], bool]] = {
    "resident_id": identifiers.resident_id_is_valid,
    "credit_code": lambda v: identifiers.credit_code(v).outer,
    "real_estate_unit": identifiers.real_estate_unit_is_valid,
    "phone": lambda v: bool(re.fullmatch(r"1[3-9][0-9]{9}", v)),
}


def words_of(name: str) -> list[str]:
    """Words of a snake, camel or dashed name, lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]


def _shared_words(left: str, right: str) -> float:
    a, b = set(words_of(left)), set(words_of(right))
    return len(a & b) / len(a | b) if a and b else 0.0


def _letters(text: str) -> str:
    """A label without brackets and what is inside them, blanks and punctuation."""
    return re.sub(r"[（(\[【].*?[)）\]】]|[\W_]+", "", text).lower()


def _likeness(left: str, right: str) -> float:
    """Dice coefficient of pairs of characters."""
    a = {left[i : i + 2] for i in range(len(left) - 1)}
    b = {right[i : i + 2] for i in range(len(right) - 1)}
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0

"""Diff: all changes between two forms of a contract, the step they need and the step they got."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tongban.changes.effects import Bump, Change, Party
from tongban.changes.facts import Facts, version_text
from tongban.changes.fields import field_changes
from tongban.changes.rules import rule_changes
from tongban.changes.terms import term_changes


@dataclass(frozen=True)
class Report:
    """What a new form of a contract changes.

    Attributes:
        changes: The gravest first.
    """

    old: Facts
    new: Facts
    changes: tuple[Change, ...]

    @property
    def needed(self) -> Bump:
        """The least step that the changes allow."""
        return max((change.bump for change in self.changes), default=Bump.NONE)

    @property
    def given(self) -> Bump | None:
        """The step between the versions; None when the new one is below the old one."""
        before, after = self.old.version, self.new.version
        if after == before:
            return Bump.NONE
        if after < before:
            return None
        steps = (Bump.MAJOR, Bump.MINOR, Bump.PATCH)
        return next(step for step, a, b in zip(steps, before, after, strict=True) if a != b)

    @property
    def is_accepted(self) -> bool:
        """Whether the version says as much as the changes do."""
        return self.given is not None and self.given >= self.needed

    @property
    def next_version(self) -> str:
        """The lowest version that the changes allow."""
        major, minor, patch = self.old.version
        versions = {
            Bump.NONE: (major, minor, patch),
            Bump.PATCH: (major, minor, patch + 1),
            Bump.MINOR: (major, minor + 1, 0),
            Bump.MAJOR: (major + 1, 0, 0),
        }
        return version_text(versions[self.needed])

    @property
    def breaks(self) -> tuple[Party, ...]:
        """Everybody who loses by some change."""
        return tuple(p for p in Party if any(p in change.breaks for change in self.changes))

    def refusals(self) -> list[str]:
        """Why the step is too small: one line per change that needs more, with file:line."""
        if self.is_accepted:
            return []
        have = version_text(self.new.version)
        if self.given is None:
            line = (
                f"{self.new.at(('version',))}: version {have} is below the released "
                f"{version_text(self.old.version)}; raise it to {self.next_version}"
            )
            return [line]
        return [
            f"{self.new.at(change.where or ('version',))}: {change.subject}: {change.says} "
            f"({change.kind}) needs a {change.bump.word} step from "
            f"{version_text(self.old.version)}; {self._what_to_do(change.bump)}"
            for change in self.changes
            if change.bump > (self.given or Bump.NONE)
        ]

    def _what_to_do(self, bump: Bump) -> str:
        if bump is Bump.MAJOR:
            major = self.old.version[0] + 1
            return f"undo it, or write it as v{major}.yaml with version {self.next_version}"
        return f"undo it, or raise the version to {self.next_version}"

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "old": self.old.name,
            "new": self.new.name,
            "needed": self.needed.word,
            "given": None if self.given is None else self.given.word,
            "next_version": self.next_version,
            "accepted": self.is_accepted,
            "breaks": [party.value for party in self.breaks],
            "changes": [
                {
                    "kind": change.kind,
                    "subject": change.subject,
                    "says": change.says,
                    "means": change.effect.means,
                    "breaks": [party.value for party in change.breaks],
                    "needs": change.bump.word,
                    "place": self.new.at(change.where),
                }
                for change in self.changes
            ],
        }


def compare(old: Facts, new: Facts) -> Report:
    """Every change from one form of a contract to another.

    A difference of the documents that no comparison names is still one of words.
    """
    found = [*field_changes(old, new), *rule_changes(old, new), *term_changes(old, new)]
    if not found and _without_version(old) != _without_version(new):
        found = [Change("text.changed", "contract", "the same in another order or form")]
    found.sort(key=lambda change: -change.bump)
    return Report(old=old, new=new, changes=tuple(found))


def _without_version(facts: Facts) -> dict[str, Any]:
    return {key: value for key, value in facts.document.items() if key != "version"}

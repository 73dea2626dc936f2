"""Effects: every kind of change, who breaks by it, and the version step that it needs.

A department is the hub's producer: what is tightened floods the quarantine with its rows. Whoever
reads the hub is a consumer: what is loosened breaks what was relied upon. The people in the data
have a side of their own. A step is major when a consumer or those people lose something.

Source: Semantic Versioning 2.0.0; a registry's backward and forward compatibility, applied to
rows on their way from departments to readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from tongban.kernel.yamlfile import Where


class Bump(IntEnum):
    """Step between two versions of a contract."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """How people and `--json` call it."""
        return self.name.lower()


class Party(StrEnum):
    """Who loses by a change."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one kind of change means."""

    bump: Bump
    breaks: tuple[Party, ...]
    means: str


_BOTH = (Party.PRODUCER, Party.CONSUMER)
_PRODUCER = (Party.PRODUCER,)
_CONSUMER = (Party.CONSUMER,)
_PEOPLE = (Party.PEOPLE,)


def _tightened(what: str) -> Effect:
    return Effect(Bump.MINOR, _PRODUCER, f"{what}: rows that passed go to the quarantine")


def _loosened(what: str) -> Effect:
    return Effect(Bump.MAJOR, _CONSUMER, f"{what}: readers may meet what could not come before")


EFFECTS: dict[str, Effect] = {
    "text.changed": Effect(Bump.PATCH, (), "a name, label or description says it differently"),
    "field.added": Effect(Bump.MINOR, (), "a new optional field"),
    "field.added_required": Effect(
        Bump.MINOR, _PRODUCER, "a new required field: rows without it go to the quarantine"
    ),
    "field.removed": Effect(Bump.MAJOR, _CONSUMER, "whoever reads the field finds it gone"),
    "field.renamed": Effect(Bump.MAJOR, _BOTH, "whoever knows the old name finds it gone"),
    "field.deprecated": Effect(Bump.MINOR, (), "readers are told to stop using the field"),
    "type.changed": Effect(Bump.MAJOR, _BOTH, "values have another type"),
    "unit.changed": Effect(Bump.MAJOR, _BOTH, "the same number means something else"),
    "scale.changed": Effect(Bump.MAJOR, _BOTH, "decimals are kept to another place"),
    "key.changed": Effect(Bump.MAJOR, _BOTH, "what one record is has changed"),
    "change_time.changed": Effect(Bump.MAJOR, _BOTH, "windows and versions follow another clock"),
    "required.tightened": _tightened("an optional field is required"),
    "required.loosened": _loosened("a required field may be missing"),
    "unique.tightened": _tightened("values have to be unique"),
    "unique.loosened": _loosened("values need not be unique any more"),
    "length.tightened": _tightened("fewer lengths are allowed"),
    "length.loosened": _loosened("more lengths are allowed"),
    "range.tightened": _tightened("a narrower range"),
    "range.loosened": _loosened("a wider range"),
    "pattern.tightened": _tightened("a form is demanded"),
    "pattern.loosened": _loosened("no form is demanded any more"),
    "pattern.changed": Effect(
        Bump.MAJOR, _BOTH, "another form; nothing proves that it only became stricter"
    ),
    "values.tightened": _tightened("fewer values are allowed"),
    "values.loosened": _loosened("more values are allowed"),
    "reference.tightened": _tightened("a record has to refer to another one"),
    "reference.loosened": _loosened("a record need not refer to another one any more"),
    "codes.added": Effect(
        Bump.MINOR, (), "a code table grew, as code tables do; readers learn the new code from it"
    ),
    "codes.ended": _tightened("a code's validity is shorter"),
    "codes.removed": Effect(
        Bump.MAJOR, _BOTH, "stored records hold a code that nobody explains; end it instead"
    ),
    "rule.added": _tightened("a new rule"),
    "rule.added_warning": Effect(Bump.MINOR, (), "a new rule that only warns"),
    "rule.removed": _loosened("a rule is gone"),
    "rule.removed_warning": Effect(Bump.MINOR, (), "a rule that only warned is gone"),
    "rule.tightened": _tightened("a stricter rule"),
    "rule.loosened": _loosened("a laxer rule"),
    "rule.changed": Effect(
        Bump.MAJOR, _BOTH, "another rule; nothing proves that it only became stricter"
    ),
    "rule.warning_changed": Effect(Bump.MINOR, (), "a rule that only warns says another thing"),
    "rule.renamed": Effect(Bump.MINOR, (), "findings and scores begin a new series"),
    "rule.dimension": Effect(Bump.MINOR, (), "scores count the rule under another dimension"),
    "severity.raised": _tightened("a warning is an error"),
    "severity.lowered": _loosened("an error is a warning"),
    "classification.raised": Effect(Bump.MINOR, (), "the field is better protected"),
    "classification.encrypted": Effect(
        Bump.MAJOR, _CONSUMER, "the field is stored encrypted, in another type of column"
    ),
    "classification.lowered": Effect(Bump.MAJOR, _PEOPLE, "the field is less protected"),
    "mask.added": Effect(Bump.MINOR, (), "the field is shown masked"),
    "mask.removed": Effect(Bump.MAJOR, _PEOPLE, "the field is shown whole"),
    "mask.changed": Effect(Bump.MAJOR, _PEOPLE, "other parts of the field are shown"),
    "index.added": Effect(Bump.MINOR, (), "records can be found by the field"),
    "index.removed": Effect(Bump.MAJOR, _CONSUMER, "records cannot be found by the field any more"),
    "index.changed": Effect(Bump.MAJOR, _CONSUMER, "the field joins other datasets than before"),
    "sla.faster": Effect(Bump.MINOR, _PRODUCER, "a stricter promise"),
    "sla.slower": Effect(Bump.MAJOR, _CONSUMER, "a weaker promise"),
    "sla.changed": Effect(Bump.MAJOR, _BOTH, "a promise that cannot be held against the old one"),
    "support.announced": Effect(Bump.MINOR, (), "readers are told the last day of this major"),
    "support.longer": Effect(Bump.MINOR, (), "this major is loaded longer than was said"),
    "support.shorter": Effect(
        Bump.MAJOR, _CONSUMER, "this major ends before the day that was said"
    ),
    "limit.tightened": Effect(Bump.MINOR, _PRODUCER, "batches that were taken are refused"),
    "limit.loosened": Effect(Bump.MAJOR, _CONSUMER, "batches that were refused are taken"),
    "rectification.shorter": Effect(Bump.MINOR, _PRODUCER, "less time to put wrong records right"),
    "rectification.longer": Effect(Bump.MAJOR, _CONSUMER, "wrong records may stay longer"),
    "policy.tightened": Effect(Bump.MINOR, _PRODUCER, "a drift that was let pass is stopped"),
    "policy.loosened": Effect(Bump.MAJOR, _CONSUMER, "a drift that was stopped is let pass"),
    "owner.changed": Effect(Bump.MINOR, (), "another department answers for the records"),
    "status.changed": Effect(Bump.MINOR, (), "the contract is in another stage of its life"),
    "status.retired": Effect(Bump.MAJOR, _CONSUMER, "nobody keeps the contract any more"),
    "dataset.renamed": Effect(Bump.MAJOR, _BOTH, "it is the contract of another dataset"),
    "other.added": Effect(Bump.MINOR, (), "something that the gate does not know was added"),
    "other.changed": Effect(
        Bump.MAJOR, _BOTH, "something that the gate does not know changed or went away"
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two forms of a contract.

    Attributes:
        kind: Key of `EFFECTS`.
        subject: Field, rule, promise or other part that it is about.
        says: What it was and what it is.
        where: Place in the newer file (of its parent when the thing is gone).
    """

    kind: str
    subject: str
    says: str
    where: Where = ()

    @property
    def effect(self) -> Effect:
        """Who breaks, and the step that it needs."""
        return EFFECTS[self.kind]

    @property
    def bump(self) -> Bump:
        """The least step between the versions."""
        return self.effect.bump

    @property
    def breaks(self) -> tuple[Party, ...]:
        """Who loses by it; nobody when empty."""
        return self.effect.breaks

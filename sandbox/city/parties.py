"""Parties: who stands on a deed or a contract, alone or with others, and with which share.

The same group of parties is written by three departments in three forms (code of the ID kind, form
of the share); this file holds the group, the department files hold the forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from sandbox.city.people import Person

IdKind = Literal["resident", "credit", "passport"]
PAIR_SHARES = (("50%", "50%"), ("1/2", "1/2"), ("60%", "40%"), ("1/3", "2/3"))
TRIPLE_SHARES = (("1/3", "1/3", "1/3"), ("40%", "30%", "30%"))


@dataclass(frozen=True, slots=True)
class Party:
    """One party with the kind and number of its identity document."""

    name: str
    id_kind: IdKind
    id_no: str
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Parties of one side. `holding` is 0 alone, 1 jointly, 2 by the given shares."""

    parties: tuple[Party, ...]
    shares: tuple[str, ...]
    holding: str


def as_party(person: Person) -> Party:
    """Let a resident be a party."""
    return Party(person.name, "resident", person.resident_id, person.phone)


def alone(party: Party) -> Group:
    """Let one party hold everything."""
    return Group((party,), ("100%",), "0")


def family(random: Random, grown: list[Person], apart_from: Group | None = None) -> Group:
    """Pick one to three residents, none of whom is in `apart_from`."""
    taken = {party.id_no for party in apart_from.parties} if apart_from else set()
    size = random.choices((1, 2, 3), (70, 27, 3))[0]
    members = random.sample(grown, size)
    while any(person.resident_id in taken for person in members):
        members = random.sample(grown, size)
    parties = tuple(as_party(person) for person in members)
    if size == 1:
        return alone(parties[0])
    if size == 2:
        if random.random() < 0.4:
            return Group(parties, PAIR_SHARES[0], "1")
        return Group(parties, random.choice(PAIR_SHARES), "2")
    return Group(parties, random.choice(TRIPLE_SHARES), "2")

"""People: the residents of the synthetic city, from whom every other record takes its persons.

Each resident has one name, one ID number and one phone number everywhere; a difference between
two departments is therefore always an injected defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sandbox.identifiers import resident_id
from sandbox.names import person_name

FIRST_BIRTH = date(1938, 1, 1)
LAST_BIRTH = date(2008, 12, 31)
LAST_ADULT_BIRTH = date(1998, 2, 28)  # of age when the first certificates were issued
NATIONS = ("01",) * 90 + ("03",) * 8 + ("04", "05")  # GB/T 3304: mostly Han, some Hui


@dataclass(frozen=True, slots=True)
class Person:
    """One resident. `number` is a running number and no identity."""

    number: int
    name: str
    resident_id: str
    birth: date
    is_male: bool
    nation: str

    @property
    def phone(self) -> str:
        """A mobile number that follows from the running number."""
        return str(13900000000 + self.number)


def make_people(random: Random, count: int) -> list[Person]:
    """Make `count` residents with different ID numbers."""
    span = (LAST_BIRTH - FIRST_BIRTH).days
    taken: set[str] = set()
    people: list[Person] = []
    while len(people) < count:
        birth = FIRST_BIRTH + timedelta(days=random.randint(0, span))
        sequence = random.randint(1, 995)
        number = resident_id(birth, sequence)
        if number in taken:
            continue
        taken.add(number)
        is_male = sequence % 2 == 1
        name = person_name(random, is_male=is_male)
        nation = random.choice(NATIONS)
        people.append(Person(len(people) + 1, name, number, birth, is_male, nation))
    return people


def adults(people: list[Person]) -> list[Person]:
    """Select those who are old enough to own, buy, found and work."""
    return [person for person in people if person.birth <= LAST_ADULT_BIRTH]

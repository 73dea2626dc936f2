"""Build: put the whole city together, in the order in which its parts need each other.

People found enterprises, own houses, sell and buy, work and apply; the result is one list of source
documents per dataset, all valid, and the rows that wait for a trigger. The same size, seed and
anchor day always give the same city.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

from sandbox.city.applications import evaluation_document, item_documents
from sandbox.city.enterprises import (
    Enterprise,
    enterprise_document,
    make_enterprises,
    person_documents,
    taxpayer_document,
)
from sandbox.city.houses import make_houses
from sandbox.city.insurance import (
    contribution_documents,
    employ,
    employee_documents,
    resident_documents,
    unit_document,
)
from sandbox.city.market import HouseMarket
from sandbox.city.people import Person, adults, make_people
from sandbox.city.timeline import Timeline
from sandbox.datasets import DATASETS, Document, key_of

HOUSES, ENTERPRISES = 0.4, 0.09  # each per resident, as in a small city
EMPLOYEES, RESIDENTS, EVALUATIONS = 0.12, 0.31, 0.02
SERVICE_ITEMS = 60
CONTRIBUTION_MONTHS = 3


@dataclass(slots=True)
class Trigger:
    """A document that `system` serves once (`kind`, `key`) has happened."""

    system: str
    kind: str
    key: str
    dataset: str
    doc: Document


@dataclass(slots=True)
class City:
    """Everything that the six systems hold, before defects.

    `protected` names records (dataset, key) that the house-sale cases rest on; `in_flight` lists
    the contracts that still wait for tax and registration.
    """

    seed: int
    people: int
    timeline: Timeline
    records: dict[str, list[Document]] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)
    protected: set[tuple[str, str]] = field(default_factory=set)
    in_flight: list[str] = field(default_factory=list)

    def random(self, topic: str) -> Random:
        """Give the random stream of one topic, independent of all others."""
        return Random(f"{self.seed}:{self.people}:{topic}")

    def add(self, dataset: str, doc: Document, *, is_protected: bool = False) -> None:
        """Keep one document, and keep defects away from it where a case rests on it."""
        self.records[dataset].append(doc)
        if is_protected:
            self.protected.add((dataset, key_of(dataset, doc)))

    def prepare(self, system: str, kind: str, key: str, dataset: str, doc: Document) -> None:
        """Keep a document back until (`kind`, `key`) happens at `system`."""
        self.triggers.append(Trigger(system, kind, key, dataset, doc))


def build_city(people: int, seed: int, today: date) -> City:
    """Build a city of `people` residents whose records end two days before `today`."""
    city = City(seed, people, Timeline(today), {name: [] for name in DATASETS})
    residents = make_people(city.random("people"), people)
    grown = adults(residents)
    companies = make_enterprises(
        city.random("companies"), max(12, round(people * ENTERPRISES)), grown
    )
    _add_companies(city, companies, grown)
    houses = make_houses(city.random("houses"), max(20, round(people * HOUSES)))
    HouseMarket(city, houses, grown, companies).run()
    _add_insurance(city, residents, companies)
    _add_services(city)
    return city


def _add_companies(city: City, companies: list[Enterprise], grown: list[Person]) -> None:
    random = city.random("company records")
    people_made = 0
    for company in companies:
        city.add("enterprise", enterprise_document(random, city.timeline, company))
        rows = person_documents(random, city.timeline, company, grown, people_made + 1)
        people_made += len(rows)
        city.records["enterprise_person"].extend(rows)
        city.add("taxpayer", taxpayer_document(random, city.timeline, company))


def _add_insurance(city: City, residents: list[Person], companies: list[Enterprise]) -> None:
    random = city.random("insurance")
    timeline = city.timeline
    units = [company for company in companies if company.is_live]
    units = units[: max(8, round(len(companies) * 0.83))]
    for company in units:
        city.add("unit_insurance", unit_document(random, timeline, company))
    shuffled = random.sample(residents, len(residents))
    grown = adults(shuffled)[: round(len(residents) * EMPLOYEES)]
    months = timeline.months_back(CONTRIBUTION_MONTHS)
    for person in grown:
        job = employ(random, timeline, person, random.choice(units))
        city.records["person_insurance"].extend(employee_documents(random, timeline, job))
        city.records["contribution"].extend(contribution_documents(random, job, months))
    employed = {person.number for person in grown}
    others = [person for person in shuffled if person.number not in employed]
    for person in others[: round(len(residents) * RESIDENTS)]:
        city.records["person_insurance"].extend(resident_documents(random, timeline, person))


def _add_services(city: City) -> None:
    random = city.random("services")
    items = item_documents(random, city.timeline, SERVICE_ITEMS)
    city.records["service_item"].extend(items)
    for number in range(1, max(10, round(city.people * EVALUATIONS)) + 1):
        item = random.choice(items)
        city.add("evaluation", evaluation_document(random, city.timeline, number, item))

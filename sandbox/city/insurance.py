"""Insurance: insured units, insured persons by kind, and monthly contributions.

Person × kind is the grain of the insured, person × kind × month that of the contributions.
Employees are insured through a unit, other residents by themselves (no unit number).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from sandbox.city.enterprises import Enterprise
from sandbox.city.people import Person
from sandbox.city.rights import hundredths
from sandbox.city.timeline import Timeline, add_years, at_work
from sandbox.datasets import Document, stamp
from sandbox.identifiers import AREA_CODE

EMPLOYEE_KINDS = ("110", "310", "410", "210")
RESIDENT_KINDS = ("170", "390")
PAID_KINDS = {"110": (1600, 800), "310": (600, 200)}  # unit and person rates in 1/10000
PAYING = ("1", "1")
STOPPED = (("2", "2"), ("4", "3"))
AGENCY = "62089901"


@dataclass(frozen=True, slots=True)
class Employment:
    """A resident who works for a unit at a contribution base (fen a month)."""

    person: Person
    unit_code: str
    first_work: date
    base: int


def unit_code(company: Enterprise) -> str:
    """Tell the insured unit's own key."""
    return f"{AREA_CODE}{company.number:010d}"


def unit_document(random: Random, timeline: Timeline, company: Enterprise) -> Document:
    """Write one insured unit."""
    insured = company.founded + timedelta(days=random.randint(5, 200))
    doc: Document = {
        "AAB001": unit_code(company),
        "AAB004": company.name,
        "BAB010": company.credit_code,
        "AAB019": "60" if company.kind == "9500" else "10",
        "AAB022": company.industry[0],
        "AAB050": f"{insured:%Y%m%d}",
        "AAB051": random.choices("123", (95, 3, 2))[0],
        "AAB301": AREA_CODE,
        "AAB034": AGENCY,
    }
    stamp("unit_insurance", doc, timeline.change(random, insured))
    return doc


def employ(random: Random, timeline: Timeline, person: Person, company: Enterprise) -> Employment:
    """Let `person` work for `company`, first employed at 18 to 30."""
    latest = timeline.today - timedelta(days=500)
    grown_up = add_years(person.birth, 18)
    first = timeline.day_between(random, grown_up, min(add_years(grown_up, 12), latest))
    return Employment(person, unit_code(company), first, random.randint(4000, 12000) * 100)


def employee_documents(random: Random, timeline: Timeline, job: Employment) -> list[Document]:
    """Write an employee's insured rows, one per kind."""
    states = PAYING if random.random() < 0.96 else random.choice(STOPPED)
    return [
        _insured(random, timeline, job.person, kind, states, job.first_work, job.unit_code)
        for kind in EMPLOYEE_KINDS
    ]


def resident_documents(random: Random, timeline: Timeline, person: Person) -> list[Document]:
    """Write the rows of a resident without employer: pension for adults, medical for all."""
    kinds = RESIDENT_KINDS if person.birth.year < 2008 else RESIDENT_KINDS[1:]
    states = PAYING if random.random() < 0.97 else random.choice(STOPPED)
    return [_insured(random, timeline, person, kind, states, None, "") for kind in kinds]


def _insured(
    random: Random,
    timeline: Timeline,
    person: Person,
    kind: str,
    states: tuple[str, str],
    first_work: date | None,
    unit: str,
) -> Document:
    start = first_work or add_years(person.birth, 16)
    since = timeline.day_between(random, start, timeline.today - timedelta(days=420))
    doc: Document = {
        "AAC001": person_code(person),
        "AAC002": person.resident_id,
        "AAC003": person.name,
        "AAC004": "1" if person.is_male else "2",
        "AAC005": person.nation,
        "AAC006": f"{person.birth:%Y%m%d}",
        "AAC007": f"{first_work:%Y%m%d}" if first_work else "",
        "AAC049": f"{since:%Y%m}",
        "AAC008": states[0],
        "AAC031": states[1],
        "AAE140": kind,
        "AAB001": unit,
        "AAB301": AREA_CODE,
    }
    stamp("person_insurance", doc, timeline.change(random, since))
    return doc


def contribution_documents(random: Random, job: Employment, months: list[str]) -> list[Document]:
    """Write an employee's pension and medical contributions of the given book months."""
    docs = []
    for month in months:
        paid_share = 1 if random.random() < 0.97 else 0
        booked = _booking(random, month)
        for kind, (unit_rate, person_rate) in PAID_KINDS.items():
            due_unit = job.base * unit_rate // 10000
            due_person = job.base * person_rate // 10000
            doc: Document = {
                "AAC001": person_code(job.person),
                "AAE140": kind,
                "AAE002": month,
                "AAE003": month,
                "AAC002": job.person.resident_id,
                "AAE180": hundredths(job.base),
                "AAE020": hundredths(due_unit),
                "AAE022": hundredths(due_person),
                "AAE080": hundredths(due_unit * paid_share),
                "AAE082": hundredths(due_person * paid_share),
                "AAB001": job.unit_code,
            }
            stamp("contribution", doc, booked)
            docs.append(doc)
    return docs


def person_code(person: Person) -> str:
    """Tell the social-security number of the person's file, which is no identity."""
    return f"62{person.number:010d}"


def _booking(random: Random, month: str) -> datetime:
    """Pick when a month was booked: between the 5th and the 25th of the month after it."""
    year, number = int(month[:4]), int(month[4:])
    following = date(year + number // 12, number % 12 + 1, random.randint(5, 25))
    return at_work(random, following)

"""Injection: choose records of a city, make them wrong, and write down what was done.

At most one defect per record; none in a record that a house-sale case rests on, except in a few
contracts in flight that are meant to stay stuck. A dataset never gets more than a small share of
quarantined rows, so that a contract's dirty limit is not passed by accident.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

from sandbox.city.build import City
from sandbox.datasets import DATASETS, Document, key_of
from sandbox.sites import Site, all_sites
from sandbox.state import to_json
from sandbox.truth import Expectation, TruthLine

DEFAULT_RATE = 0.015
RARE_SHARE = 0.2  # duplicates and audit defects, each relative to quarantined ones
DIRTY_SHARE = 0.04  # of one dataset, over which no further row is spoiled
STUCK_SHARE = 0.03  # of the contracts in flight
TRIES = 300
COUNTERPARTS = {  # where the other department's statement is found: dataset, field with its key
    "deed_tax_payment": ("sale_contract", "HTBH"),
    "real_estate_right": ("sale_contract", "FDCJYHTH"),
    "taxpayer": ("enterprise", "SHXYDM"),
    "unit_insurance": ("enterprise", "BAB010"),
}

RecordId = tuple[str, str]


@dataclass(slots=True)
class Injected:
    """The outcome: truth lines, and how every spoiled record looked before."""

    lines: list[TruthLine] = field(default_factory=list)
    clean: dict[RecordId, Document] = field(default_factory=dict)
    taken: set[RecordId] = field(default_factory=set)


def inject_defects(city: City, rate: float = DEFAULT_RATE) -> Injected:
    """Spoil records of `city` in place.

    Args:
        city: A valid city.
        rate: Share of records with a quarantined defect; as many get a healing one, a fifth as
            many are duplicated, and a fifth as many can only be found by an audit.

    Returns:
        What was done. From about 2,000 residents on every kind of defect occurs.
    """
    done = Injected(taken=set(city.protected))
    if rate <= 0:
        return done
    random = city.random("defects")
    total = sum(len(docs) for docs in city.records.values())
    shares: tuple[tuple[Expectation, float], ...] = (
        ("audit", rate * RARE_SHARE),
        ("quarantined", rate),
        ("accepted", rate),
    )
    for expect, share in shares:
        sites = [site for site in all_sites() if site.expect == expect]
        _spread(city, random, sites, round(total * share), done)
    _spoil_in_flight(city, random, done)
    _duplicate(city, random, round(total * rate * RARE_SHARE), done)
    return done


def spoil(
    site: Site, doc: Document, random: Random, city: City, *, batch: int = 0
) -> TruthLine | None:
    """Put the defect of `site` into `doc`, or give None if it does not fit there."""
    row = DATASETS[site.dataset]
    if not site.fits(doc):
        return None
    target, dataset, key = doc, site.dataset, key_of(site.dataset, doc)
    if site.in_child and row.child_list and row.child_dataset and row.child_key:
        target = random.choice(doc[row.child_list])
        dataset, key = row.child_dataset, f"{key}|{target[row.child_key]}"
    if not site.inject(target, random, city.timeline.today):
        return None
    return TruthLine(row.system, dataset, key, site.defect, site.expect, batch)


def _spread(city: City, random: Random, sites: list[Site], quota: int, done: Injected) -> None:
    """Spread `quota` defects over `sites`: each kind once, each site once, the rest by size."""
    room = {name: len(docs) for name, docs in city.records.items()}
    if sites and sites[0].expect == "quarantined":
        room = {name: max(1, int(size * DIRTY_SHARE)) for name, size in room.items()}
    order = [*_one_per_kind(city, sites), *random.sample(sites, len(sites))]
    per_dataset = Counter(site.dataset for site in sites)
    weights = [len(city.records[site.dataset]) / per_dataset[site.dataset] for site in sites]
    order += random.choices(sites, weights, k=quota)
    made: set[int] = set()
    for at, site in enumerate(order):
        if len(made) >= quota:
            break
        if room[site.dataset] > 0 and _try_site(city, random, site, done):
            room[site.dataset] -= 1
            made.add(at)


def _one_per_kind(city: City, sites: list[Site]) -> list[Site]:
    """Pick for every kind of defect the site in the largest dataset, the commonest kinds last."""
    by_kind: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        by_kind[site.defect].append(site)
    kinds = sorted(by_kind.values(), key=len)
    return [max(kind, key=lambda site: len(city.records[site.dataset])) for kind in kinds]


def _try_site(city: City, random: Random, site: Site, done: Injected) -> bool:
    docs = city.records[site.dataset]
    for _ in range(TRIES if docs else 0):
        doc = random.choice(docs)
        record = (site.dataset, key_of(site.dataset, doc))
        if record in done.taken:
            continue
        before = to_json(doc)
        other = _counterpart(site, doc)
        line = spoil(site, doc, random, city)
        if line is None:
            continue
        done.lines.append(line)
        done.clean[record] = json.loads(before)
        done.taken.add(record)
        if other is not None:
            done.taken.add(other)
        return True
    return False


def _counterpart(site: Site, doc: Document) -> RecordId | None:
    """Name the record that an audit compares with; it must stay right for the audit to see it."""
    if site.expect != "audit" or site.dataset not in COUNTERPARTS:
        return None
    dataset, key_field = COUNTERPARTS[site.dataset]
    return (dataset, str(doc.get(key_field)))


def _spoil_in_flight(city: City, random: Random, done: Injected) -> None:
    """Spoil a few contracts in flight: their cases must stay where they are."""
    sites = [
        site
        for site in all_sites()
        if site.dataset == "sale_contract" and site.expect == "quarantined" and not site.in_child
    ]
    contracts = {doc["contractNo"]: doc for doc in city.records["sale_contract"]}
    count = max(1, round(len(city.in_flight) * STUCK_SHARE))
    for number in random.sample(city.in_flight, min(count, len(city.in_flight))):
        line = spoil(random.choice(sites), contracts[number], random, city)
        if line is not None:
            done.lines.append(line)


def _duplicate(city: City, random: Random, quota: int, done: Injected) -> None:
    """Serve some records twice."""
    names = list(city.records)
    sizes = [len(city.records[name]) for name in names]
    picks = names[: min(quota, len(names))]
    picks += random.choices(names, sizes, k=max(0, quota - len(picks)))
    for name in picks:
        docs = city.records[name]
        for _ in range(TRIES if docs else 0):
            doc = random.choice(docs)
            record = (name, key_of(name, doc))
            if record not in done.taken:
                done.taken.add(record)
                docs.append(json.loads(to_json(doc)))
                system = DATASETS[name].system
                done.lines.append(TruthLine(system, name, record[1], "duplicate_row", "duplicate"))
                break

"""Rows: decode → normalize → validate → protect, for one chunk of pages in memory.

The middle of the pipeline, without network and without database: text columns come in, sealed
rows and sealed refusals go out. Chunks are cut by whole pages in page order, so a run that is
repeated from the same landing cuts the same chunks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import polars as pl

from tongban.kernel.catalog import Catalog, PullRoute
from tongban.kernel.contracts import Contract
from tongban.kernel.records import Decoded, Page, RecordShape
from tongban.normalize import Normalized, NormalizePlan, apply, compile_mapping
from tongban.protect import KeyRing, ProtectedFrame, protect_frame, protect_quarantine
from tongban.store.parts import Part
from tongban.validate import Validated, ValidatePlan, check, compile_contract, explain
from tongban.watch import Watch

DRIFT = "unknown_field"
MOST_DRIFT_NAMES = 20
ROWS_PER_CHUNK = 20_000  # unit of transaction and of memory: about 250 MB at 15 fields
ROWS_JUDGED = 100_000  # decoded rows that are kept to be judged before the first is stored
T = TypeVar("T")


class Decoder(Protocol):
    """The part of a connector that loading needs; it opens no socket."""

    def decode(self, dataset: str, body: bytes, shape: RecordShape) -> Decoded:
        """One page as columns of text."""
        ...


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """One dataset compiled for loading."""

    dataset: str
    contract: Contract
    shape: RecordShape
    normalize: NormalizePlan = field(repr=False)
    validate: ValidatePlan = field(repr=False)


@dataclass(frozen=True, slots=True)
class Child:
    """A dataset whose records are part of another's, joined by key fields."""

    plan: DatasetPlan
    on: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of some pages, ready for one transaction.

    Attributes:
        quarantine: Refused rows for the store, or None when there are none.
        gone: Record ids and times of rows that the source marks as deleted, or None.
        gone_read: How many rows said so.
        findings: (rule, severity) → rows.
        unknown_fields: Names that the pages had and the mapping does not know.
        is_held: What it stores waits for a person before it goes to a target.
        parts: What belongs to its records.
    """

    number: int
    is_last: bool
    rows: ProtectedFrame = field(repr=False)
    quarantine: pl.DataFrame | None = field(repr=False)
    read: int
    findings: dict[tuple[str, str], int]
    warnings: int
    unknown_fields: frozenset[str]
    work_ms: int
    gone: pl.DataFrame | None = field(default=None, repr=False)
    gone_read: int = 0
    is_held: bool = False
    parts: tuple[Part, ...] = ()


def compile_dataset(catalog: Catalog, system: str, dataset: str) -> DatasetPlan:
    """Compile mapping and contract of a pulled dataset.

    Raises:
        ConfigInvalid: Mapping, contract or code tables do not fit together.
    """
    contract = catalog.contract(dataset)
    mapping = catalog.mapping(system, dataset)
    return DatasetPlan(
        dataset=dataset,
        contract=contract,
        shape=mapping.shape,
        normalize=compile_mapping(mapping, contract, catalog.codes),
        validate=compile_contract(contract, catalog.codes),
    )


def child_of(parent: DatasetPlan, child: DatasetPlan) -> Child:
    """Join a child to its parent by the parent's key, whose fields the child carries."""
    return Child(plan=child, on={name: name for name in parent.contract.key})


def children_of(catalog: Catalog, route: PullRoute, plan: DatasetPlan) -> list[Child]:
    """The datasets whose records are part of this one's: a change of theirs is one of its own."""
    names = catalog.parts(route, plan.dataset)
    return [child_of(plan, compile_dataset(catalog, route.system, name)) for name in names]


def chunks(
    pages: Iterable[Page],
    plan: DatasetPlan,
    decoder: Decoder,
    keyring: KeyRing,
    *,
    children: Sequence[Child] = (),
    rows_per_chunk: int = ROWS_PER_CHUNK,
    watch: Watch | None = None,
    refuse_dirty: bool = True,
) -> Iterator[Chunk]:
    """Cut pages into chunks and bring each as far as the store; at least one, maybe empty.

    Args:
        pages: In their order.
        plan: From `compile_dataset`.
        decoder: The connector of the pages' system.
        keyring: Seals what the contract classifies.
        children: Datasets whose records are inside the pages too.
        rows_per_chunk: A chunk ends with the page that reaches it.
        watch: Judges the decoded rows, up to 100,000 at once, before the first is stored.
        refuse_dirty: False where a person has approved a dirty batch.

    Raises:
        AnswerUnreadable: A page is not what its protocol says.
        BatchFrozen: The rows drifted in structure.
        BatchRefused: A chunk passes the contract's dirty limit.
    """
    groups = _groups(pages, plan, decoder, children, rows_per_chunk)
    for number, is_last, group in groups if watch is None else _watched(groups, plan, watch):
        started = time.monotonic()
        given = _together(group.frames, plan.shape)
        read = given.height
        given, gone = _without_deleted(given, group.deleted, plan, keyring)
        protected_children, parts = [], []
        for child, frames in zip(children, group.child_frames, strict=True):
            child_given = _together(frames, child.plan.shape)
            accepted, refused, *_ = _checked(child.plan, child_given, limit=False)
            rows = protect_frame(accepted, child.plan.contract, keyring)
            protected_children.append((rows, child.on))
            seen = _seen(rows, refused, child.plan.contract, keyring)
            parts.append(Part(child.plan.contract, child.on, seen))
        accepted, refused, findings, warnings = _checked(
            plan, given, limit=refuse_dirty, mapped=group.mapped
        )
        findings |= _drift(group.unknown, given.height)
        yield Chunk(
            number=number,
            is_last=is_last,
            rows=protect_frame(accepted, plan.contract, keyring, children=protected_children),
            quarantine=_quarantine(refused, given, plan.contract, keyring),
            read=read,
            gone=gone,
            gone_read=read - given.height,
            findings=findings,
            warnings=warnings,
            unknown_fields=frozenset(group.unknown),
            work_ms=group.decode_ms + int((time.monotonic() - started) * 1000),
            is_held=watch is not None and watch.is_held,
            parts=tuple(parts),
        )


def rows_chunk(
    frame: pl.DataFrame,
    contract: Contract,
    validate: ValidatePlan,
    keyring: KeyRing,
    *,
    lost: tuple[Mapping[str, pl.Series], Mapping[str, pl.Series]] | None = None,
    place: tuple[int, bool] = (1, True),
    limit: bool = True,
) -> Chunk:
    """A chunk of rows that no page holds; they are checked like anybody's.

    `lost`: unreadable values and unknown codes by field; `place`: number, is last; `limit`: dirty.
    """
    started = time.monotonic()
    key = pl.concat_str([pl.col(name).cast(pl.String) for name in contract.key], separator="|")
    failures, codes = map(dict, lost or ({}, {}))
    made = Normalized(frame, failures, codes, frame.select(key).to_series())
    found = check(validate, made, refuse_dirty=limit)
    refused = Refused(made.frame, found.rejected["row_no"], _findings(validate, found))
    return Chunk(
        number=place[0],
        is_last=place[1],
        rows=protect_frame(found.accepted, contract, keyring),
        quarantine=_quarantine(refused, frame.cast(pl.String), contract, keyring),
        read=frame.height,
        findings=_counts(found),
        warnings=found.warned,
        unknown_fields=frozenset(),
        work_ms=int((time.monotonic() - started) * 1000),
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that a contract refuses: all rows as normalized, which of them, and why."""

    frame: pl.DataFrame = field(repr=False)
    row_no: pl.Series = field(repr=False)
    findings: pl.Series = field(repr=False)


@dataclass(slots=True)
class _Group:
    """Decoded pages of one chunk."""

    frames: list[pl.DataFrame]
    child_frames: list[list[pl.DataFrame]]
    unknown: set[str]
    deleted: list[pl.Series] = field(default_factory=list)
    mapped: Normalized | None = None
    rows: int = 0
    decode_ms: int = 0


def _groups(
    pages: Iterable[Page],
    plan: DatasetPlan,
    decoder: Decoder,
    children: Sequence[Child],
    rows_per_chunk: int,
) -> Iterator[tuple[int, bool, _Group]]:
    """Decoded pages in groups of at least `rows_per_chunk` rows, the last one marked."""
    number = 1
    group = _new_group(children)
    for page in pages:
        if group.rows >= rows_per_chunk:
            yield number, False, group
            number, group = number + 1, _new_group(children)
        started = time.monotonic()
        decoded = decoder.decode(plan.dataset, page.body, plan.shape)
        for child, frames in zip(children, group.child_frames, strict=True):
            frames.append(decoder.decode(child.plan.dataset, page.body, child.plan.shape).frame)
        group.frames.append(decoded.frame)
        if decoded.deleted is not None:
            group.deleted.append(decoded.deleted)
        group.unknown |= decoded.unknown_fields
        group.rows += decoded.frame.height
        group.decode_ms += int((time.monotonic() - started) * 1000)
    yield number, True, group


def _watched(
    groups: Iterable[tuple[int, bool, _Group]], plan: DatasetPlan, watch: Watch
) -> Iterator[tuple[int, bool, _Group]]:
    """Hold groups back until they are judged together; marked rows have no fields to judge."""
    waiting: list[tuple[int, bool, _Group]] = []
    for number, is_last, group in groups:
        waiting.append((number, is_last, group))
        if not is_last and sum(item[2].rows for item in waiting) < ROWS_JUDGED:
            continue
        frames, unknown = [], set()
        started = time.monotonic()
        for _, _, item in waiting:
            item.frames = [_together(item.frames, plan.shape)]
            marked = pl.concat(item.deleted) if item.deleted else None
            frames.append(item.frames[0] if marked is None else item.frames[0].filter(~marked))
            unknown |= item.unknown
        if len(frames) == 1 and not group.deleted:  # then nothing is mapped twice
            group.mapped = apply(plan.normalize, frames[0])
        watch.judge(pl.concat(frames), frozenset(unknown), is_last=is_last, mapped=group.mapped)
        group.decode_ms += int((time.monotonic() - started) * 1000)
        while waiting:
            yield waiting.pop(0)


def _without_deleted(
    given: pl.DataFrame, marks: list[pl.Series], plan: DatasetPlan, keyring: KeyRing
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Split off the rows that are marked as deleted; one without its key is left to the rules."""
    if not marks:
        return given, None
    marked = pl.concat(marks)
    if not marked.any():
        return given, None
    frame = apply(plan.normalize, given.filter(marked)).frame
    has_key = frame.select(
        pl.all_horizontal(pl.col(name).is_not_null() for name in plan.contract.key)
    ).to_series()
    gone = protect_frame(frame.filter(has_key), plan.contract, keyring).ids
    places = marked.arg_true().filter(has_key)
    rows = given.with_row_index("$row")
    kept = rows.filter(~pl.col("$row").is_in(places.implode())).drop("$row")
    return kept, gone.select("record_id", "changed_at")


def _seen(
    rows: ProtectedFrame, refused: Refused, contract: Contract, keyring: KeyRing
) -> pl.Series | None:
    """Record ids of all children, accepted or not; None where one has no key."""
    if refused.row_no.is_empty():
        return rows.ids["record_id"]
    frame = refused.frame[refused.row_no.cast(pl.UInt32)]
    if frame.select(pl.any_horizontal(pl.col(n).is_null().any() for n in contract.key)).item():
        return None
    return pl.concat(
        [rows.ids["record_id"], protect_frame(frame, contract, keyring).ids["record_id"]]
    )


def _new_group(children: Sequence[Child]) -> _Group:
    return _Group(frames=[], child_frames=[[] for _ in children], unknown=set())


def _together(frames: list[pl.DataFrame], shape: RecordShape) -> pl.DataFrame:
    """One frame of all pages; an empty one with the right columns when there are none."""
    if not frames:
        return pl.DataFrame(schema=dict.fromkeys(shape.fields, pl.String))
    return pl.concat(frames, rechunk=True) if len(frames) > 1 else frames[0]


def _checked(
    plan: DatasetPlan, given: pl.DataFrame, *, limit: bool, mapped: Normalized | None = None
) -> tuple[pl.DataFrame, Refused, dict[tuple[str, str], int], int]:
    """Accepted rows, refused rows, findings by rule, and how many accepted rows have warnings."""
    normalized = mapped or apply(plan.normalize, given)
    found = check(plan.validate, normalized, refuse_dirty=limit)
    refused = Refused(normalized.frame, found.rejected["row_no"], _findings(plan.validate, found))
    return found.accepted, refused, _counts(found), found.warned


def _drift(unknown: set[str], rows: int) -> dict[tuple[str, str], int]:
    """Fields that the source has and the mapping does not know, as warnings by name.

    Their values are dropped (nobody agreed to receive them); the names are shown with the
    transfer, so that somebody maps or ignores them.
    """
    named = sorted(unknown)[:MOST_DRIFT_NAMES]
    return {
        (f"{DRIFT}:{''.join(filter(str.isprintable, name))[:64]}", "warning"): rows
        for name in named
    }


def _counts(found: Validated) -> dict[tuple[str, str], int]:
    """(rule, severity) → rows."""
    errors = {(rule, "error"): rows for rule, rows in found.findings.items()}
    return errors | {(rule, "warning"): rows for rule, rows in found.warnings.items()}


def _findings(plan: ValidatePlan, found: Validated) -> pl.Series:
    """Per refused row a JSON list of rule and field; few different masks, so few texts."""
    names = [name for name in found.rejected.columns if name.startswith("mask")]
    texts: dict[tuple[int, ...], str] = {}
    result: list[str] = []
    for masks in found.rejected.select(names).iter_rows():
        if masks not in texts:
            rules = [plan.rule(rule_id) for rule_id in explain(plan, *masks)]
            texts[masks] = json.dumps(
                [
                    {"rule": rule.id, "field": rule.fields[0] if rule.fields else None}
                    for rule in rules
                    if rule.severity == "error"
                ],
                ensure_ascii=False,
            )
        result.append(texts[masks])
    return pl.Series("findings", result, dtype=pl.String)


def _quarantine(
    refused: Refused, given: pl.DataFrame, contract: Contract, keyring: KeyRing
) -> pl.DataFrame | None:
    """Refused rows sealed for the store."""
    if refused.row_no.is_empty():
        return None
    rows = refused.row_no.cast(pl.UInt32)
    return protect_quarantine(refused.frame[rows], given[rows], refused.findings, contract, keyring)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Make the next item in another thread while this one is used; errors come in order."""
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as pool:
        waiting = pool.submit(next, iterator, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]

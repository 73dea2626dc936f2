"""Systems: what one department system offers and accepts, read from connectors/systems/*.yaml.

The catalog, the DAGs and the connectors read these models; the vocabulary of interfaces, paging
and budgets is in `tongban.kernel.interfaces`. Nothing here opens a socket, and hosts and secrets
are never in these files: they come from the connection that `connection` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from tongban.kernel.budgets import Budget, Strict, WindowRule
from tongban.kernel.compares import Compare
from tongban.kernel.interfaces import (
    Call,
    Interface,
)
from tongban.kernel.pagings import (
    NoPaging,
    Paging,
)
from tongban.kernel.records import Outcome
from tongban.kernel.words import Words
from tongban.kernel.yamlfile import Where, YamlFile, load_yaml, parse_model, suggestion


class Title(Strict):
    """The system's name for people."""

    zh: str
    en: str


class Department(Strict):
    """Who is responsible for the system."""

    code: str
    name: str


class EncryptedFields(Strict):
    """Fields whose values travel encrypted on top of TLS.

    Attributes:
        fields: Dotted source paths.
        cipher: `sm4_cbc`: base64 of a 16-byte iv and SM4-CBC with PKCS#7 padding.
        key: Field of the connection that holds the key in hex.
    """

    fields: tuple[str, ...]
    cipher: Literal["sm4_cbc"]
    key: str = "field_key"


class Sign(Strict):
    """A sign in a record or in its answer: the value at `path` is one of `equals`."""

    path: str
    equals: Words


class PulledDataset(Strict):
    """One dataset that we read.

    Attributes:
        call: The request of one page; null when the pages of another dataset are shared.
        records: Path of the record list in the opened answer; "" when the answer is the list.
        total: Path of the source's own count for the whole window, or `header:NAME`; null when it
            says none.
        count: Path of the source's own count for this page, or `header:NAME`, where it says one.
        paging: How to reach all pages.
        window: How windows are asked; null for the system's rule.
        never_zero: An answer without rows for an unbounded window is an error.
        encrypted: Fields to decrypt while decoding.
        attachments: Fields that hold bytes as `base64` or `hex` where no schema says so; a column
            gets their digest and size, the bytes stay with the landed page.
        deleted: Sign of a record that the source has deleted: a tombstone with its key.
        schedule: Cron expression in Beijing time; null when only pulled by hand.
        shares_pages_of: Dataset of the same system whose pages hold these rows too.
    """

    call: Call | None = None
    records: str = ""
    total: str | None = None
    count: str | None = None
    paging: Paging = NoPaging()
    window: WindowRule | None = None
    never_zero: bool = False
    encrypted: EncryptedFields | None = None
    attachments: dict[str, Literal["base64", "hex"]] = Field(default_factory=dict)
    deleted: Sign | None = None
    schedule: str | None = None
    shares_pages_of: str | None = None

    @model_validator(mode="after")
    def _call_or_shared(self) -> PulledDataset:
        if (self.call is None) == (self.shares_pages_of is None):
            raise ValueError("give either `call` or `shares_pages_of`")
        if self.call is not None and "records" not in self.model_fields_set:
            raise ValueError("`records` is missing: the path of the record list")
        return self


class RecordAnswers(Strict):
    """Where the receiver answers for each record.

    Attributes:
        records: Path of the list of answers in the opened answer; "" when the answer to a call
            with `batch: 1` is about its one record.
        guid: Path of our key in one answer; may be left out with `batch: 1`.
        duplicate: Sign of a record that was accepted before; looked for first.
        accepted: Sign of acceptance.
        rejected: Sign of refusal of this record only.
        receipt_no: Path of the receiver's receipt number.
        code: Path of its reason code.
        message: Path of its explanation.
        statuses: With `batch: 1` only: HTTP statuses by which the receiver answers for the record,
            as 201 accepted, 409 duplicate, 422 rejected; the body need not say it again.
    """

    records: str = ""
    guid: str | None = None
    duplicate: Sign | None = None
    accepted: Sign | None = None
    rejected: Sign | None = None
    receipt_no: str | None = None
    code: str | None = None
    message: str | None = None
    statuses: dict[int, Outcome] = Field(default_factory=dict)


class Statement(Strict):
    """How the receiver lists what it holds, for reconciliation.

    Attributes:
        version_is_time: The version came from `{version_time}` and is read back from it.
        receipt_no: Path of the receipt number that the receiver gave for the record, where it
            repeats it.
    """

    call: Call
    records: str
    guid: str
    version: str
    digest: str
    version_is_time: bool = False
    receipt_no: str | None = None
    paging: Paging = NoPaging()


class Counted(Strict):
    """How the receiver tells how many records it holds, where it lists none.

    Attributes:
        total: Path of the count in the opened answer.
    """

    call: Call
    total: str


class RereportMarker(Strict):
    """The receiver's words for a record that it has acknowledged and that goes out once more.

    Attributes:
        field: Field of the record that carries the word.
        late: It never had the record.
        resent: It lost the record, or has an older version.
        corrected: It has this version with other content.
    """

    field: str
    late: str
    resent: str
    corrected: str


class AcceptedDataset(Strict):
    """One dataset that we send.

    Attributes:
        call: The request of one batch; `{records}` stands for the list.
        delete: The request for a deleted record, where it is another one; with `batch: 1`.
        batch: Most records in one request.
        record: Template of one record; `"...": "{data}"` spreads the mapped fields.
        answers: Where each record is answered.
        statement: How to list what arrived, where offered.
        counted: How to ask for the number of what arrived, where nothing is listed.
        rereport: The receiver's own marker for a record that it has acknowledged and that goes
            out once more, where its protocol has one.
    """

    call: Call
    delete: Call | None = None
    batch: PositiveInt
    record: dict[str, Any] = Field(default_factory=lambda: {"...": "{data}"})
    answers: RecordAnswers
    statement: Statement | None = None
    counted: Counted | None = None
    rereport: RereportMarker | None = None

    @model_validator(mode="after")
    def _answers_for_each(self) -> AcceptedDataset:
        answers = self.answers
        if self.batch > 1 and self.delete is not None:
            raise ValueError("delete: a call for one deleted record needs `batch: 1`")
        if self.batch > 1 and (not answers.guid or answers.statuses):
            raise ValueError(
                "answers: a batch of several records needs `guid`, and no status can speak for all"
            )
        if answers.accepted is None and not answers.statuses:
            raise ValueError("answers: `accepted` is missing: the sign of acceptance")
        if answers.rejected is None and self.batch > 1:
            raise ValueError("answers: `rejected` is missing: the sign of one record's refusal")
        return self


class System(Strict):
    """One department system.

    Attributes:
        system: Name; equals the file's stem.
        title: Name for people.
        department: Who is responsible.
        protocol: `soap` or `rest`.
        connection: Name of the connection with address and secrets.
        interfaces: Ways in; calls name one of them.
        window: Rule of windows for all datasets.
        budget: What the system may be asked to bear.
        datasets: What we read.
        accepts: What we send.
        compares: What we may ask without getting a record.
    """

    system: str
    title: Title
    department: Department
    protocol: Literal["soap", "rest"]
    connection: str
    interfaces: dict[str, Interface]
    window: WindowRule = WindowRule()
    budget: Budget = Budget()
    datasets: dict[str, PulledDataset] = Field(default_factory=dict)
    accepts: dict[str, AcceptedDataset] = Field(default_factory=dict)
    compares: dict[str, Compare] = Field(default_factory=dict)

    def interface_of(self, call: Call) -> Interface:
        """Give the interface that a call uses."""
        if call.interface is None:
            return next(iter(self.interfaces.values()))
        return self.interfaces[call.interface]

    def pulled(self, dataset: str) -> PulledDataset:
        """Give the dataset whose call fetches the pages (the parent where pages are shared)."""
        found = self.datasets[dataset]
        return self.datasets[found.shares_pages_of] if found.shares_pages_of else found

    def window_rule(self, dataset: str) -> WindowRule:
        """Give the rule by which windows of that dataset are asked."""
        return self.pulled(dataset).window or self.window


def load_system(path: Path, *, root: Path | None = None) -> System:
    """Read one system's YAML.

    Raises:
        ConfigInvalid: Anything is wrong in it; file:line, what was expected, a suggestion.
    """
    file = load_yaml(path, root=root)
    system = parse_model(file, System)
    if system.system != path.stem:
        file.fail(("system",), f'system is "{system.system}", expected "{path.stem}" (file name)')
    _check_references(file, system)
    return system


def _check_references(file: YamlFile, system: System) -> None:
    """Refuse names that point nowhere."""
    if not system.interfaces:
        file.fail(("interfaces",), "expected at least one interface")
    for name, interface in system.interfaces.items():
        if system.protocol == "soap" and interface.soap is None:
            file.fail(("interfaces", name), 'the key "soap" is missing; add it')
    for name, dataset in system.datasets.items():
        parent = dataset.shares_pages_of
        if parent is not None and (parent not in system.datasets or parent == name):
            others = set(system.datasets) - {name}
            where = ("datasets", name, "shares_pages_of")
            file.fail(where, f'unknown dataset "{parent}"{suggestion(parent, others)}')
        if dataset.call is not None:
            _check_call(file, system, ("datasets", name, "call"), dataset.call)
    for place, call in _other_calls(system):
        _check_call(file, system, place, call)


def _other_calls(system: System) -> Iterator[tuple[Where, Call]]:
    """Every call that pulls nothing, with its place in the file."""
    for name, accepted in system.accepts.items():
        yield ("accepts", name, "call"), accepted.call
        if accepted.delete is not None:
            yield ("accepts", name, "delete"), accepted.delete
        if accepted.statement is not None:
            yield ("accepts", name, "statement", "call"), accepted.statement.call
        if accepted.counted is not None:
            yield ("accepts", name, "counted", "call"), accepted.counted.call
    for name, compared in system.compares.items():
        yield ("compares", name, "call"), compared.call


def _check_call(file: YamlFile, system: System, where: Where, call: Call) -> None:
    """Refuse a call of an unknown interface, or one that its protocol cannot make."""
    if call.interface is not None and call.interface not in system.interfaces:
        hint = suggestion(call.interface, system.interfaces)
        file.fail((*where, "interface"), f'unknown interface "{call.interface}"{hint}')
    if call.interface is None and len(system.interfaces) > 1:
        file.fail(where, f"several interfaces; name one of {', '.join(system.interfaces)}")
    if system.interface_of(call).soap is not None and not call.operation:
        file.fail(where, 'the key "operation" is missing; add it')

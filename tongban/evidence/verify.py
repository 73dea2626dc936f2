"""Verify an evidence archive or a proof without the hub, its database or its network.

    python verify.py FILE [--key KEY_ID]

Imports nothing else of ours, so that an auditor can read and copy this one file; signatures need
`cryptography`. An archive is a header, entries and seals in order, and an end line. An entry's
hash covers its other fields and the hash before it. A seal signs the Merkle root over its entries
and the seal before; the end line signs every byte before it. A log, as exported before there were
seals, has entries only. A proof leads from one record's leaf to its entry and to a seal.

A key's id is the digest of its public half. Who forges a whole archive forges the keys in it too:
compare the printed id with the one that the hub's operator published, or give `--key`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = "0" * 64
ARCHIVE, PROOF, FORM = "tongban-evidence", "tongban-record-proof", 2
PROVIDERS = "tongban.signers"  # entry points of packages that know other algorithms
ED25519, CLOCK = "Ed25519", "clock"  # the second is the kind of an entry
OUTCOMES = {  # last byte of a leaf: of a load a small letter, of a delivery a capital one
    "n": "new", "c": "changed", "q": "quarantined", "d": "deleted", "A": "accepted", "S": "sent",
    "D": "duplicate", "R": "rejected", "W": "waiting_parent", "H": "withheld", "Q": "queued",
}  # fmt: skip
_FIELDS = ("seq", "at", "kind", "subject", "leaf", "previous")
_ENTRY = {*_FIELDS, "hash"}
_SIGNED = {"algorithm", "key", "signature"}
_HEADER = {"archive", "form", "first", "last", "previous", "seal", "seals", "previous_seal", "keys"}
_SEAL = {"seal", "first", "last", "at", "root", "head", "previous"} | _SIGNED
_EVENT = {"version", "digest", "outcome", "salt", "path", "entry", "entry_path", "seal"}
_LEAF, _NODE = b"\x00", b"\x01"  # RFC 6962: a leaf can never pass for a node


@dataclass(frozen=True)
class Verdict:
    """How far a file verifies and the first problem; findings are no tampering, but odd."""

    entries: int
    head: str
    problem: str | None = None
    kind: str = "log"
    seals: int = 0
    keys: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


class Broken(Exception):  # noqa: N818 - never leaves this module
    """The first thing that does not hold."""


def canonical(document: Any) -> bytes:
    """One text per document: sorted keys, no blanks, UTF-8."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def entry_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 over everything in an entry but its own hash."""
    return hashlib.sha256(canonical({name: entry[name] for name in _FIELDS})).hexdigest()


def seal_hash(seal: Mapping[str, Any]) -> str:
    """SHA-256 over a whole seal; what the next seal's `previous` must be."""
    return hashlib.sha256(canonical(seal)).hexdigest()


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """What a seal's or an end line's signature is over."""
    return canonical({name: item for name, item in document.items() if name != "signature"})


def key_id(algorithm: str, public: bytes) -> str:
    """The name of a key: nobody can make another key of the same name."""
    return hashlib.sha256(algorithm.encode() + b"|" + public).hexdigest()[:32]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root of the Merkle tree over the leaves in their order (RFC 6962, SHA-256)."""
    *_, top = merkle_levels(leaves)
    return top[0] if top else hashlib.sha256(b"").digest()


def merkle_levels(leaves: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The tree level by level from the hashed leaves up; a node without a neighbour goes up."""
    sha256 = hashlib.sha256
    level = [sha256(_LEAF + leaf).digest() for leaf in leaves]
    yield level
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        alone = level[len(level) & ~1 :]
        level = [sha256(_NODE + left + right).digest() for left, right in pairs] + alone
        yield level


def root_of_path(leaf: bytes, path: Iterable[str]) -> bytes:
    """The root above a leaf; a step of its path is `L` or `R`, then the neighbour in hex."""
    node = hashlib.sha256(_LEAF + leaf).digest()
    for step in path:
        beside = _bytes(step[1:], len(node))
        if step[0] not in "LR":
            raise ValueError
        node = hashlib.sha256(_NODE + (beside + node if step[0] == "L" else node + beside)).digest()
    return node


def _bytes(text: str, length: int | None = None) -> bytes:
    found = bytes.fromhex(text)
    if found.hex() != text or length not in {None, len(found)}:  # one spelling for each value
        raise ValueError
    return found


def record_leaf(salt: bytes, record: bytes, version: int, digest: bytes, outcome: str) -> bytes:
    """The leaf of one record: salt, record id, version, keyed row digest, outcome."""
    return salt + record + version.to_bytes(4, "big") + digest + outcome.encode()


def verify(lines: Iterable[str], *, previous: str = GENESIS, first: int = 1) -> Verdict:
    """Check a log without seals from entry `first` on, which follows the hash `previous`."""
    chain = _Chain(previous, first)
    try:
        for number, line in enumerate(lines, start=1):
            chain.add(f"line {number}", _document(number, line.rstrip("\n").encode()))
    except Broken as exc:
        return chain.verdict(str(exc))
    return chain.verdict()


def verify_archive(lines: Iterable[bytes], trusted: Collection[str] = ()) -> Verdict:
    """Check an archive's lines with their ends; any key may have signed when none is trusted."""
    walk = _Archive(trusted)
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            walk.take(number, line)
    except Broken as exc:
        return walk.verdict(str(exc))
    return walk.verdict(None if walk.is_ended else f"line {number + 1}: missing, it was cut off")


def verify_proof(text: bytes, trusted: Collection[str] = ()) -> Verdict:
    """Check every leaf, entry, seal and signature of the proof of one record."""
    heads = [GENESIS]
    keys: tuple[str, ...] = ()
    try:
        keys, problem = _check_proof(_document(1, text), trusted, heads), None
    except Broken as exc:
        problem = str(exc)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        problem = f"event {len(heads)}: not as a proof is written"
    return Verdict(len(heads) - 1, heads[-1], problem, "proof", len(keys), keys)


def verify_file(path: Path, trusted: Collection[str] = ()) -> Verdict:
    """Check an archive, a log or a proof, whichever the file is."""
    with path.open("rb") as file:
        start = file.readline()
        file.seek(0)
        if start.startswith(b'{"archive":'):
            return verify_archive(file, trusted)
        if start.startswith(b'{"events":'):
            return verify_proof(file.read().removesuffix(b"\n"), trusted)
        verdict = verify(line.decode(errors="replace") for line in file)
    return replace(verdict, problem=verdict.problem or ("nobody signed it" if trusted else None))


def _hold(where: str, *checks: tuple[bool, str]) -> None:
    """Raise Broken for the first check that does not hold."""
    for holds, problem in checks:
        if not holds:
            raise Broken(f"{where}: {problem}")


@dataclass
class _Chain:
    """The entries so far: each follows the one before."""

    head: str
    next: int
    count: int = 0
    at: str = ""
    findings: list[str] = field(default_factory=list)

    def add(self, where: str, entry: Mapping[str, Any]) -> None:
        _hold(where, (set(entry) == _ENTRY, "not an entry; fields were added or removed"))
        numbered = f"is not number {self.next}; entries were dropped, repeated or reordered"
        _hold(
            where,
            (entry["seq"] == self.next, numbered),
            (entry["previous"] == self.head, "does not follow the entry before; one was replaced"),
            (entry_hash(entry) == entry["hash"], "content and hash differ; the entry was changed"),
            (str(entry["at"]) >= self.at, "is older than the entry before; its time was changed"),
        )
        if entry["kind"] == CLOCK:
            self.findings.append(f"entry {entry['seq']}: the clock was set back")
        self.head, self.at = entry["hash"], str(entry["at"])
        self.next, self.count = self.next + 1, self.count + 1

    def verdict(self, problem: str | None = None) -> Verdict:
        return Verdict(self.count, self.head, problem, findings=tuple(self.findings))


class _Keys:
    """Public keys by id, which of them are trusted, and which were used."""

    def __init__(self, where: str, documents: Any, trusted: Collection[str]) -> None:
        self.used: set[str] = set()
        self._trusted = frozenset(trusted)
        try:
            self._public = {
                item["key"]: (item["algorithm"], _bytes(item["public"]))
                for item in documents
                if set(item) == {"key", "algorithm", "public"}
            }
            is_named = all(key_id(*public) == name for name, public in self._public.items())
        except (AttributeError, KeyError, TypeError, ValueError):
            is_named = False
        _hold(where, (is_named, "a public key is not the one that its id names"))

    def check(self, where: str, document: Mapping[str, Any]) -> None:
        name = document["key"]
        is_trusted = not self._trusted or name in self._trusted
        _hold(
            where,
            (is_trusted, f"signed by the key {name}, which is not the one that you trust"),
            (name in self._public, "signed by a key that the file does not hold"),
        )
        algorithm, public = self._public[name]
        _hold(where, (algorithm == document["algorithm"], "names another algorithm than its key"))
        is_signed = _is_signed(where, algorithm, public, document)
        _hold(where, (is_signed, "the signature does not fit; it was changed or forged"))
        self.used.add(name)


class _Archive:
    def __init__(self, trusted: Collection[str]) -> None:
        self.is_ended = False
        self._trusted = trusted
        self._sha256 = hashlib.sha256()
        self._chain = _Chain(GENESIS, 1)
        self._header: dict[str, Any] = {}
        self._keys: _Keys | None = None
        self._waiting: list[bytes] = []  # hashes of entries since the last seal
        self._seals, self._last_seal = 0, GENESIS

    def take(self, number: int, line: bytes) -> None:
        where = f"line {number}"
        _hold(
            where,
            (not self.is_ended, "follows the end line; it was added"),
            (line.endswith(b"\n"), "has no end; the archive was cut off"),
        )
        document = _document(number, line[:-1])
        if self._keys is None:
            self._keys = self._begin(where, document)
        elif "end" in document:
            self._end(f"{where}: end line", document, self._keys)
        elif "seal" in document:
            self._seal(f"{where}: seal {document['seal']}", document, self._keys)
        else:
            self._chain.add(where, document)
            self._waiting.append(bytes.fromhex(document["hash"]))
        self._sha256.update(line)

    def verdict(self, problem: str | None = None) -> Verdict:
        keys = tuple(sorted(self._keys.used)) if self._keys else ()
        log = self._chain.verdict(problem)
        return replace(log, kind="archive", seals=self._seals, keys=keys)

    def _begin(self, where: str, header: dict[str, Any]) -> _Keys:
        numbers = [header.get(name) for name in ("first", "last", "seal", "seals")]
        is_known = (header.get("archive"), header.get("form")) == (ARCHIVE, FORM)
        is_whole = set(header) == _HEADER and all(type(number) is int for number in numbers)
        _hold(where, (is_known and is_whole, "not the header of such an archive"))
        self._header, self._last_seal = header, header["previous_seal"]
        self._chain = _Chain(header["previous"], header["first"])
        return _Keys(where, header["keys"], self._trusted)

    def _seal(self, where: str, seal: dict[str, Any], keys: _Keys) -> None:
        _hold(where, (set(seal) == _SEAL, "fields were added or removed"))
        covered = (self._chain.next - len(self._waiting), self._chain.next - 1)
        _hold(
            where,
            (seal["seal"] == self._header["seal"] + self._seals, "seals were dropped or reordered"),
            (seal["previous"] == self._last_seal, "does not follow the seal before"),
            ((seal["first"], seal["last"]) == covered, "is about other entries than stand before"),
            (seal["head"] == self._chain.head, "names another last entry"),
            (seal["root"] == merkle_root(self._waiting).hex(), "its root is not of its entries"),
        )
        keys.check(where, seal)
        self._waiting, self._seals, self._last_seal = [], self._seals + 1, seal_hash(seal)

    def _end(self, where: str, end: dict[str, Any], keys: _Keys) -> None:
        is_whole = set(end) == {"end", "seals", "sha256"} | _SIGNED
        _hold(where, (is_whole, "fields were added or removed"))
        counted = (self._chain.next - 1, self._seals)
        told = (self._header["last"], self._header["seals"])
        _hold(
            where,
            ((end["end"], end["seals"]) == counted, "counts other lines than there are"),
            (told == counted, "the header counts other lines than there are"),
            (not self._waiting, "entries stand behind the last seal"),
            (end["sha256"] == self._sha256.hexdigest(), "a byte before it was changed"),
        )
        keys.check(where, end)
        self.is_ended = True


def _check_proof(proof: Any, trusted: Collection[str], heads: list[str]) -> tuple[str, ...]:
    """Every event of a proof; notes the hash of each entry that holds."""
    is_whole = set(proof) == {"proof", "record", "events", "keys"} and len(proof["events"]) > 0
    _hold("proof", (is_whole and proof["proof"] == PROOF, "fields were added or removed"))
    keys = _Keys("proof", proof["keys"], trusted)
    for number, event in enumerate(proof["events"], start=1):
        _check_event(f"event {number}", proof["record"], event, keys)
        heads.append(event["entry"]["hash"])
    return tuple(sorted(keys.used))


def _check_event(where: str, record: str, event: Mapping[str, Any], keys: _Keys) -> None:
    """One event of a proof: leaf → entry → seal → signature."""
    entry, seal = event["entry"], event["seal"]
    is_whole = set(event) == _EVENT and set(seal) == _SEAL and set(entry) == _ENTRY
    _hold(where, (is_whole, "fields were added or removed"))
    (letter,) = [letter for letter, word in OUTCOMES.items() if word == event["outcome"]]
    parts = (_bytes(event["salt"], 16), _bytes(record, 16), event["version"])
    leaf = record_leaf(*parts, _bytes(event["digest"], 16), letter)
    sealed = root_of_path(_bytes(entry["hash"], 32), event["entry_path"])
    _hold(
        where,
        (root_of_path(leaf, event["path"]).hex() == entry["leaf"], "no such record in its entry"),
        (entry_hash(entry) == entry["hash"], "content and hash of the entry differ"),
        (sealed.hex() == seal["root"], "the entry is not under its seal"),
        (seal["first"] <= entry["seq"] <= seal["last"], "the seal is about other entries"),
    )
    keys.check(f"{where}: seal {seal['seal']}", seal)


def _document(number: int, text: bytes) -> dict[str, Any]:
    """One line as it was written."""
    try:
        found = json.loads(text)
        written = canonical(found)
    except (ValueError, RecursionError):
        raise Broken(f"line {number}: not JSON; the line was cut or changed") from None
    _hold(
        f"line {number}",
        (isinstance(found, dict), "not an entry; fields were added or removed"),
        (written == text, "not as it was written; it was rewritten"),
    )
    return dict(found)


def _is_signed(where: str, algorithm: str, public: bytes, document: Mapping[str, Any]) -> bool:
    """Tell whether the key signed the document; Broken where nobody here can tell."""
    try:
        if algorithm == ED25519:
            signature = _bytes(document["signature"])
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed_bytes(document))
            return True
        for provider in entry_points(group=PROVIDERS, name=algorithm):
            signature = _bytes(document["signature"])
            return bool(provider.load().verify(public, signature, signed_bytes(document)))
    except (InvalidSignature, TypeError, ValueError):
        return False
    raise Broken(f"{where}: not checked, no provider for {algorithm} signatures is installed")


def main(arguments: Sequence[str]) -> int:
    """Verify one file; gives 0 when it verifies, else 1."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Verify an archive or a proof.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", action="append", default=[], help="Id of a key that you trust.")
    given = parser.parse_args(arguments)  # a wrong call ends with exit code 2
    verdict = verify_file(given.file, given.key)
    sys.stdout.writelines(f"FINDING {finding}\n" for finding in verdict.findings)
    what = f"{verdict.entries} {'events' if verdict.kind == 'proof' else 'entries'}"
    signed = f"signed by {', '.join(verdict.keys)}" if verdict.keys else "not signed by anybody"
    if verdict.problem is None:
        sys.stdout.write(f"OK {what}, head {verdict.head}, {signed}\n")
    else:
        sys.stdout.write(f"BROKEN after {what}: {verdict.problem}\n")
    return int(verdict.problem is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The key ring: data keys wrapped by one master key, one small file per key.

Every scope (a dataset, or `hub` for pages and messages) has a data key of its own for every year,
so that a dataset, or a year of it, can be shredded by destroying keys. The newest key of a scope's
present year seals, every key that is still there opens. Index and digest keys are derived from one
root that never changes with a rotation, else equal values would stop giving equal indexes.

Several workers share a folder without a lock: files appear whole or not at all, and whoever loses
the race to make a key reads the winner's. A key that another process made or retired is noticed
before the next value is sealed.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid, KeyUnknown
from tongban.kernel.records import BEIJING
from tongban.protect.envelope import (
    CIPHERS,
    KEY_LENGTH,
    NONCE_LENGTH,
    Cipher,
    header,
    read_header,
    unseal,
)
from tongban.protect.keyfiles import RETIRED, SHREDDED, KeyFacts, KeyFolder, write_once
from tongban.protect.masterkey import (
    MASTER_KEY_FILE,
    MASTER_KEY_VARIABLE,
    MasterSource,
    Secret,
    file_source,
    master_source,
)
from tongban.protect.suites import INTERNATIONAL, SUITES, Suite, derive, suite_of

HUB_SCOPE = "hub"
FINGERPRINT_LENGTH = 16
SETTLED_NS = 50_000_000  # several ticks of the coarsest clock of a file system

_ROOT_NAME = "root"


class MasterKeyWrong(KeyUnknown):
    """The master key does not open the ring's keys; it is another installation's."""

    code = "fatal.master_key_wrong"


class KeyShredded(KeyUnknown):
    """The key was destroyed by order; what it sealed is unreadable for good."""

    code = "fatal.key_shredded"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The key with which a scope's values are sealed now."""

    key_id: int
    header: bytes
    cipher: Cipher


class KeyRing:
    """All keys of one installation; open it once per process."""

    def __init__(
        self,
        folder: Path,
        source: MasterSource,
        suite: Suite = SUITES[INTERNATIONAL],
        today: Callable[[], date] = lambda: datetime.now(BEIJING).date(),
    ) -> None:
        self.files = KeyFolder(folder)
        self.source = source
        self.suite = suite
        self._today = today
        self._master = source.read()
        self._ciphers: dict[tuple[int, int], Cipher] = {}
        self._sealing: dict[str, SealingKey] = {}
        self._sealing_as_of: tuple[int, int] = (0, 0)
        self._derived: dict[str, bytes] = {}
        facts = {"purpose": "root", "digests": suite.digests}
        self.files.make(_ROOT_NAME, self._master, suite.algorithm, facts)
        self._root = self._unwrap(_ROOT_NAME)[1]
        # A ring of before there were suites does not say it.
        international = SUITES[INTERNATIONAL].digests
        self.digests = str(self.files.document(_ROOT_NAME).get("digests", international))

    @classmethod
    def open(
        cls,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        *,
        secret: Secret | None = None,
        today: Callable[[], date] = lambda: datetime.now(BEIJING).date(),
    ) -> KeyRing:
        """Open the ring of a folder, making it on first use.

        Args:
            folder: Where the wrapped keys lie.
            environ: Names the master key's place (`tongban.protect.masterkey`) and the suite.
            secret: Looks a name up in a secrets backend, inside Airflow.
            today: The day in Beijing; its year is the period of new keys.

        Raises:
            ConfigInvalid: The master key is not 32 bytes in base64, or there is no such suite.
            CredentialsMissing: The secret that is named is nowhere.
            MasterKeyWrong: The key is right in form, but this ring was made under another one.
        """
        env = os.environ if environ is None else environ
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = master_source(folder, env, secret)
        path = folder / MASTER_KEY_FILE
        if source.path == path and not path.exists():
            if any(folder.glob("*.json")) and not path.exists():
                raise MasterKeyWrong(
                    f"{path} is missing but the folder holds wrapped keys; restore the file or "
                    f"set {MASTER_KEY_VARIABLE}",
                    path=str(path),
                )
            write_once(path, base64.b64encode(secrets.token_bytes(KEY_LENGTH)) + b"\n")
            source = file_source(path)
        return cls(folder, source, suite_of(env), today)

    def seal(self, context: str, data: bytes, *, scope: str = HUB_SCOPE) -> bytes:
        """Seal bytes that open only under the same context."""
        return self.seal_bytes(self.sealing_key(scope), context.encode(), data)

    @staticmethod
    def seal_bytes(key: SealingKey, context: bytes, data: bytes) -> bytes:
        """Seal bytes with a certain key, bound to a context."""
        nonce = os.urandom(NONCE_LENGTH)
        return key.header + nonce + key.cipher.encrypt(nonce, data, context)

    def unseal(self, context: str, envelope: bytes) -> bytes:
        """Open what `seal` made.

        Raises:
            KeyUnknown: The ring has no key of that id.
            EnvelopeBroken: It was changed, cut, or belongs to another context.
        """
        algorithm, key_id = read_header(envelope, context)
        return unseal(self.cipher(algorithm, key_id), envelope, context.encode(), context)

    def sealing_key(self, scope: str) -> SealingKey:
        """The newest key of a scope and the present year; made on first use."""
        as_of = self.files.stamp(), self._today().year
        if as_of != self._sealing_as_of:
            self._sealing.clear()
            # Changes in one tick of the disk's clock have one time: look again until it is past.
            is_settled = time.time_ns() - as_of[0] > SETTLED_NS
            self._sealing_as_of = as_of if is_settled else (0, 0)
        found = self._sealing.get(scope)
        if found is None:
            period = str(as_of[1])
            active = self.active_keys(scope, period)
            if not active:
                name = self.next_name(scope, period)
                self.make(name)
                active = self.active_keys(scope, period)
            found = self._sealing[scope] = self.sealing_with(active[-1].key_id)
        return found

    def sealing_with(self, key_id: int) -> SealingKey:
        """One certain key, under the algorithm of the suite."""
        algorithm = self.suite.algorithm
        return SealingKey(key_id, header(algorithm, key_id), self.cipher(algorithm, key_id))

    def add_key(self, scope: str) -> int:
        """Give a scope a new sealing key; older envelopes stay readable. Gives its id."""
        self.make(self.next_name(scope, str(self._today().year)))
        self._sealing.clear()
        return self.sealing_key(scope).key_id

    def active_keys(self, scope: str, period: str | None = None) -> list[KeyFacts]:
        """Keys that are neither retired nor shredded, oldest first."""
        return [
            key
            for key in self.files.facts(scope)
            if key.state == "active" and period in {None, key.period}
        ]

    def next_name(self, scope: str, period: str) -> str:
        """Name for the next key of a scope and period; nothing is made."""
        numbers = [key.number for key in self.files.facts(scope) if key.period == period]
        return f"data.{scope}.{period}-{max(numbers, default=0) + 1:04d}"

    def make(self, name: str) -> None:
        """Make the data key of that name, unless it is there."""
        scope = name.removeprefix("data.").rpartition(".")[0]
        facts = {"purpose": "data", "scope": scope}
        self.files.make(name, self.master_now(), self.suite.algorithm, facts)

    def cipher(self, algorithm: int, key_id: int) -> Cipher:
        """The cipher of a key id; looks into the folder again for one that we have not met.

        Raises:
            KeyShredded: The key was destroyed by order.
            KeyUnknown: No file of the ring has that id (lost, or another installation's).
        """
        found = self._ciphers.get((algorithm, key_id))
        if found is None:
            for name in self.files.names():
                if (self.files.folder / f"{name}{SHREDDED}").exists():
                    continue  # the order is given; a crash left the file behind
                number, key = self._unwrap(name)
                self._ciphers[algorithm, number] = CIPHERS[algorithm](key)
            found = self._ciphers.get((algorithm, key_id))
        if found is None:
            raise self._no_key(key_id)
        return found

    def forget(self, key_ids: Sequence[int]) -> None:
        """Drop keys from this process's memory."""
        for known in [known for known in self._ciphers if known[1] in key_ids]:
            del self._ciphers[known]
        self._sealing.clear()

    def retire(self, name: str, proof: dict[str, object]) -> None:
        """Let a key seal nothing any more; it still opens."""
        self.files.mark(name, RETIRED, proof)
        self._sealing.clear()

    def derived(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, the same for the ring's whole life."""
        if purpose not in self._derived:
            self._derived[purpose] = derive(self._root, purpose, self.digests)
        return self._derived[purpose]

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that tell this ring from every other one, and nothing about its keys."""
        return bytes(self.derived("fingerprint")[:FINGERPRINT_LENGTH])

    def master_now(self) -> bytes:
        """The master key as its place holds it now."""
        self._master = self.source.read()
        return self._master

    def _unwrap(self, name: str) -> tuple[int, bytes]:
        """Key id and key of one file; the master key may have been changed meanwhile.

        Raises:
            MasterKeyWrong: It is not the key under which the file was written.
        """
        found = self.files.unwrap(name, self._master)
        if found is None and self.source.kind != "environment":
            found = self.files.unwrap(name, self.master_now())
        if found is None:
            raise MasterKeyWrong(
                f"{self.files.path(name)}: the master key does not open this key; it is another "
                f"installation's or the file was changed, check {self.source.place}",
                path=str(self.files.path(name)),
            )
        return found

    def _no_key(self, key_id: int) -> KeyUnknown:
        """The error for an id that no file has."""
        for key in self.files.facts():
            if key.key_id == key_id and key.state == "shredded":
                return KeyShredded(
                    f"{self.files.folder}: the key {key_id:08x} of {key.scope}, period "
                    f"{key.period}, was shredded; what it sealed is unreadable for good, its "
                    "certificate is in `tongban keys certificates`",
                    key_id=key_id,
                )
        return KeyUnknown(
            f"{self.files.folder}: no key with the id {key_id:08x}; its file was lost or it "
            "belongs to another installation, restore the folder from its backup",
            key_id=key_id,
        )


def master_text(key: bytes) -> str:
    """A master key as it is written into a file or a secret."""
    if len(key) != KEY_LENGTH:
        raise ConfigInvalid(f"a master key has {KEY_LENGTH} bytes")
    return base64.b64encode(key).decode()

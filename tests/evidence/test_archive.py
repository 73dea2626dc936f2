"""Archives: deterministic, complete, and every tampering with one is found."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import tongban.evidence.verify as verifier
from benchmarks.tampering import KINDS, tampered
from tests.evidence.samples import SIGNER, append_some, archive_of, sealed_log
from tongban.evidence.log import export
from tongban.evidence.signing import open_signer
from tongban.evidence.verify import verify_archive, verify_file
from tongban.kernel.errors import ConfigInvalid

pytestmark = pytest.mark.postgres


def problem_of(archive, trusted=()):
    """What the verifier says."""
    return verify_archive(archive.splitlines(keepends=True), trusted).problem


def test_archive_verifies_and_names_its_key(engine, tmp_path):
    """Entries, seals and who signed."""
    sealed_log(engine, tmp_path, 3, 2)

    verdict = verify_archive(archive_of(engine).splitlines(keepends=True))

    assert (5, 2, (SIGNER.key,), None) == (
        verdict.entries,
        verdict.seals,
        verdict.keys,
        verdict.problem,
    )


def test_same_seals_give_the_same_bytes_whatever_came_after(engine, tmp_path):
    """Two copies can be compared without reading them."""
    sealed_log(engine, tmp_path, 3, 2)
    before = archive_of(engine, last_seal=2)
    sealed_log(engine, tmp_path, 4)

    assert before == archive_of(engine, last_seal=2)
    assert before != archive_of(engine)


def test_part_of_the_log_verifies_alone_and_follows_the_part_before(engine, tmp_path):
    """Archives are cut by month."""
    sealed_log(engine, tmp_path, 3, 2, 4)

    verdict = verify_archive(archive_of(engine, first_seal=2).splitlines(keepends=True))

    assert (6, 2, None) == (verdict.entries, verdict.seals, verdict.problem)


@pytest.mark.parametrize(
    "seals", [{"first_seal": 4}, {"last_seal": 9}, {"first_seal": 3, "last_seal": 2}]
)
def test_seals_that_are_not_there_are_refused(engine, tmp_path, seals):
    """Never a smaller archive than was asked for."""
    sealed_log(engine, tmp_path, 1, 1, 1)

    with pytest.raises(ConfigInvalid, match="not all there"):
        archive_of(engine, **seals)


def test_random_tamperings_are_all_found(engine, tmp_path):
    """Flip, drop, swap, truncate, splice; `bench evidence` does 10,000."""
    sealed_log(engine, tmp_path, 5, 5)
    archive = archive_of(engine)
    other = archive_of(engine, first_seal=2)
    chance = random.Random(5)

    missed = []
    for number in range(400):
        kind = KINDS[number % len(KINDS)]
        changed = tampered(archive, other, kind, chance)
        if changed != archive and problem_of(changed) is None:
            missed.append((kind, number))

    assert [] == missed


@pytest.mark.parametrize("keep", range(1, 9))
def test_archive_cut_at_any_line_is_found(engine, tmp_path, keep):
    """Also where what is left ends with a seal."""
    sealed_log(engine, tmp_path, 3, 2)
    lines = archive_of(engine).splitlines(keepends=True)

    assert "cut off" in verify_archive(lines[:keep]).problem if keep < len(lines) else True
    assert 9 == len(lines)


def test_archive_signed_by_another_key_is_found_by_who_knows_the_right_one(engine, tmp_path):
    """A forger makes a key of his own; the operator publishes the real one's id."""
    sealed_log(engine, tmp_path, 2)
    archive = archive_of(engine)
    other = open_signer(b"x" * 32, "Ed25519").key

    assert problem_of(archive, [SIGNER.key]) is None
    assert "is not the one that you trust" in problem_of(archive, [other])


def test_wrong_public_key_in_the_archive_is_found(engine, tmp_path):
    """The key's id is its digest, so it cannot be exchanged."""
    sealed_log(engine, tmp_path, 2)
    other = open_signer(b"x" * 32, "Ed25519").public.hex()
    changed = archive_of(engine).replace(SIGNER.public.hex().encode(), other.encode())

    assert "line 1: a public key is not the one that its id names" == problem_of(changed)


def test_log_without_seals_still_verifies_and_says_that_nobody_signed(engine, tmp_path):
    """What older versions exported."""
    append_some(engine, 3)
    file = tmp_path / "old.jsonl"
    file.write_text("\n".join(export(engine)) + "\n", encoding="utf-8")

    verdict = verify_file(file)

    assert (3, None, "log", ()) == (verdict.entries, verdict.problem, verdict.kind, verdict.keys)
    assert "nobody signed it" == verify_file(file, ["0" * 32]).problem


def test_verifier_runs_alone_on_an_archive(engine, tmp_path):
    """One Python file, one archive, no hub, no network."""
    sealed_log(engine, tmp_path, 3)
    copy, file = tmp_path / "copy.py", tmp_path / "archive.jsonl"
    copy.write_bytes(Path(verifier.__file__).read_bytes())
    file.write_bytes(archive_of(engine))
    command = [sys.executable, "-I", copy, file, "--key", SIGNER.key]

    good = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    file.write_bytes(file.read_bytes()[:-30])
    bad = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (0, "OK 3 entries") == (good.returncode, good.stdout[:12])
    assert (1, "BROKEN after 3 entries: line 6") == (bad.returncode, bad.stdout[:30])

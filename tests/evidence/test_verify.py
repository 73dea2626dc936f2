"""The standalone verifier: every tampering is found."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tongban.evidence.verify as verifier
from tongban.evidence.verify import GENESIS, canonical, entry_hash, main, merkle_root, verify


def chain(count):
    """A valid log."""
    lines, previous = [], GENESIS
    for seq in range(1, count + 1):
        entry = {
            "seq": seq,
            "at": f"2026-03-01T00:00:{seq:02d}.000000+00:00",
            "kind": "load",
            "subject": {"dataset": "房产", "read": seq},
            "leaf": "00" * 32,
            "previous": previous,
        }
        previous = entry_hash(entry)
        lines.append(canonical({**entry, "hash": previous}).decode())
    return lines


def test_valid_log_verifies():
    """The base of all others here."""
    verdict = verify(chain(20))

    assert (20, None) == (verdict.entries, verdict.problem)


def test_part_of_a_log_verifies_after_the_entry_before_it():
    """Archives are cut by month."""
    lines = chain(20)

    verdict = verify(lines[10:], previous=json.loads(lines[9])["hash"], first=11)

    assert (10, None) == (verdict.entries, verdict.problem)


@given(st.data())
def test_every_random_tampering_is_found(data):
    """Flip, drop, swap, repeat or splice: the verifier names a line."""
    lines = chain(12)
    original = list(lines)
    at = data.draw(st.integers(0, 10))
    kind = data.draw(st.sampled_from(["flip", "drop", "swap", "repeat", "cut"]))
    if kind == "flip":
        where = data.draw(st.integers(0, len(lines[at]) - 1))
        lines[at] = lines[at][:where] + chr(ord(lines[at][where]) ^ 1) + lines[at][where + 1 :]
    elif kind == "drop":
        del lines[at]
    elif kind == "swap":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    elif kind == "repeat":
        lines.insert(at, lines[at])
    else:
        lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at]) - 1))]

    assert original != lines
    assert verify(lines).problem is not None


def test_rewritten_entry_breaks_the_chain_even_with_a_fresh_hash():
    """An attacker can hash as well."""
    lines = chain(3)
    entry = json.loads(lines[1])
    entry["subject"] = {"dataset": "other", "read": 2}
    entry["hash"] = entry_hash(entry)
    lines[1] = canonical(entry).decode()

    assert "line 3: does not follow" in verify(lines).problem


def test_verifier_imports_only_the_standard_library_and_cryptography():
    """It must be readable and runnable alone."""
    tree = ast.parse(Path(verifier.__file__).read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}

    assert names <= {
        "__future__",
        "argparse",
        "collections.abc",
        "cryptography.exceptions",
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        "dataclasses",
        "hashlib",
        "importlib.metadata",
        "json",
        "pathlib",
        "sys",
        "typing",
    }


def test_command_tells_ok_from_broken_by_its_exit_code(tmp_path, capsys):
    """Scripts depend on it."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text("\n".join(chain(2)) + "\n", encoding="utf-8")
    bad.write_text("\n".join(chain(2)[1:]) + "\n", encoding="utf-8")

    with pytest.raises(SystemExit) as wrong:
        main([])

    assert [0, 1, 2] == [main([str(good)]), main([str(bad)]), wrong.value.code]
    assert "BROKEN after 0 entries: line 1" in capsys.readouterr().out


def test_merkle_root_of_known_leaves():
    """RFC 6962: one leaf is hashed with a zero byte, a node with a one byte."""
    one = hashlib.sha256(b"\x00a").digest()
    two = hashlib.sha256(b"\x00b").digest()
    three = hashlib.sha256(b"\x00c").digest()
    pair = hashlib.sha256(b"\x01" + one + two).digest()

    assert one == merkle_root([b"a"])
    assert pair == merkle_root([b"a", b"b"])
    assert hashlib.sha256(b"\x01" + pair + three).digest() == merkle_root([b"a", b"b", b"c"])
    assert hashlib.sha256(b"").digest() == merkle_root([])


@pytest.mark.parametrize("line", ["[]", "{}", "not json", '{"seq": 1}'])
def test_line_that_is_no_entry_is_named(line):
    """Foreign lines never crash the verifier."""
    assert verify([line]).problem.startswith("line 1: not")


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=20, unique=True), st.data())
def test_merkle_root_depends_on_every_leaf_and_their_order(leaves, data):
    """A root stands for exactly one list."""
    at = data.draw(st.integers(0, len(leaves) - 2))
    swapped = [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]]

    assert merkle_root(leaves) != merkle_root(swapped)

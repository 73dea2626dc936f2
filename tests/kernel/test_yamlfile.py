"""Every mistake in a YAML file is said with file:line, what was expected, and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import load_yaml, parse_model, suggestion


class Inner(BaseModel):
    """A nested part."""

    model_config = ConfigDict(extra="forbid")
    source: str
    size: int = 1


class Outer(BaseModel):
    """A whole file."""

    model_config = ConfigDict(extra="forbid")
    name: str
    parts: list[Inner] = []
    by_name: dict[str, Inner] = {}


def write(folder: Path, text: str) -> Path:
    """Write a YAML file of that text."""
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nnmae: b\n", 'file.yaml:2: unknown key "nmae", did you mean "name"?'),
        (
            "name: a\nparts:\n- source: x\n- soruce: y\n",
            'file.yaml:4: unknown key "soruce", did you mean "source"?',
        ),
        (
            "name: a\nby_name:\n  first:\n    source: x\n    sise: 3\n",
            'file.yaml:5: unknown key "sise", did you mean "size"?',
        ),
        ("parts: []\n", 'file.yaml:1: the key "name" is missing; add it'),
        ("name: a\nparts:\n- source: x\n  size: many\n", "file.yaml:4: parts.0.size: "),
        ("name: a\nname: b\n", "file.yaml:2: the key 'name' stands twice"),
        ("name: [a\n", "file.yaml:2: not valid YAML"),
        ("- a\n- b\n", "file.yaml:1: expected a mapping at the top level"),
        ("name: a\nzzz: 1\n", 'unknown key "zzz"; expected one of: by_name, name, parts'),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str):
    """The person who wrote the file finds the place at once."""
    with pytest.raises(ConfigInvalid) as caught:
        parse_model(load_yaml(write(tmp_path, text)), Outer)

    assert message in str(caught.value)


def test_a_message_never_holds_the_value(tmp_path: Path):
    """What stands in the file may be a secret."""
    path = write(tmp_path, "name: a\nparts:\n- source: x\n  size: hunter2\n")

    with pytest.raises(ConfigInvalid) as caught:
        parse_model(load_yaml(path), Outer)

    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    """The message says what to create."""
    with pytest.raises(ConfigInvalid, match="the file does not exist; create it"):
        load_yaml(tmp_path / "none.yaml")


def test_a_file_in_gbk_is_refused_with_the_byte(tmp_path: Path):
    """Department staff save as GBK; the message says where UTF-8 ends."""
    path = tmp_path / "file.yaml"
    path.write_bytes("name: 税务\n".encode("gbk"))

    with pytest.raises(ConfigInvalid, match="not UTF-8 at byte 8"):
        load_yaml(path)


def test_a_right_file_gives_its_model(tmp_path: Path):
    """Chinese text, lists and maps arrive as written."""
    path = write(tmp_path, "name: 税务\nparts:\n- {source: x, size: 2}\n")

    model = parse_model(load_yaml(path), Outer)

    assert Outer(name="税务", parts=[Inner(source="x", size=2)]) == model


def test_the_shown_path_is_relative_to_the_root(tmp_path: Path):
    """Messages name the file as the repository does."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    path = write(folder, "name: a\n")

    assert "mappings/file.yaml:1" == load_yaml(path, root=tmp_path).at(("name",))


@pytest.mark.parametrize(
    ("word", "expected"),
    [("usge", ', did you mean "usage"?'), ("q", "; expected one of: status, usage")],
)
def test_a_suggestion_is_the_nearest_word_or_the_list(word: str, expected: str):
    """A near miss gets one proposal, a far one the whole choice."""
    assert expected == suggestion(word, ["usage", "status"])


@pytest.mark.parametrize("key", ["no", "YES", "~", "1.5", "2026-01-01", "=", "[a]"])
def test_a_key_that_yaml_does_not_read_as_text_is_refused(tmp_path: Path, key: str):
    """A field called `no` would silently become false."""
    path = write(tmp_path, f"name: a\nparts:\n  ? {key}\n  : x\n")

    with pytest.raises(ConfigInvalid, match=r"^file\.yaml:3: YAML reads this key as .* in quotes"):
        load_yaml(path)


@pytest.mark.parametrize(
    "value", ["2026-13-45", "9" * 5000, "!!int x", "!!bool x", "!!timestamp x"]
)
def test_a_value_that_yaml_takes_for_something_else_is_refused(tmp_path: Path, value: str):
    """PyYAML's own exceptions would say neither file nor line."""
    path = write(tmp_path, f"name: a\nparts: [b, {value}]\n")

    with pytest.raises(ConfigInvalid, match=r"^file\.yaml:2: a value is not what YAML takes it"):
        load_yaml(path)


def test_letters_that_yaml_forbids_are_refused_with_their_line(tmp_path: Path):
    """Such as a bell that an editor left."""
    path = write(tmp_path, "name: a\nparts: \a\n")

    with pytest.raises(ConfigInvalid, match=r"^file\.yaml:2: not valid YAML"):
        load_yaml(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        f"a: {'[' * 300}{']' * 300}\n",
        "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}' if i else 'x'] * 10)}]\n" for i in range(9)),
    ],
)
def test_aliases_that_multiply_or_hold_themselves_are_refused(tmp_path: Path, text: str):
    """A billion places from ten lines: refused before anything is made of them."""
    with pytest.raises(ConfigInvalid, match=r"^file\.yaml:\d+: nested deeper"):
        load_yaml(write(tmp_path, text))

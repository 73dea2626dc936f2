"""Releases: what was promised last, kept beside each contract, and held against what it says now.

`contracts/<dataset>/released/<version>.json` is a release: the contract's document and the code
tables that it names, under a digest. It is written once by `tongban contract release` and never
changed. `tongban check` reads a contract, its newest release of the same major, and refuses what
was changed without the version step that it needs. No git is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tongban.changes.diff import Report, compare
from tongban.changes.effects import Bump
from tongban.changes.facts import Facts, facts_of, read_facts, version_text
from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion

FOLDER = "released"
_RELEASE = re.compile(r"^[0-9]+\.[0-9]+\.[0-9]+$")
_MAJOR_FILE = re.compile(r"^v([1-9][0-9]*)$")
_VERSION_LINE = re.compile(r"^(version:\s*)(\S+)(.*)$", re.MULTILINE)


class ChangeRefused(ConfigInvalid):
    """A contract was changed by more than its version says."""

    code = "fatal.change_refused"


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` did."""

    dataset: str
    version: str
    path: Path
    report: Report | None


def contract_files(root: Path, dataset: str) -> dict[int, Path]:
    """The contract files of a dataset by major version, ascending."""
    found = {}
    for path in (root / "contracts" / dataset).glob("v*.yaml"):
        match = _MAJOR_FILE.match(path.stem)
        if match is not None:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def release_files(root: Path, dataset: str) -> dict[tuple[int, ...], Path]:
    """The releases of a dataset by version, ascending."""
    paths = (root / "contracts" / dataset / FOLDER).glob("*.json")
    found = {tuple(map(int, p.stem.split("."))): p for p in paths if _RELEASE.match(p.stem)}
    return dict(sorted(found.items()))


def read_release(path: Path, *, root: Path) -> Facts:
    """The facts of a release.

    Raises:
        ConfigInvalid: It is broken, or was changed after it was written.
    """
    file = load_yaml(path, root=root)  # JSON is YAML, and its errors have lines
    try:
        contract, codes, digest = (file.data[key] for key in ("contract", "codes", "digest"))
    except KeyError as exc:
        file.fail((), f"the key {exc} is missing; take the file back from the repository")
    if digest != _digest(contract, codes):
        file.fail(("digest",), "the release was changed after it was written; take the file back")
    tables = {t: {code: tuple(row) for code, row in rows.items()} for t, rows in codes.items()}
    return facts_of(file, contract, tables)


def newest_release(root: Path, dataset: str, major: int) -> Facts | None:
    """The newest release of one major version, or None before its first."""
    paths = [p for version, p in release_files(root, dataset).items() if version[0] == major]
    return read_release(paths[-1], root=root) if paths else None


def release_problems(catalog: Catalog) -> list[str]:
    """Every contract that says something else than was released, as lines with file:line."""
    problems: list[str] = []
    for folder in sorted((catalog.root / "contracts").glob("*/")):
        try:
            problems += _problems_of(catalog, folder.name)
        except ConfigInvalid as exc:
            problems.append(str(exc))
    return problems


def unreleased(catalog: Catalog) -> list[tuple[str, int]]:
    """Contracts (dataset and major) that are not released as they are now."""
    found = []
    for folder in sorted((catalog.root / "contracts").glob("*/")):
        for major, path in contract_files(catalog.root, folder.name).items():
            facts = read_facts(path, catalog.codes, root=catalog.root)
            released = newest_release(catalog.root, folder.name, major)
            if released is None or compare(released, facts).changes:
                found.append((folder.name, major))
    return found


def _problems_of(catalog: Catalog, dataset: str) -> Iterator[str]:
    """One dataset: its majors against their newest releases."""
    files = contract_files(catalog.root, dataset)
    for major, path in files.items():
        facts = read_facts(path, catalog.codes, root=catalog.root)
        if facts.version[0] != major:
            yield (
                f"{facts.at(('version',))}: version {version_text(facts.version)} in {path.name}; "
                f"a new major has a file of its own, v{facts.version[0]}.yaml"
            )
            continue
        released = newest_release(catalog.root, dataset, major)
        if released is not None:
            yield from compare(released, facts).refusals()
    gone = {version[0] for version in release_files(catalog.root, dataset)} - {*files}
    for major in sorted(gone):
        released = newest_release(catalog.root, dataset, major)
        if released is not None and not _has_ended(released):
            yield (
                f"contracts/{dataset}: {version_text(released.version)} was released, but "
                f"v{major}.yaml is gone; put it back until its support has ended"
            )


def _has_ended(facts: Facts) -> bool:
    """Whether a release said that nobody may count on it any more."""
    ends = [p["value"] for (name, _), p in facts.promises.items() if name == "endOfSupport"]
    today = datetime.now(BEIJING).date().isoformat()
    return facts.terms.get("status") == "retired" or any(str(day) < today for day in ends)


def find_facts(catalog: Catalog, name: str) -> Facts:
    """A form of a contract, from a path or from `<dataset>[@<version>]`.

    A dataset alone is its newest file; `<dataset>@released` is its newest release; a version is a
    release, or the file that has it.

    Raises:
        ConfigInvalid: There is no such file, dataset or version; with a suggestion.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml", ".json"}:
        is_release = path.suffix == ".json"
        return (
            read_release(path.absolute(), root=catalog.root)
            if is_release
            else read_facts(path.absolute(), catalog.codes, root=catalog.root)
        )
    dataset, _, version = name.partition("@")
    root = catalog.root
    files = contract_files(root, dataset)
    releases = release_files(root, dataset)
    if not files and not releases:
        raise ConfigInvalid(
            f'no contract for dataset "{dataset}"{suggestion(dataset, _names(root))}'
        )
    if version == FOLDER and releases:
        return read_release([*releases.values()][-1], root=root)
    for key, release in releases.items():
        if version == ".".join(map(str, key)):
            return read_release(release, root=root)
    found = [read_facts(p, catalog.codes, root=root) for p in files.values()]
    for facts in reversed(found):
        if version in {"", version_text(facts.version), f"v{facts.version[0]}"}:
            return facts
    known = [version_text(facts.version) for facts in found] + [
        ".".join(map(str, k)) for k in releases
    ]
    raise ConfigInvalid(f'{dataset}: no version "{version}"{suggestion(version, known)}')


def _names(root: Path) -> list[str]:
    return [folder.name for folder in (root / "contracts").glob("*/")]


def release(
    catalog: Catalog, dataset: str, *, major: int | None = None, raise_version: bool = False
) -> Released | None:
    """Record what a contract says now as a promise.

    Args:
        catalog: Of the root folder that holds the contracts.
        dataset: Its folder below contracts/.
        major: Which major; the newest when not given.
        raise_version: Write the version that the changes need into the contract first; never a
            new major, which needs a file of its own.

    Returns:
        The release, or None when this version is one already and nothing changed.

    Raises:
        ChangeRefused: The version does not say as much as the changes.
        ConfigInvalid: There is no such contract.
    """
    root = catalog.root
    files = contract_files(root, dataset)
    if not files or (major is not None and major not in files):
        raise ConfigInvalid(
            f'no contract "{dataset}"'
            + (f" v{major}" if major else "")
            + suggestion(dataset, _names(root))
        )
    path = files[major or max(files)]
    facts = read_facts(path, catalog.codes, root=root)
    before = newest_release(root, dataset, facts.version[0])
    report = compare(before, facts) if before is not None else None
    if report is not None:
        if report.needed is Bump.NONE and report.given is Bump.NONE:
            return None
        if not report.is_accepted and raise_version and report.needed < Bump.MAJOR:
            _write_version(facts.file, report.next_version)
            return release(catalog, dataset, major=major)
        if not report.is_accepted:
            raise ChangeRefused("\n".join(report.refusals()), dataset=dataset)
    target = root / "contracts" / dataset / FOLDER / f"{version_text(facts.version)}.json"
    _write_release(target, facts)
    return Released(dataset, version_text(facts.version), target, report)


def _write_version(file: YamlFile, version: str) -> None:
    """Put another version into a contract, and nothing else."""
    file.path.write_text(_VERSION_LINE.sub(rf"\g<1>{version}\g<3>", file.text, count=1), "utf-8")


def _write_release(path: Path, facts: Facts) -> None:
    """One JSON document, sorted nowhere: the contract's own order is what people compare."""
    codes = {
        table: {c: list(row) for c, row in rows.items()} for table, rows in facts.codes.items()
    }
    document = {
        "contract": facts.document,
        "codes": codes,
        "digest": _digest(facts.document, codes),
    }
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    path.write_text(_compact(text) + "\n", encoding="utf-8")


def _compact(text: str) -> str:
    """Innermost objects and lists on one line each, so that a release can be read and compared."""
    inner = re.compile(r"[{\[]\n\s+([^{}\[\]]+?)\n\s*[}\]]")

    def joined(match: re.Match[str]) -> str:
        whole = match[0]
        body = re.sub(r"\n\s+", " ", match[1])
        return f"{whole[0]}{body}{whole[-1]}"

    return inner.sub(joined, text)


def _digest(contract: Any, codes: Any) -> str:
    """SHA-256 over the canonical form of what was released."""
    text = json.dumps([contract, codes], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

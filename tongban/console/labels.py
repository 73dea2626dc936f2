"""Labels: how rules, times, numbers and durations are written for people.

Rule names come from contracts, so a page always uses the words that the departments agreed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from tongban.console.texts import TEXTS, Language, text_of
from tongban.kernel.catalog import Catalog
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING

PULL_ENDS = ("new_rows", "changed_rows", "same_rows", "quarantined_rows", "duplicate_rows")
PROVIDERS_SHOWN = 3
PUSH_ENDS = ("acknowledged_rows", "rejected_rows", "waiting_rows", "unclear_rows")


def contract_of(catalog: Catalog, dataset: str) -> Contract | None:
    """The dataset's contract, or None when it was removed or cannot be read."""
    try:
        return catalog.contract(dataset)
    except ConfigInvalid:
        return None


def dataset_label(catalog: Catalog, dataset: str, language: Language) -> str:
    """The contract's Chinese name, or the dataset's own name in English pages."""
    contract = contract_of(catalog, dataset)
    if contract is None:
        return dataset
    return contract.label if language == "zh" else dataset.replace("_", " ").capitalize()


def system_label(catalog: Catalog, system: str, language: Language) -> str:
    """The system's title in the page's language."""
    found = catalog.systems.get(system)
    if found is None:
        return text_of("hub", language) if system == "hub" else system
    return found.title.zh if language == "zh" else found.title.en


def owner_label(catalog: Catalog, contract: Contract, language: Language) -> str:
    """Whose a dataset is: its owner, or the systems that provide it together."""
    providers = catalog.providers(contract.dataset)
    if len(providers) < 2:  # noqa: PLR2004 - the contract's owner
        return system_label(catalog, contract.owner, language)
    shown = [system_label(catalog, name, language) for name in providers[:PROVIDERS_SHOWN]]
    if len(providers) > PROVIDERS_SHOWN:
        count = len(providers)
        shown.append(f"… 共 {count} 个部门" if language == "zh" else f"… {count} systems in all")
    return ("、" if language == "zh" else ", ").join(shown)


def rule_label(contract: Contract | None, rule: str, language: Language) -> str:
    """A rule in words: its description, or the field's name and the kind of check."""
    if contract is None:
        return rule
    for item in contract.rules:
        if item.id == rule:
            return item.description
    field, _, kind = rule.removeprefix(f"{contract.dataset}.").rpartition(".")
    words = text_of(f"k_{kind}", language) if f"k_{kind}" in TEXTS else kind
    found = contract.by_name.get(field)
    if found is None:
        return rule
    return f"{found.label}：{words}" if language == "zh" else f"{field.replace('_', ' ')}: {words}"


def field_label(contract: Contract | None, field: str, language: Language) -> str:
    """A field's name in the page's language."""
    if contract is None or field not in contract.by_name or language == "en":
        return field
    return contract.by_name[field].label


def number(value: Any) -> str:
    """Thousands apart; a dash for nothing."""
    return "–" if value is None else f"{int(value):,}"


def breakable(code: str) -> Markup:
    """A code that a narrow column may break after its dots and underscores."""
    whole = str(escape(code))
    return Markup(whole.replace(".", ".<wbr>").replace("_", "_<wbr>"))  # noqa: S704 - escaped


def moment(value: datetime | None) -> str:
    """A time of Beijing to the second; a dash for none."""
    return "–" if value is None else f"{value.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def short_moment(value: datetime | None) -> str:
    """A time of Beijing to the minute, without the year."""
    return "–" if value is None else f"{value.astimezone(BEIJING):%m-%d %H:%M}"


def duration(milliseconds: int | None, language: Language) -> str:
    """Seconds below two minutes, minutes above."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.1f} {text_of('seconds_unit', language)}"
    return f"{seconds / 60:.1f} {text_of('minutes_unit', language)}"


def balance(row: Mapping[str, Any]) -> tuple[str, int]:
    """Whether a transfer's counts add up.

    Returns:
        A word (`not_yet`, `balanced`, `unbalanced`, `declared_off`) and the difference.
    """
    if row["state"] != "finished":
        return "not_yet", 0
    if row["direction"] == "push":
        off = row["pushed_rows"] - sum(row[name] for name in PUSH_ENDS)
        return ("balanced", 0) if off == 0 else ("unbalanced", off)
    off = row["read_rows"] - sum(row[name] for name in PULL_ENDS)
    if off:
        return "unbalanced", off
    declared = row["declared_rows"]
    if declared is not None and row["parent_id"] is None:
        # A connector reads some rows again to prove that a list stood still; they are duplicates.
        read, again = row["read_rows"], row["duplicate_rows"]
        if not read - again <= declared <= read:
            return "declared_off", read - declared
    return "balanced", 0

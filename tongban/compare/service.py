"""Service: the declared compare, and whether it may be asked for this purpose."""

from __future__ import annotations

from tongban.kernel.catalog import Catalog
from tongban.kernel.compares import Compare
from tongban.kernel.errors import ConfigInvalid, Fatal
from tongban.kernel.yamlfile import suggestion


class PurposeRefused(Fatal):
    """The purpose is none for which this compare may be asked."""

    code = "fatal.purpose_refused"


def declared(catalog: Catalog, system: str, name: str) -> Compare:
    """Give a compare of a system.

    Raises:
        ConfigInvalid: There is no such system, or it declares no such compare; with a suggestion.
    """
    found = catalog.system(system).compares
    if not found:
        offering = sorted(s for s, item in catalog.systems.items() if item.compares)
        raise ConfigInvalid(
            f"{system} compares nothing; systems that do: {', '.join(offering) or 'none'}"
        )
    if name not in found:
        raise ConfigInvalid(f'{system} has no compare "{name}"{suggestion(name, found)}')
    return found[name]


def check_purpose(spec: Compare, system: str, name: str, purpose: str) -> None:
    """Refuse any purpose that is not declared.

    Raises:
        PurposeRefused: It is not; the declared ones are named, what was given is not repeated.
    """
    if purpose not in spec.purposes:
        allowed = ", ".join(f"{code} ({words})" for code, words in spec.purposes.items())
        raise PurposeRefused(
            f"{system}: {name} may be asked for {allowed} and nothing else; nothing was asked",
            system=system,
            name=name,
        )

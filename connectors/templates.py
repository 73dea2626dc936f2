"""Templates: put window, page, batch and identity into the requests that a system's YAML declares.

`{name}` alone keeps the value's type, inside longer text it is written out, and `{name?}` drops
its key when there is nothing to say. Nothing here knows a protocol beyond JSON text and XML text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from lxml import etree

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import suggestion

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)(?::([^{}?]+))?(\?)?\}")
SPREAD = "..."
_UNRESERVED = "-._~"  # RFC 3986
_PATH_LETTERS = "/{}?%:@!$&'()*+,;=-._~"
_LETTERS: Final = (
    ("yyyy", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
)
_VERSION_ORIGIN = datetime(2000, 1, 1, tzinfo=BEIJING)

Values = Mapping[str, Any]
T = TypeVar("T")


class _Absent:
    """Marks a value whose key is to be dropped."""


ABSENT: Final = _Absent()


def format_moment(moment: datetime, pattern: str) -> str:
    """Write a moment in Beijing time as the source wants it.

    Args:
        moment: Aware moment.
        pattern: `iso`, `epoch_s`, `epoch_ms` or letters such as `yyyy-MM-dd HH:mm:ss` (SSS = ms).

    Returns:
        The text; fractions finer than the pattern are cut, for both bounds of a window alike.
    """
    local = moment.astimezone(BEIJING)
    if pattern == "iso":
        return local.isoformat(timespec="seconds")
    if pattern == "epoch_s":
        return str(int(local.timestamp()))
    if pattern == "epoch_ms":
        return str(int(local.timestamp() * 1000))
    text = pattern.replace("SSS", f"{local.microsecond // 1000:03d}")
    for letters, directive in _LETTERS:
        text = text.replace(letters, local.strftime(directive))
    return text


def version_as_time(version: int) -> str:
    """Write a version as a sortable yyyyMMddHHmmss, for receivers that order by time text.

    The hub's versions count changes; they are told as seconds after 2000-01-01, so that a
    repeated delivery of one version carries the same text and a later version a greater one.
    """
    return (_VERSION_ORIGIN + timedelta(seconds=version)).strftime("%Y%m%d%H%M%S")


def version_from_time(text: str) -> int:
    """Read back what `version_as_time` wrote.

    Raises:
        ValueError: It is no such text.
    """
    moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    return int((moment - _VERSION_ORIGIN).total_seconds())


def fill(template: Any, values: Values) -> Any:
    """Fill every placeholder of a template.

    Raises:
        ConfigInvalid: A placeholder is unknown here.
    """
    filled = _fill(template, values)
    return None if filled is ABSENT else filled


def fill_text(template: str, values: Values) -> str:
    """Fill a template that must become text."""
    return _written(fill(template, values))


def fill_path(template: str, values: Values) -> str:
    """Fill the template of a path: a value is one segment of it, whatever letters it has.

    Raises:
        ConfigInvalid: A placeholder is unknown here, or a segment would lead upwards.
    """
    path = PLACE.sub(
        lambda match: quote(_written(_value(*_groups(match), values)), safe=_UNRESERVED),
        quote(template, safe=_PATH_LETTERS),
    )
    if {".", ".."} & set(path.partition("?")[0].split("/")):
        raise ConfigInvalid(
            f'the path "{template}" gets a segment "." or ".."; HTTP would leave it out'
        )
    return path


def _fill(template: Any, values: Values) -> Any:
    if isinstance(template, str):
        return _fill_string(template, values)
    if isinstance(template, list | tuple):
        items = (_fill(item, values) for item in template)
        return [item for item in items if item is not ABSENT]
    if isinstance(template, dict):
        return _fill_mapping(template, values)
    return template


def compile_template(
    template: Any, getters: Mapping[str, Callable[[T], Any]]
) -> Callable[[T], Any]:
    """Make a function that fills a template from one object, for templates of every record.

    It does what `fill` does with `{name: getter(it)}`, several times as fast: a placeholder that
    stands alone is its getter, and the template is not walked again.

    Args:
        template: As declared.
        getters: By placeholder name, what gives the value.

    Raises:
        ConfigInvalid: A placeholder is unknown here.
    """
    for name in names_in(template):
        _known(name, getters)
    members = _plain_members(template, getters)
    if members is None:
        return lambda it: fill(
            template, {name: partial(getter, it) for name, getter in getters.items()}
        )
    if all(key != SPREAD for key, _ in members):
        return lambda it: {key: get(it) for key, get in members}

    def spread(it: T) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for key, get in members:
            if key == SPREAD:
                filled |= get(it)
            else:
                filled[key] = get(it)
        return filled

    return spread


def _plain_members(
    template: Any, getters: Mapping[str, Callable[[T], Any]]
) -> list[tuple[str, Callable[[T], Any]]] | None:
    """Members of a mapping whose every value is one bare placeholder; None for any other."""
    if not isinstance(template, dict):
        return None
    found = []
    for key, value in template.items():
        whole = _single(value) if isinstance(value, str) else None
        if whole is None or whole[1] or whole[2] or key in {"$json", "$xml"}:
            return None
        found.append((str(key), getters[whole[0]]))
    return found


def _fill_mapping(template: dict[str, Any], values: Values) -> Any:
    if len(template) == 1 and "$json" in template:
        return json_text(_fill(template["$json"], values))
    if len(template) == 1 and "$xml" in template:
        return xml_text(_fill(template["$xml"], values))
    filled: dict[str, Any] = {}
    for key, item in template.items():
        value = _fill(item, values)
        if key == SPREAD:
            filled |= value
        elif value is not ABSENT:
            filled[str(key)] = value
    return filled


def _fill_string(template: str, values: Values) -> Any:
    whole = _single(template)
    if whole is not None:
        return _value(*whole, values)
    return PLACE.sub(lambda match: _written(_value(*_groups(match), values)), template)


@lru_cache(maxsize=1024)  # record templates are filled once per record
def _single(template: str) -> tuple[str, str | None, str | None] | None:
    """The placeholder that a template consists of, if it is a single one."""
    whole = PLACE.fullmatch(template)
    return None if whole is None else _groups(whole)


def _groups(match: re.Match[str]) -> tuple[str, str | None, str | None]:
    name, argument, optional = match.groups()
    return name, argument, optional


def _known(name: str, values: Mapping[str, Any]) -> None:
    if name not in values:
        raise ConfigInvalid(
            f"unknown placeholder {{{name}}} in a call{suggestion(name, values)}", name=name
        )


def _value(name: str, argument: str | None, optional: str | None, values: Values) -> Any:
    _known(name, values)
    value = values[name]
    if callable(value):
        value = value(argument) if argument else value()
    if optional and value in {None, ""}:
        return ABSENT
    return value


def _written(value: Any) -> str:
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def json_text(value: Any) -> str:
    """Write a document as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def xml_text(value: Any) -> str:
    """Write a document with one root as XML text; lists repeat, `@name` is an attribute."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ConfigInvalid("`$xml` needs a mapping with exactly one key, the root element")
    ((name, content),) = value.items()
    root = etree.Element(name)
    _add_content(root, content)
    return str(etree.tostring(root, encoding="unicode"))


def _add_content(element: etree._Element, content: Any) -> None:
    if isinstance(content, dict):
        for name, item in content.items():
            if name.startswith("@"):
                element.set(name[1:], _written(item))
                continue
            for each in item if isinstance(item, list) else [item]:
                if each is not None:
                    _add_content(etree.SubElement(element, name), each)
    elif content is not None:
        element.text = _written(content)


def names_in(template: Any) -> set[str]:
    """Give every placeholder's name in a template, for checks before the first call."""
    if isinstance(template, str):
        return {match.group(1) for match in PLACE.finditer(template)}
    if isinstance(template, dict):
        return set().union(*(names_in(item) for item in template.values()))
    if isinstance(template, list | tuple):
        return set().union(*(names_in(item) for item in template))
    return set()

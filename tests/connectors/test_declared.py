"""Declarations that cannot work are refused at opening, and no foreign exception ever leaks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import requests
import urllib3

from connectors import SystemClock, check_declared, open_connector
from connectors.budget import keeper_for
from connectors.drafts import Draft
from connectors.protocols.transport import Transport
from tests.connectors.serving import ACCEPTS, FakeClock, connect, rest_system
from tongban.kernel.connections import Connection
from tongban.kernel.errors import ConfigInvalid, RetryLater, TongbanError
from tongban.kernel.systems import load_system

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "connectors"


@pytest.mark.parametrize("path", sorted((FOLDER / "systems").glob("*.yaml")), ids=lambda p: p.stem)
def test_declared_systems_can_be_opened_without_a_socket(path):
    """Templates, WSDL digests; the address does not even exist."""
    system = load_system(path, root=ROOT)
    with open_connector(system, Connection(path.stem, "http://tongban.invalid"), ROOT) as opened:
        keeper = keeper_for(path.stem, "http://tongban.invalid", system.budget, SystemClock())
        assert opened.system is system
        assert opened._caller.transport._opened is None  # noqa: SLF001 - no session, so no socket
        assert opened._caller.transport.keeper is keeper  # noqa: SLF001


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"call": {"query": {"a": "{sinze}"}}}, r'datasets.account.call: .*did you mean "size"'),
        ({"paging": {"kind": "page_number", "size": 5}}, r"needs {page} in the call"),
        ({"paging": {"kind": "offset", "size": 5}}, r"needs {row} in the call"),
        ({"paging": {"kind": "cursor", "size": 5, "next": "n"}}, r"needs {cursor} in the call"),
        ({"call": {"query": {"a": "{records}"}}}, r"unknown placeholder {records}"),
    ],
)
def test_pulls_that_cannot_work_are_refused(dataset, message):
    """With the place in the YAML."""
    with pytest.raises(ConfigInvalid, match=message):
        connect(rest_system(dataset=dataset), "http://127.0.0.1:1")


def test_pushes_without_their_records_are_refused():
    """They would send nothing and be called a success."""
    accepts = {**ACCEPTS, "call": {"method": "POST", "body": {"rows": "{batch_id}"}}}
    with pytest.raises(ConfigInvalid, match=r"nowhere has {records}"):
        check_declared(rest_system(accepts=accepts))


def test_record_and_signature_templates_are_checked():
    """A misspelt key would be sent as text."""
    with pytest.raises(ConfigInvalid, match=r'accepts.notice.record: .*did you mean "guid"'):
        check_declared(rest_system(accepts={**ACCEPTS, "record": {"id": "{guidd}"}}))
    auth = {
        "kind": "signed",
        "algorithm": "sm3",
        "text": "{boddy}",
        "send": {"in": "headers", "values": {}},
    }
    with pytest.raises(ConfigInvalid, match=r'auth.text: .*did you mean "body"'):
        check_declared(rest_system(interface={"auth": auth}))


def exceptions_of(module):
    """List a module's exception classes."""
    found = [getattr(module, name) for name in dir(module)]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception)]


FOREIGN = [
    kind
    for kind in exceptions_of(requests.exceptions) + exceptions_of(urllib3.exceptions)
    if issubclass(kind, requests.exceptions.RequestException | urllib3.exceptions.HTTPError)
]


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_http_libraries_becomes_one_of_ours(kind, writes):
    """Also those that we have never seen happen."""
    clock, system = FakeClock(), rest_system()
    keeper = keeper_for("fund", "x", system.budget, clock)
    transport = Transport("fund", Connection("fund", "http://x"), keeper, clock)

    mapped = transport._mapped(Draft("x", "GET", "http://x", writes=writes), kind.__new__(kind))

    assert isinstance(mapped, TongbanError)
    assert isinstance(mapped, RetryLater) or mapped.code.startswith("fatal.")


def imports_of(path: Path) -> set[str]:
    """Name the top-level packages that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda p: p.stem)
def test_sockets_and_keys_stay_in_their_places(path):
    """HTTP and WSDL libraries only in protocols, cryptography only where we sign and open."""
    used = imports_of(path)
    if path.parent.name != "protocols":
        assert not used & {"requests", "urllib3", "zeep"}
    if path.name not in {"signatures.py", "fields.py", "xmlsignature.py"}:
        assert "cryptography" not in used
    assert "sandbox" not in used


def test_no_department_is_known_in_code():
    """Everything about a system stands in its YAML."""
    words = ("TAXBIZML", "GXSJ", "jpaas", "tif-", "AAC0", "uniscid", "FDCQ", "X-App-Key", "A020")
    for path in FOLDER.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert [] == [word for word in words if word in text], path

"""Commands for auditors: evidence export, verify, prove, seal, check."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from tongban.commands.opening import console, local_hub, print_json
from tongban.kernel.errors import ConfigInvalid, EvidenceBroken

if TYPE_CHECKING:
    from tongban.evidence.verify import Verdict
    from tongban.hub import Hub

app = typer.Typer()
evidence = typer.Typer(help="The sealed log of what the hub did.", no_args_is_help=True)
app.add_typer(evidence, name="evidence")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Archive = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="An archive, an older log, or a proof.")
]
Target = Annotated[Path, typer.Argument(dir_okay=False, help="File to write.")]
Trusted = Annotated[
    list[str] | None, typer.Option("--key", help="Id of a key that you trust; any when not given.")
]


@evidence.command()
def export(
    file: Target,
    *,
    from_seal: Annotated[int, typer.Option(min=1, help="First seal.")] = 1,
    to_seal: Annotated[int | None, typer.Option(min=1, help="Last seal; the newest.")] = None,
    json_output: Json = False,
) -> None:
    """Seal what is open and write a signed archive; the same seals give the same bytes."""
    from tongban.evidence.archive import write_archive
    from tongban.evidence.verify import verify_file

    draft = file.with_name(f".{file.name}.draft")
    try:
        with local_hub() as hub:
            hub.sealer.seal()
            lines = write_archive(
                hub.engine, hub.sealer.signer(), first_seal=from_seal, last_seal=to_seal
            )
            _write(draft, lines)
            verdict = verify_file(draft)
            _note_export(hub, "archive", {"last": verdict.entries, "head": verdict.head})
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    _say(file, verdict, json_output=json_output)


@evidence.command()
def verify(archive: Archive, *, key: Trusted = None, json_output: Json = False) -> None:
    """Check an archive, an older log or a proof: needs neither the hub nor its database."""
    from tongban.evidence.verify import verify_file

    _say(archive, verify_file(archive, key or ()), json_output=json_output)


@evidence.command()
def prove(
    key: Annotated[
        str | None, typer.Argument(help="Key as VALUE or FIELD=VALUE,…; '-' asks for it.")
    ] = None,
    *,
    dataset: Annotated[str, typer.Option(help="Dataset of the record.")],
    record_id: Annotated[
        str | None, typer.Option(help="The record's id instead of its key.")
    ] = None,
    file: Annotated[Path | None, typer.Option(dir_okay=False, help="Where to write it.")] = None,
) -> None:
    """Prove what the log says about one record, also when it has been purged."""
    from tongban.evidence.prove import prove as make_proof
    from tongban.evidence.verify import canonical

    with local_hub() as hub:
        found = _record_id(hub, dataset, key, record_id)
        hub.sealer.seal()
        proof = make_proof(hub.engine, dataset, found)
        _note_export(hub, "proof", {"dataset": dataset, "record": str(found)})
    if file is None:
        print_json(proof)
        return
    _write(file, [canonical(proof) + b"\n"])
    console.print(f"{len(proof['events'])} events proved in {file}", style="green", soft_wrap=True)


@evidence.command()
def seal(*, json_output: Json = False) -> None:
    """Seal every entry that has no seal yet; does by hand what happens every minute."""
    with local_hub() as hub:
        made = hub.sealer.seal()
    if json_output:
        print_json({"seals": made})
    else:
        console.print(f"{made} new seals", style="green")


@evidence.command()
def check(*, json_output: Json = False) -> None:
    """Check the log in the database, its leaves, and the seals that this machine remembers."""
    from tongban.evidence.checking import check_all
    from tongban.evidence.heads import Heads

    with local_hub() as hub:
        hub.sealer.seal()
        facts = check_all(hub.engine, hub.sealer.signer(), Heads(hub.settings.heads_file))
    if json_output:
        print_json(facts)
        return
    for name, value in facts.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False, soft_wrap=True)


def _record_id(hub: Hub, dataset: str, key: str | None, record_id: str | None) -> UUID:
    """The id that was given, or the one that belongs to the key.

    Raises:
        ConfigInvalid: Neither or both were given, or the key is not the dataset's.
    """
    from tongban.protect import record_id_of

    if (key is None) == (record_id is None):
        raise ConfigInvalid("give either the record's key or --record-id")
    if record_id is not None:
        try:
            return UUID(record_id)
        except ValueError:
            raise ConfigInvalid("--record-id: expected a UUID") from None
    if key == "-":
        key = typer.prompt("Key", hide_input=True)
    contract = hub.catalog.contract(dataset)
    parts = [part.partition("=") for part in str(key).split(",")]
    if len(contract.key) == 1 and not str(key).startswith(f"{contract.key[0]}="):
        given = {contract.key[0]: str(key)}
    else:
        given = {name.strip(): value for name, _, value in parts}
    if set(given) != set(contract.key):
        wanted = ",".join(f"{name}=…" for name in contract.key)
        raise ConfigInvalid(f"{dataset}: expected the key as {wanted}")
    return record_id_of(hub.keyring, contract, given)


def _note_export(hub: Hub, what: str, facts: dict[str, Any]) -> None:
    """An export is an access: who took what."""
    import getpass

    from tongban.evidence.log import append_access
    from tongban.store.engine import transaction

    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = f"uid {os.getuid()}"
    with transaction(hub.engine) as conn:
        append_access(conn, {"what": f"evidence {what}", "asker": account, **facts})


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as stream:
        stream.writelines(lines)


def _say(path: Path, verdict: Verdict, *, json_output: bool) -> None:
    """The verdict on a file.

    Raises:
        EvidenceBroken: It does not verify.
    """
    what = "events" if verdict.kind == "proof" else "entries"
    if json_output:
        facts = {name: getattr(verdict, name) for name in ("kind", "entries", "head", "problem")}
        more = {"seals": verdict.seals, "keys": verdict.keys, "findings": verdict.findings}
        print_json({"file": str(path), **facts, **more})
    elif verdict.problem is None:
        signed = f"signed by key {', '.join(verdict.keys)}" if verdict.keys else "signed by nobody"
        style = "green" if verdict.keys else "yellow"
        words = f"{verdict.entries:,} {what} verify, head {verdict.head}, {signed}"
        console.print(words, style=style, soft_wrap=True)
        for finding in verdict.findings:
            console.print(finding, style="yellow")
    if verdict.problem is not None:
        raise EvidenceBroken(
            f"{path.name}: {verdict.problem}; {verdict.entries} {what} before it verify; compare "
            "another copy",
            entries=verdict.entries,
        )

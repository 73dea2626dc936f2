"""Commands for the keeper of keys: keys status, rotate, rewrap, shred, certificates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

if TYPE_CHECKING:
    from tongban.custody.rotate import Rotated
    from tongban.hub import Hub

app = typer.Typer()
keys = typer.Typer(
    help="Keys: what there is, new ones, and the end of old ones.", no_args_is_help=True
)
app.add_typer(keys, name="keys")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="One dataset, or hub for pages.")]


@keys.command()
def status(
    *,
    count: Annotated[
        bool, typer.Option("--count", help="Count the envelopes of each key.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Suite, place of the master key, every data key with its year and state, running jobs."""
    from tongban.custody.status import status_of

    with local_hub() as hub:
        found = status_of(hub, is_counted=count)
    if json_output:
        print_json(found)
        return
    master = found["master_key"]
    console.print(
        f"suite {found['suite']}: {found['sealing']}, digests {found['digests']}, signatures "
        f"{found['signatures']}\nmaster key: {master['kind']}, {master['place']}",
        markup=False,
        highlight=False,
    )
    if found["rewrap_waiting"]:
        waiting = f"{found['rewrap_waiting']} files wait for `tongban keys rewrap --finish`"
        console.print(waiting, style="yellow")
    for job in found["jobs"]:
        console.print(f"{job['kind']} of {job['scope']} runs: {job['rows']} rows", style="yellow")
    table = Table("scope", "period", "key", "state", "made", *(["envelopes"] if count else []))
    for key in found["keys"]:
        cells = [key[name] for name in ("scope", "period", "key", "state", "made_at")]
        if count:
            cells.append(", ".join(f"{n} {name}" for name, n in key["envelopes"].items()) or "0")
        table.add_row(*cells)
    console.print(table, markup=False)
    for key, counted in found["unknown_keys"].items():
        console.print(f"✗ {sum(counted.values())} envelopes name {key}, no such key", style="red")


@keys.command()
def rotate(*, dataset: Dataset = None, json_output: Json = False) -> None:
    """New data keys, and every stored envelope under them; goes on after a crash.

    Readers and writers go on meanwhile. Without --dataset every dataset and the hub's own pages.
    """
    from tongban.custody.places import scopes_of
    from tongban.custody.rotate import rotate as rotate_scope
    from tongban.store.engine import transaction

    done: list[Rotated] = []
    with local_hub() as hub:
        if dataset is not None:
            _check_scope(hub, dataset)
            scopes = [dataset]
        else:
            with transaction(hub.engine) as conn:
                scopes = scopes_of(conn)
        for scope in scopes:
            found = rotate_scope(hub, scope)
            if found is not None:
                done.append(found)
                if not json_output:
                    _print_rotated(found)
    if json_output:
        print_json([_rotated(found) for found in done])
    elif not done:
        console.print("no key was used yet, so there is nothing to rotate")
    if any(found.remaining for found in done):
        raise typer.Exit(1)


@keys.command()
def rewrap(
    *,
    new_key_file: Annotated[
        Path | None, typer.Option(help="Where the new master key is written; it must not exist.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="The new master key is given now: drop the old wraps.")
    ] = False,
) -> None:
    """Bring the key ring under a new master key; at any moment the old or the new one opens it.

    Where the master key lies in a file, one call does all. Otherwise: --new-key-file, put its
    content where the master key is kept, then --finish.
    """
    from tongban.kernel.errors import ConfigInvalid
    from tongban.kernel.settings import load_settings
    from tongban.protect import KeyRing
    from tongban.protect.keyfiles import write_once
    from tongban.protect.keyring import master_text
    from tongban.protect.rewrap import finish as finish_rewrap
    from tongban.protect.rewrap import new_master, prepare, rewrap_file

    ring = KeyRing.open(load_settings().keys_dir)
    if finish:
        done = finish_rewrap(ring)
        console.print(f"{done.keys} files open with the present master key only", style="green")
        return
    if new_key_file is None and ring.source.path is not None:
        done = rewrap_file(ring)
        console.print(f"{done.keys} files are under a new master key", style="green")
        return
    if new_key_file is None or new_key_file.exists():
        raise ConfigInvalid(
            "the master key is not in a file of ours: name a new file with --new-key-file, in "
            "which the new master key will be written (it must not exist yet)"
        )
    new = new_master()
    write_once(new_key_file, master_text(new).encode() + b"\n")
    count = prepare(ring, new)
    console.print(
        f"{count} files open with both master keys. Put the content of {new_key_file} in the place "
        "of the old master key, restart the hub, then `tongban keys rewrap --finish`",
        markup=False,
        highlight=False,
    )


@keys.command()
def shred(
    *,
    dataset: Annotated[str, typer.Option(help="Whose bodies become unreadable.")],
    by: Annotated[str, typer.Option(help="Who ordered it; stands in the certificate.")],
    reason: Annotated[str, typer.Option(help="Why; stands in the certificate.")],
    period: Annotated[str | None, typer.Option(help="A year; all years when not given.")] = None,
    with_current: Annotated[
        bool, typer.Option("--with-current", help="Current records too, not only what is over.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without: say what would go.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="File for the certificate, beside standard output.")
    ] = None,
) -> None:
    """Destroy the keys of a dataset or of one of its years, for good, with a certificate.

    Record ids, versions and digests stay for proofs. Prints the certificate as JSON.
    """
    import json

    from tongban.custody.shred import Order, planned
    from tongban.custody.shred import shred as shred_keys
    from tongban.custody.status import signer_of

    with local_hub() as hub:
        _check_scope(hub, dataset)
        order = Order(dataset, period, with_current=with_current, ordered_by=by, reason=reason)
        if not yes:
            print_json({"would": planned(hub, order)})
            console.print("nothing was done; give --yes to do it", style="yellow")
            return
        made = shred_keys(hub, order, signer_of(hub))
    print_json(made)
    if certificate is not None:
        text = json.dumps(made, ensure_ascii=False, indent=2)
        certificate.write_text(text + "\n", encoding="utf-8")


@keys.command()
def certificates() -> None:
    """Certificates of all shreddings as one JSON document, oldest first."""
    from tongban.custody import jobs
    from tongban.store.engine import transaction

    with local_hub() as hub, transaction(hub.engine) as conn:
        print_json(jobs.shreddings(conn))


def _check_scope(hub: Hub, scope: str) -> None:
    """Refuse a name that is no dataset, with a suggestion."""
    from tongban.custody.places import scopes_of
    from tongban.kernel.errors import ConfigInvalid
    from tongban.kernel.yamlfile import suggestion
    from tongban.store.engine import transaction

    with transaction(hub.engine) as conn:
        known = scopes_of(conn)
    if scope not in known:
        raise ConfigInvalid(f'no dataset "{scope}" is stored{suggestion(scope, known)}')


def _rotated(found: Rotated) -> dict[str, Any]:
    return {
        "scope": found.scope,
        "rows": found.rows,
        "broken": found.broken,
        "remaining": found.remaining,
        "retired": list(found.retired),
        "active": list(found.active),
    }


def _print_rotated(found: Rotated) -> None:
    if found.remaining:
        words = f"✗ {found.scope}: {found.broken} rows do not verify and keep their old key"
        console.print(words, style="red", markup=False)
        return
    words = f"✓ {found.scope}: {found.rows} rows, {len(found.retired)} keys retired"
    console.print(words, style="green", markup=False)

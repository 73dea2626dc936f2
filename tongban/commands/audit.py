"""Commands for auditors: audit, evidence export, evidence verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json
from tongban.kernel.errors import EvidenceBroken

app = typer.Typer()
evidence = typer.Typer(help="The hash-chained log of what the hub did.", no_args_is_help=True)
app.add_typer(evidence, name="evidence")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Archive = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An exported log.")]
Target = Annotated[Path, typer.Argument(dir_okay=False, help="File to write, one entry a line.")]

GRADE_STYLES = {"优": "green", "良": "green", "中": "yellow", "低": "red", "差": "red"}


@app.command()
def audit(*, json_output: Json = False) -> None:
    """Measure everything stored and quarantined, and write the report."""
    from tongban.quality import run_audit

    with local_hub() as hub:
        counts = run_audit(hub)
    if json_output:
        print_json(counts)
        return
    table = Table("department", "score")
    for name, score in counts["departments"].items():
        table.add_row(name, "—" if score is None else f"{score:.3f}")
    console.print(table)
    words = ("stored", "quarantined", "failing_rules", "comparison_findings", "to_rectify")
    console.print(", ".join(f"{counts[word]:,} {word.replace('_', ' ')}" for word in words))
    if counts["disagreements"]:
        console.print(f"the two engines differ in {counts['disagreements']} counts", style="red")
    grade = counts["grade"]
    console.print(f"grade {grade}", style=GRADE_STYLES.get(grade, ""))
    console.print(f"report {counts['report']}", soft_wrap=True, highlight=False)


@evidence.command()
def export(file: Target, *, json_output: Json = False) -> None:
    """Write the whole log to a file that `evidence verify` and any auditor can check."""
    from tongban.evidence.log import export as entries
    from tongban.evidence.verify import verify as verify_lines

    draft = file.with_name(f".{file.name}.draft")
    try:
        with local_hub() as hub, draft.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in entries(hub.engine))
        with draft.open(encoding="utf-8") as stream:
            verdict = verify_lines(stream)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    _say(file, verdict.entries, verdict.head, verdict.problem, json_output=json_output)


@evidence.command()
def verify(archive: Archive, *, json_output: Json = False) -> None:
    """Check an exported log: needs neither the hub nor its database."""
    from tongban.evidence.verify import verify as verify_lines

    with archive.open(encoding="utf-8") as stream:
        verdict = verify_lines(stream)
    _say(archive, verdict.entries, verdict.head, verdict.problem, json_output=json_output)


def _say(path: Path, entries: int, head: str, problem: str | None, *, json_output: bool) -> None:
    """The verdict on a file.

    Raises:
        EvidenceBroken: It does not verify.
    """
    if json_output:
        print_json({"file": str(path), "entries": entries, "head": head, "problem": problem})
    elif problem is None:
        console.print(f"{entries:,} entries verify, head {head}", style="green", soft_wrap=True)
    if problem is not None:
        raise EvidenceBroken(
            f"{path.name}: {problem}; {entries} entries before it verify; compare another copy",
            entries=entries,
        )

"""Command audit: measure everything stored and quarantined."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from tongban.commands.opening import console, local_hub, print_json

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

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

"""Commands up, down, status."""
from __future__ import annotations
import typer
app = typer.Typer()

@app.command()
def up() -> None:
    """Start."""
@app.command()
def down() -> None:
    """Stop."""

"""Report: one HTML file from one audit, readable offline, on paper and in the dark.

Style and drawings stand inside the file, and its policy forbids any request. Samples come masked
from `samples`; what is shown here has no other source. `view` decides what is said, the template
how it looks.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from tongban.kernel.catalog import Catalog
from tongban.quality import drawing
from tongban.quality.view import make_view

if TYPE_CHECKING:
    from tongban.quality.audit import Audit

FOLDER = Path(__file__).parent / "templates"
LATEST = "latest.html"


def render(audit: Audit, catalog: Catalog) -> bytes:
    """The report's file as UTF-8."""
    template = _environment().get_template("report.html")
    return template.render(make_view(audit, catalog)).encode()


def write(folder: Path, audit: Audit, document: bytes) -> Path:
    """Write the report under its own name, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"audit-{audit.day.isoformat()}-{audit.run_id.hex[:8]}.html"
    _write(path, document)
    return path


def publish(path: Path) -> Path:
    """Make a report that is recorded the latest one."""
    latest = path.with_name(LATEST)
    _write(latest, path.read_bytes())
    return latest


def _write(path: Path, document: bytes) -> None:
    """Readers see the old file or the new one, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(document)
    draft.replace(path)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=drawing.percent, number=drawing.number, band=drawing.band, moment=drawing.moment
    )
    environment.globals.update(
        style=(FOLDER / "report.css").read_text(encoding="utf-8").strip(),
        sparkline=drawing.sparkline,
    )
    return environment

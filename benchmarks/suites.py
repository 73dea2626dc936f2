"""Suites: microseconds per value to seal, open and index one column, both suites, one core.

    python -m benchmarks.suites

Best of five runs over 20,000 resident numbers of 18 characters; what a load pays per field.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tongban.protect import KeyRing, blind_index, open_column, seal_column
from tongban.protect.suites import SUITES

VALUES = 20_000
RUNS = 5


def main() -> None:
    """Print one line per suite."""
    print(f"{'suite':16}{'seal':>8}{'open':>8}{'index':>8}   µs per value")
    for name in SUITES:
        with tempfile.TemporaryDirectory() as folder:
            ring = KeyRing.open(Path(folder), {"TONGBAN_CRYPTO_SUITE": name})
            print(f"{name:16}" + "".join(f"{figure:8.2f}" for figure in figures(ring)))


def figures(ring: KeyRing) -> tuple[float, float, float]:
    """To seal, to open and to index one value."""
    texts: list[str | None] = [f"62089919850314{i % 10_000:04d}" for i in range(VALUES)]
    records = [i.to_bytes(16, "big") for i in range(VALUES)]
    sealed = seal_column(ring, texts, "bench", "number", records)
    return (
        per_value(lambda: seal_column(ring, texts, "bench", "number", records)),
        per_value(lambda: open_column(ring, sealed, "bench", "number", records)),
        per_value(lambda: blind_index(ring, "subject", texts)),
    )


def per_value(act: Callable[[], object]) -> float:
    """Best time of some runs, in µs per value."""
    best = min(_seconds(act) for _ in range(RUNS))
    return best / VALUES * 1e6


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

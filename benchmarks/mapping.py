"""Benchmark of the mapping: operations per row, beside JSON decode, and memory that stays flat."""

from __future__ import annotations

import resource
from pathlib import Path

from benchmarks import rows as synthetic
from benchmarks.decoding import json_decoder
from benchmarks.rows import Result, cpu, cpu_beside, result
from tongban.normalize import apply, compile_mapping
from tongban.validate import check, compile_contract

CHUNK = 100_000
SMALL_CHUNK = 20_000  # what the pipeline loads at a time


def run(total: int = 1_000_000) -> list[Result]:
    """Measure the goals of the mapping.

    Args:
        total: Rows that go through in chunks for the memory measurement.
    """
    source = synthetic.source_rows(min(total, CHUNK))
    contract, codes = synthetic.contract(), synthetic.Tables()
    mapping = synthetic.mapping()
    plan = compile_mapping(mapping, contract, codes)
    rules = compile_contract(contract, codes)
    operations = sum(len(item.ops) for item in mapping.fields.values())

    def whole() -> None:
        check(rules, apply(plan, source), refuse_dirty=False)

    spent = cpu_beside(
        {"map": lambda: apply(plan, source), "both": whole, "json": json_decoder(source)}
    )
    mapping_cost = spent["map"] / source.height
    compiling = cpu(
        lambda: (compile_mapping(mapping, contract, codes), compile_contract(contract, codes))
    )
    for part in source.iter_slices(SMALL_CHUNK):
        check(rules, apply(plan, part), refuse_dirty=False)
    before = resident_mb()
    for _ in range(max(1, total // source.height)):
        for part in source.iter_slices(SMALL_CHUNK):
            check(rules, apply(plan, part), refuse_dirty=False)
    growth = resident_mb() - before
    return [
        result(f"{operations} operations, CPU per row", mapping_cost * 1e6, "µs", 2.0),
        result("map and validate beside JSON decode", spent["both"] / spent["json"], "×", 0.6),
        result("compile mapping and contract", compiling * 1e3, "ms", 150.0),
        result(f"memory growth over {total} rows in chunks", growth, "MB", 50.0),
    ]


def resident_mb() -> float:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    for line in run():
        print(line)

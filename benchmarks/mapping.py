"""Benchmark of the mapping: operations per row, beside JSON decode, and memory that stays flat."""

from __future__ import annotations

import resource
from pathlib import Path

from benchmarks import rows as synthetic
from benchmarks.decoding import json_decoder
from benchmarks.rows import Result, cpu, cpu_beside, result
from tongban.kernel import odcs
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import load_contract
from tongban.kernel.odcs import check_contract
from tongban.normalize import apply, compile_mapping
from tongban.validate import check, compile_contract

ROOT = Path(__file__).parents[1]
CHUNK = 100_000
CONTRACTS = 100
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
        *_loading(),
        result(f"memory growth over {total} rows in chunks", growth, "MB", 50.0),
    ]


def _loading() -> list[Result]:
    """The repository's own contracts, read from their files as a DAG folder is parsed."""
    tables = CodeTables(ROOT / "mappings" / "codes")
    paths = sorted((ROOT / "contracts").glob("*/v*.yaml"))
    slowest = max(
        cpu(lambda path=path: compile_contract(load_contract(path, root=ROOT), tables))  # type: ignore[misc]
        for path in paths
    )
    hundred = [paths[i % len(paths)] for i in range(CONTRACTS)]
    parsing = cpu(lambda: [load_contract(path, root=ROOT) for path in hundred])
    checking = max(cpu(lambda path=path: _checked(path), repeat=1) for path in paths)  # type: ignore[misc]
    again = cpu(lambda: [check_contract(path, root=ROOT) for path in paths]) / len(paths)
    return [
        result("load and compile the slowest contract", slowest * 1e3, "ms", 150.0),
        result("the same with the official JSON Schema", checking * 1e3, "ms", 150.0),
        result("a contract whose text was checked before", again * 1e3, "ms", 50.0),
        result(f"{CONTRACTS} contracts parsed, CPU", parsing, "s", 1.0),
    ]


def _checked(path: Path) -> None:
    """One contract as `tongban check` reads it for the first time."""
    odcs._SOUND.clear()  # noqa: SLF001 - the cache by content is what is measured beside it
    check_contract(path, root=ROOT)


def resident_mb() -> float:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    for line in run():
        print(line)

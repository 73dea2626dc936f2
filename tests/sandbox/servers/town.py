"""A tiny town for server tests: a few rows per dataset, real servers on free ports.

Rows are plain and valid; how a full city looks is the population's business and tested there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import uvicorn

from sandbox import plans, truth
from sandbox.credentials import control_token, load_credentials, write_credentials
from sandbox.datasets import DATASETS, Document, stamp
from sandbox.servers.run import listen, make_server
from sandbox.state import add_records, create_state, transaction

START = datetime(2026, 3, 2, 9, 0, 0)  # noqa: DTZ001 - the state keeps naive Beijing time
SINCE = datetime(2026, 1, 1)  # noqa: DTZ001
UNTIL = datetime(2027, 1, 1)  # noqa: DTZ001
UNIT = "620899001001GB00001F0001{:04d}"
CREDIT_CODE = "91620899MA0000{:04d}"
PERSON_ID = "620899198503140011"
NAME = "王秀英𠅤"  # the last character lies outside the BMP: GB18030 needs four bytes for it
SIZES = {
    "deed_tax_payment": 25,
    "taxpayer": 7,
    "real_estate_right": 23,
    "mortgage": 6,
    "right_status": 9,
    "sale_contract": 31,
    "house_unit": 8,
    "unit_insurance": 5,
    "person_insurance": 27,
    "contribution": 11,
    "enterprise": 21,
    "enterprise_person": 12,
    "online_application": 13,
    "evaluation": 6,
    "service_item": 4,
}


def _holder(number: int) -> Document:
    row: Document = {"SXH": str(number), "QLRMC": NAME, "ZJZL": "1", "ZJH": PERSON_ID}
    return {**row, "QLRLX": "1", "GYFS": "0", "QLBL": "100%"}


def _party() -> Document:
    return {"no": 1, "role": "B", "name": NAME, "idType": "01", "idNo": PERSON_ID}


_BUILDERS: dict[str, Callable[[int], Document]] = {
    "deed_tax_payment": lambda n: {
        "DZSPHM": f"{n:018d}",
        "HTBH": f"HT{n:04d}",
        "NSRMC": NAME,
        "SZDM": "10119",
        "JKRQ": "",
        "GXSJ": "",
    },
    "taxpayer": lambda n: {"DJXH": f"{n:020d}", "SHXYDM": CREDIT_CODE.format(n), "GXSJ": ""},
    "real_estate_right": lambda n: {
        "GXSJ": "",
        "YWH": f"YW{n:04d}",
        "BDCDYH": UNIT.format(n),
        "JZMJ": "98.45",
        "DJSJ": "2026-03-01T10:00:00+08:00",
        "QSZT": "1",
        "QLRLIST": [_holder(1), _holder(2)],
    },
    "mortgage": lambda n: {"BDCDJZMH": f"证明{n:04d}", "YWH": "YW1", "ZXSJ": None, "GXSJ": ""},
    "right_status": lambda n: {"BDCDYH": UNIT.format(n), "SYQZT": "1", "DYZT": "0", "GXSJ": ""},
    "sale_contract": lambda n: {
        "contractNo": f"HT{n:04d}",
        "unitNo": UNIT.format(n),
        "totalPrice": 456000.5,
        "updateTime": "",
        "parties": [_party()],
    },
    "house_unit": lambda n: {"houseCode": f"FW{n:04d}", "unitNo": UNIT.format(n)},
    "unit_insurance": lambda n: {"AAB001": f"U{n:04d}", "AAB004": "平凉示范公司 & 分公司"},
    "person_insurance": lambda n: {
        "AAC001": f"P{99 - n:04d}",
        "AAC002": PERSON_ID,
        "AAC003": NAME,
        "AAC004": "1",
        "AAC007": "",
        "AAE140": "110",
    },
    "contribution": lambda n: {
        "AAC001": f"P{n:04d}",
        "AAE140": "110",
        "AAE002": "202601",
        "AAC002": PERSON_ID,
        "AAE180": "5000.00",
    },
    "enterprise": lambda n: {
        "uniscid": CREDIT_CODE.format(n),
        "entname": "平凉示范公司",
        "opto": None,
        "regcap": 100.5,
    },
    "enterprise_person": lambda n: {"personid": f"R{n:04d}", "name": NAME},
    "online_application": lambda n: {"applyNo": f"SQ{n:04d}", "applicantName": NAME},
    "evaluation": lambda n: {"evalNo": f"PJ{n:04d}", "level": 1},
    "service_item": lambda n: {"taskCode": f"{n:031d}", "version": 1},
}


def document(dataset: str, n: int) -> Document:
    """Write row `n` of a dataset, without its change time."""
    return _BUILDERS[dataset](n)


def rows(dataset: str) -> Iterator[tuple[str, Document]]:
    """Write a dataset; row n changed n minutes after the start, two rows share each minute."""
    for n in range(SIZES[dataset]):
        doc = document(dataset, n)
        yield stamp(dataset, doc, START + timedelta(minutes=n // 2)), doc


def build(state_dir: Path) -> None:
    """Write the state of all six systems."""
    write_credentials(state_dir)
    truth.write(state_dir, [])
    for system in ("tax", "registration", "housing", "social", "market", "substation"):
        connection = create_state(state_dir, system)
        with transaction(connection):
            for dataset in DATASETS.values():
                if dataset.system == system:
                    add_records(connection, dataset.name, rows(dataset.name))
            _plan(connection, system)
        connection.close()


def _plan(connection: Any, system: str) -> None:
    if system == "tax":
        payment = {**document("deed_tax_payment", 900), "HTBH": "HT-SALE-1", "NSRMC": "买方"}
        plans.add_pending(connection, "sale_contract", "HT-SALE-1", "deed_tax_payment", payment)
    if system == "registration":
        right = {**document("real_estate_right", 900), "FDCJYHTH": "HT-SALE-1", "DJSJ": ""}
        kind, key = "contract+tax", "HT-SALE-1"
        plans.add_pending(connection, kind, key, "real_estate_right", right)
        plans.add_pending(connection, kind, key, "retire", {"YWH": "YW0003"})
    if system == "housing":
        changed = {**document("sale_contract", 5), "totalPrice": 460000}
        new = document("sale_contract", 800)
        plans.add_changes(
            connection,
            [
                plans.Change(1, "sale_contract", "HT0005", changed, None),
                plans.Change(2, "sale_contract", "HT0800", new, None),
            ],
        )


class Town:
    """Running servers over one state folder, started on first use."""

    def __init__(self, state_dir: Path, builder: Callable[[Path], object] = build) -> None:
        self.state_dir = state_dir
        self._running: dict[str, tuple[uvicorn.Server, threading.Thread, int]] = {}
        builder(state_dir)

    def url(self, system: str) -> str:
        """Start a system's server if needed and return its base address."""
        if system not in self._running:
            listener = listen(0)
            port = listener.getsockname()[1]
            server = make_server(system, self.state_dir)
            run = {"sockets": [listener]}
            thread = threading.Thread(target=server.run, kwargs=run, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.005)
            self._running[system] = (server, thread, port)
        return f"http://127.0.0.1:{self._running[system][2]}"

    def account(self, system: str) -> dict[str, Any]:
        """Return the hub's account at a system."""
        return load_credentials(self.state_dir)[system]

    def control(self, system: str, method: str, path: str, body: Any = None) -> Any:
        """Use the control address of a system."""
        answer = requests.request(
            method,
            f"{self.url(system)}/_sandbox/{path}",
            json=body,
            headers={"X-Sandbox-Control": control_token(self.state_dir)},
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def fault(self, system: str, kind: str, **measures: Any) -> None:
        """Plan one fault."""
        self.control(system, "POST", "faults", {"kind": kind, **measures})

    def clear_faults(self) -> None:
        """Forget planned faults at every server that runs."""
        for system in self._running:
            self.control(system, "DELETE", "faults")

    def accepted(self, system: str, dataset: str) -> dict[str, dict[str, Any]]:
        """Return accepted rows by row_guid."""
        answer = self.control(system, "GET", f"accepted?dataset={dataset}")
        return {row["row_guid"]: row for row in answer["rows"]}

    def stop(self) -> None:
        """Stop every server."""
        for server, _, _ in self._running.values():
            server.should_exit = True
        for _, thread, _ in self._running.values():
            thread.join(10)
        self._running.clear()

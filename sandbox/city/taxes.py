"""Taxes: payments of deed tax, VAT and income tax on house sales.

Base, rate, tax, relief and amount paid always agree to the fen. The deed tax of a sale is paid by
its first buyer on the price of the contract.
"""

from __future__ import annotations

from random import Random

from sandbox.city.enterprises import TAX_ORGAN
from sandbox.city.parties import Party
from sandbox.city.rights import hundredths
from sandbox.city.sales import Sale
from sandbox.city.timeline import Timeline
from sandbox.datasets import Document, stamp

DEED_TAX = "10119"
VALUE_ADDED_TAX = "10101"
INCOME_TAX = "10106"
ID_KINDS = {"resident": "201", "credit": "101", "passport": "208"}
VALID, VOID, REFUNDED = "1", "2", "3"


class TaxDesk:
    """Numbers tickets (电子税票号码) in the order in which they are written."""

    def __init__(self, random: Random, timeline: Timeline) -> None:
        self._random = random
        self._timeline = timeline
        self._count = 0

    def deed_tax(self, sale: Sale, state: str = VALID) -> Document:
        """Write the buyer's deed tax: 1, 1.5, 2 or 3 percent, sometimes relieved in full."""
        rate = self._random.choices((100, 150, 200, 300), (35, 35, 15, 15))[0]
        return self._ticket(sale, DEED_TAX, rate, sale.buyers.parties[0], state)

    def seller_tax(self, sale: Sale) -> Document:
        """Write what the seller pays: VAT for a company, assessed income tax for a resident."""
        seller = sale.sellers.parties[0]
        if seller.id_kind == "credit":
            return self._ticket(sale, VALUE_ADDED_TAX, 500, seller, VALID)
        return self._ticket(sale, INCOME_TAX, 100, seller, VALID)

    def _ticket(self, sale: Sale, kind: str, rate: int, payer: Party, state: str) -> Document:
        self._count += 1
        random = self._random
        due = tax_of(sale.price, rate)
        relief = due if random.random() < 0.03 else 0
        paid_at = sale.paid
        doc: Document = {
            "DZSPHM": f"3620899{(paid_at or sale.signed):%y}{self._count:09d}",
            "HTBH": sale.contract_no,
            "SJBH": random.choice(
                ("-1", "", "0", f"SJ{self._count:010d}", f"SJ{self._count:010d}")
            ),
            "BDCDYH": sale.house.unit_no,
            "NSRMC": payer.name,
            "ZJLX": ID_KINDS[payer.id_kind],
            "NSRSBH": payer.id_no,
            "SZDM": kind,
            "JSJE": hundredths(sale.price),
            "SL": f"{rate // 10000}.{rate % 10000:04d}",
            "HJSE": hundredths(due),
            "JMSE": hundredths(relief),
            "SJJE": hundredths(due - relief),
            "JKRQ": f"{paid_at:%Y%m%d%H%M%S}" if paid_at else "",
            "SKSSJGDM": TAX_ORGAN,
            "ZTBZ": state,
            "ZRFCSFBZ": "1" if kind == DEED_TAX else "0",
            "ZLFCLFBZ": "0" if sale.is_new_house else "1",
        }
        if paid_at:
            stamp("deed_tax_payment", doc, self._timeline.change(random, paid_at))
        else:
            doc["GXSJ"] = ""
        return doc


def tax_of(base: int, rate: int) -> int:
    """Compute a tax in fen from a base in fen and a rate in 1/10000, rounded half up."""
    return (base * rate + 5000) // 10000

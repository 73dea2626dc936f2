"""House market: hand out the houses, let some be sold, and write what each department then knows.

Housing gets the contract and the building list, tax the payments, registration the rights, holders,
mortgages and status lines, the substation the applications. A sale in flight leaves only its
application and its recorded contract in the records; its payment and right wait for their triggers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from sandbox.city.applications import ApplicationDesk
from sandbox.city.enterprises import DEVELOPER_CLASS, Enterprise
from sandbox.city.houses import House, unit_document
from sandbox.city.mortgages import make_mortgage, mortgage_document
from sandbox.city.parties import Group, Party, alone, family
from sandbox.city.people import Person
from sandbox.city.rights import Register, Right, right_document, status_document
from sandbox.city.sales import Sale, SaleBook, contract_document
from sandbox.city.taxes import REFUNDED, VOID, TaxDesk
from sandbox.city.timeline import FIRST_CERTIFICATE, at_work

if TYPE_CHECKING:
    from sandbox.city.build import City

OWNED = 0.875  # share of houses with a right in force
RESALES, NEW_SALES, IN_FLIGHT, REVOKED, DRAFTS = 0.045, 0.024, 0.006, 0.003, 0.002  # per resident
APPLIED_DONE, APPLIED_ONLY = 0.005, 0.001
MORTGAGED, SEIZED, RESTRICTED = 0.21, 0.004, 0.003
FOR_SALE, SOLD, PLEDGED, FROZEN, LIMITED = "12345"


class HouseMarket:
    """One run over all houses; `run` fills the city."""

    def __init__(
        self, city: City, houses: list[House], grown: list[Person], companies: list[Enterprise]
    ) -> None:
        self._city = city
        self._random = city.random("houses and sales")
        self._grown = grown
        self._companies = [company for company in companies if company.is_live]
        self._developers = [c for c in self._companies if c.industry[1] == DEVELOPER_CLASS]
        self._register = Register(self._random)
        self._book = SaleBook(self._random, city.timeline)
        self._taxes = TaxDesk(self._random, city.timeline)
        self._applications = ApplicationDesk(self._random, city.timeline)
        self._mortgages = 0
        order = self._random.sample(houses, len(houses))
        owned = round(len(houses) * OWNED)
        self._owned, self._free = order[:owned], order[owned:]

    def run(self) -> None:
        """Give every house its history."""
        waiting = self._owned
        for rate, write in (
            (RESALES, self._resale),
            (NEW_SALES, self._new_sale),
            (IN_FLIGHT, self._in_flight),
            (REVOKED, self._revoked),
            (APPLIED_ONLY, self._applied_only),
        ):
            count = self._count(rate)
            for at, house in enumerate(waiting[:count]):
                write(house, at)
            waiting = waiting[count:]
        for house in waiting:
            self._finish(self._plain_right(house))
        drafts = self._count(DRAFTS)
        for house in self._free[:drafts]:
            self._draft(house)
        for house in self._free[drafts:]:
            self._add_unit(house, LIMITED if self._random.random() < RESTRICTED else FOR_SALE)

    def _count(self, rate: float) -> int:
        return max(1, round(self._city.people * rate))

    # --- one house, one story ----------------------------------------------------------------

    def _resale(self, house: House, at: int) -> None:
        applies = at < self._count(APPLIED_DONE)
        sellers = family(self._random, self._grown)
        buyers = family(self._random, self._grown, apart_from=sellers)
        span = (380, 30) if applies else (1100, 30)
        sale = self._book.enter(
            house, sellers, buyers, stage="done", is_new_house=False, days_ago=span
        )
        latest = sale.signed.date() - timedelta(days=200)
        before = self._plain_right(house, sellers, latest)
        self._city.add(
            "real_estate_right", self._write(before.ended(sale.registered or sale.signed))
        )
        self._close(sale, is_protected=applies)
        if applies:
            self._apply(sale)

    def _new_sale(self, house: House, _at: int) -> None:
        buyers = family(self._random, self._grown)
        sale = self._book.enter(
            house, self._developer(), buyers, stage="done", is_new_house=True, days_ago=(1500, 30)
        )
        self._close(sale, is_protected=False)

    def _in_flight(self, house: House, _at: int) -> None:
        right = self._plain_right(house, family(self._random, self._grown))
        buyers = family(self._random, self._grown, apart_from=right.holders)
        sale = self._book.enter(
            house, right.holders, buyers, stage="in_flight", is_new_house=False, days_ago=(40, 10)
        )
        self._finish(right, is_free_of_burdens=True, is_protected=True)
        self._contract(sale, is_protected=True)
        self._city.in_flight.append(sale.contract_no)
        self._apply(sale)
        self._prepare(sale, right)

    def _revoked(self, house: House, at: int) -> None:
        right = self._plain_right(house, family(self._random, self._grown))
        buyers = family(self._random, self._grown, apart_from=right.holders)
        sale = self._book.enter(
            house, right.holders, buyers, stage="revoked", is_new_house=False, days_ago=(350, 60)
        )
        self._finish(right, is_free_of_burdens=True)
        self._contract(sale, is_protected=True)
        self._apply(sale)
        if at % 2 == 0:
            paid = (sale.recorded or sale.signed) + timedelta(days=1)
            state = VOID if at % 4 == 0 else REFUNDED
            payment = self._taxes.deed_tax(replace(sale, paid=paid), state)
            self._city.add("deed_tax_payment", payment, is_protected=True)

    def _applied_only(self, house: House, _at: int) -> None:
        right = self._plain_right(house, family(self._random, self._grown))
        self._finish(right)
        signed = self._city.timeline.days_ago(self._random, 300, 5)
        applicant = right.holders.parties[0]
        doc = self._applications.house_sale(applicant, house, signed)
        self._city.add("online_application", doc)

    def _draft(self, house: House) -> None:
        buyers = family(self._random, self._grown)
        sale = self._book.enter(
            house, self._developer(), buyers, stage="draft", is_new_house=True, days_ago=(60, 5)
        )
        self._contract(sale)
        self._add_unit(house, FOR_SALE)

    # --- pieces ------------------------------------------------------------------------------

    def _plain_right(
        self, house: House, holders: Group | None = None, latest: date | None = None
    ) -> Right:
        first = max(FIRST_CERTIFICATE, house.finished + timedelta(days=60))
        last = latest or self._city.timeline.today - timedelta(days=30)
        day = self._city.timeline.day_between(self._random, first, last)
        registered = at_work(self._random, day)
        return self._register.enter(
            house,
            holders or self._owner(house),
            price=house.price_of_whole(self._random),
            registered=registered,
            numbered=registered,
            kind=self._random.choice(("100", "200")),
        )

    def _owner(self, house: House) -> Group:
        dice = self._random.random()
        if dice < (0.02 if house.usage == "10" else 0.4):
            company = self._random.choice(self._companies)
            return alone(Party(company.name, "credit", company.credit_code))
        if dice > 0.997:
            number = f"E{self._random.randint(10_000_000, 99_999_999)}"
            return alone(Party(self._random.choice(self._grown).name, "passport", number))
        return family(self._random, self._grown)

    def _developer(self) -> Group:
        company = self._random.choice(self._developers)
        return alone(Party(company.name, "credit", company.credit_code))

    def _close(self, sale: Sale, *, is_protected: bool) -> None:
        """Write the contract, the payments and the new right of a finished sale."""
        city = self._city
        self._contract(sale, is_protected=is_protected)
        city.add("deed_tax_payment", self._taxes.deed_tax(sale), is_protected=is_protected)
        if self._random.random() < 0.8:
            city.add("deed_tax_payment", self._taxes.seller_tax(sale))
        right = self._register.enter(
            sale.house,
            sale.buyers,
            price=sale.price,
            registered=sale.registered,
            numbered=sale.registered or sale.signed,
            contract_no=sale.contract_no,
        )
        self._finish(right, is_protected=is_protected)

    def _contract(self, sale: Sale, *, is_protected: bool = False) -> None:
        doc = contract_document(self._random, self._city.timeline, sale)
        self._city.add("sale_contract", doc, is_protected=is_protected)

    def _apply(self, sale: Sale) -> None:
        applicant = next(p for p in sale.buyers.parties if p.id_kind == "resident")
        doc = self._applications.house_sale(applicant, sale.house, sale.signed)
        self._city.add("online_application", doc, is_protected=True)

    def _prepare(self, sale: Sale, old: Right) -> None:
        """Prepare what appears when the contract, and then its tax payment, are accepted."""
        add = self._city.prepare
        contract, both = "sale_contract", "contract+tax"
        add("tax", contract, sale.contract_no, "deed_tax_payment", self._taxes.deed_tax(sale))
        if self._random.random() < 0.5:
            seller = self._taxes.seller_tax(sale)
            add("tax", contract, sale.contract_no, "deed_tax_payment", seller)
        right = self._register.enter(
            sale.house,
            sale.buyers,
            price=sale.price,
            registered=None,
            numbered=datetime.combine(self._city.timeline.today, time()),
            contract_no=sale.contract_no,
        )
        new = self._write(right)
        add("registration", both, sale.contract_no, "real_estate_right", new)
        add("registration", both, sale.contract_no, "retire", {"YWH": old.business_no})

    def _write(self, right: Right) -> dict[str, object]:
        return right_document(self._random, self._city.timeline, right)

    def _finish(
        self, right: Right, *, is_free_of_burdens: bool = False, is_protected: bool = False
    ) -> None:
        """Write a right in force with its mortgage, status line and building-list row."""
        random, city = self._random, self._city
        city.add("real_estate_right", self._write(right), is_protected=is_protected)
        is_mortgaged = False
        if not is_free_of_burdens and random.random() < MORTGAGED:
            self._mortgages += 1
            mortgage = make_mortgage(random, city.timeline, self._mortgages, right)
            is_mortgaged = mortgage.cancelled is None
            city.add("mortgage", mortgage_document(random, city.timeline, mortgage))
        is_seized = not is_free_of_burdens and random.random() < SEIZED
        line = status_document(
            random, city.timeline, right, is_mortgaged=is_mortgaged, is_seized=is_seized
        )
        city.add("right_status", line)
        state = FROZEN if is_seized else PLEDGED if is_mortgaged else SOLD
        self._add_unit(right.house, state)

    def _add_unit(self, house: House, state: str) -> None:
        doc = unit_document(self._random, self._city.timeline, house, state)
        self._city.add("house_unit", doc)

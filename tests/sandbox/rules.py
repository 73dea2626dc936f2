"""What a sensible contract would ask of every source record, written without the generator's code.

Each rule gives the names of what is wrong with one document; a valid document gives nothing. Check
digits are computed by python-stdnum's ISO 7064 routines, which the sandbox does not use.
"""

from __future__ import annotations

import re
from collections import UserList
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_11_10

TODAY = date(2026, 11, 24)
UNIT_NO = re.compile(r"620899\d{6}GB\d{5}F\d{8}")
CERTIFICATE = re.compile(r"甘[（(〔](20\d\d)[）)〕]平凉市不动产权第\d{7}号")
PROOF = re.compile(r"甘（20\d\d）平凉市不动产证明第\d{7}号")
PHONE = re.compile(r"1[3-9]\d{9}")
USAGES = {"10", "20", "30", "40", "99"}
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

Doc = dict[str, Any]


class Faults(UserList[str]):
    """Collects the names of broken rules."""

    def need(self, name: str, holds: object) -> None:
        """Note `name` unless the claim holds."""
        if not holds:
            self.append(name)


def is_resident_id(text: str) -> bool:
    """GB 11643 with the synthetic area code and a real birthday that is not in the future."""
    if not re.fullmatch(r"620899\d{11}[\dX]", text) or not mod_11_2.is_valid(text):
        return False
    try:
        return date.fromisoformat(text[6:14]) <= TODAY
    except ValueError:
        return False


def is_credit_code(text: str) -> bool:
    """GB 32100 with both its check characters and the synthetic area code."""
    if not uscc.is_valid(text) or text[2:8] != "620899":
        return False
    body, check = text[8:16], text[16]
    total = sum(int(c, 36) * w for c, w in zip(body, ORGANISATION_WEIGHTS, strict=True))
    wanted = {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))
    return check == wanted


def is_name(text: str) -> bool:
    """Two characters or more, no blanks."""
    return len(text) >= 2 and not re.search(r"\s", text)


def moment(text: str, form: str) -> datetime | None:
    """Read a time, or give None if it is none or lies in the future."""
    try:
        when = datetime.strptime(text, form)  # noqa: DTZ007 - the sandbox speaks naive Beijing time
    except (ValueError, TypeError):
        return None
    return when if when.date() <= TODAY else None


def money(value: str | float) -> Decimal:
    """Read an amount exactly."""
    return Decimal(str(value))


def share(text: str) -> Fraction:
    """Read "50%" or "1/2"."""
    return Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)


def cents(value: Decimal) -> Decimal:
    """Round to whole cents, half up."""
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def deed_tax_payment(doc: Doc) -> list[str]:
    """Tax: base × rate = tax, tax − relief = paid, payer's number by its kind."""
    faults = Faults()
    base, rate = money(doc["JSJE"] or 0), money(doc["SL"] or 0)
    due, relief, paid = (money(doc[name] or 0) for name in ("HJSE", "JMSE", "SJJE"))
    faults.need("ticket", re.fullmatch(r"\d{18}", doc["DZSPHM"]))
    faults.need("base", base > 0)
    faults.need("tax", abs(cents(base * rate) - due) <= Decimal("0.01"))
    faults.need("paid", paid == due - relief and 0 <= paid)
    faults.need("kind", doc["SZDM"] in {"10119", "10101", "10106", "10113"})
    faults.need("state", doc["ZTBZ"] in {"1", "2", "3"})
    faults.need("organ", doc["SKSSJGDM"].startswith("1620899") and len(doc["SKSSJGDM"]) == 11)
    checks = {"201": is_resident_id, "101": is_credit_code}
    faults.need("payer", doc["ZJLX"] in checks and checks[doc["ZJLX"]](doc["NSRSBH"]))
    faults.need("name", is_name(doc["NSRMC"]))
    faults.need("unit", UNIT_NO.fullmatch(doc["BDCDYH"]))
    faults.need("paid at", moment(doc["JKRQ"], "%Y%m%d%H%M%S"))
    return list(faults)


def taxpayer(doc: Doc) -> list[str]:
    """Tax: numbers, dates, and settlement only for the cancelled."""
    faults = Faults()
    faults.need("key", re.fullmatch(r"\d{20}", doc["DJXH"]))
    faults.need("credit code", is_credit_code(doc["SHXYDM"]))
    faults.need("representative", is_resident_id(doc["FDDBRSFZH"]) and is_name(doc["FDDBRXM"]))
    faults.need("name", is_name(doc["NSRMC"]))
    faults.need("state", doc["NSRZTDM"] in {"03", "05", "07"})
    faults.need("registered", moment(doc["DJRQ"], "%Y%m%d"))
    settled = doc["NSRZTDM"] == "07"
    faults.need("settlement", doc["QSZT"] == ("1" if settled else "0"))
    faults.need("settled on", bool(doc["QSRQ"]) == settled and doc["QSRQ"] >= doc["DJRQ"][:0])
    return list(faults)


def real_estate_right(doc: Doc) -> list[str]:
    """Registration: areas add up, dates follow one another, price per ㎡ is plausible."""
    faults = Faults()
    area, own, common = (money(doc[name]) for name in ("JZMJ", "ZYJZMJ", "FTJZMJ"))
    registered = moment(doc["DJSJ"], "%Y-%m-%dT%H:%M:%S+08:00")
    finished = moment(doc["JGSJ"], "%Y-%m-%d")
    certificate = CERTIFICATE.fullmatch(doc["BDCQZH"])
    faults.need("area", area == own + common and own > 0)
    faults.need("floors", 1 <= int(doc["SZC"]) <= int(doc["ZCS"]))
    faults.need("dates", registered and finished and finished.date() <= registered.date())
    faults.need("term", doc["TDSYQSSJ"] < doc["TDSYJSSJ"])
    faults.need("certificate", certificate)
    faults.need("year", certificate and registered and int(certificate[1]) == registered.year)
    faults.need("price", 1000 <= money(doc["FDCJYJG"]) * 10000 / area <= 20000)
    faults.need("unit", UNIT_NO.fullmatch(doc["BDCDYH"]))
    faults.need("area code", doc["QXDM"] == "620899")
    faults.need("usage", doc["GHYT"] in USAGES)
    faults.need("state", doc["QSZT"] in {"1", "2"} and doc["DJLX"] in {"100", "200"})
    faults.need("constants", (doc["YSDM"], doc["QLLX"]) == ("6002010200", "4"))
    faults.need(
        "holders",
        [str(i + 1) for i in range(len(doc["QLRLIST"]))] == [row["SXH"] for row in doc["QLRLIST"]],
    )
    return list(faults)


def right_holder(doc: Doc) -> list[str]:
    """Registration: one holder's number by its kind, and its share by the form of ownership."""
    faults = Faults()
    checks = {
        "1": is_resident_id,
        "7": is_credit_code,
        "3": re.compile(r"E\d{8}").fullmatch,
    }
    faults.need("number", doc["ZJZL"] in checks and checks[doc["ZJZL"]](doc["ZJH"]))
    faults.need("name", is_name(doc["QLRMC"]))
    faults.need("form", doc["GYFS"] in {"0", "1", "2"})
    faults.need("kind", doc["QLRLX"] == ("2" if doc["ZJZL"] == "7" else "1"))
    faults.need("share", bool(doc["QLBL"]) == (doc["GYFS"] == "2"))
    return list(faults)


def mortgage(doc: Doc) -> list[str]:
    """Registration: one amount by the kind of mortgage, term forward, cancelled after entered."""
    faults = Faults()
    fields = {"1": ("BDBZZQSE", "ZGZQSE"), "2": ("ZGZQSE", "BDBZZQSE")}
    here, absent = fields.get(doc["DYFS"], ("", ""))
    registered = moment(doc["DJSJ"], "%Y-%m-%dT%H:%M:%S+08:00")
    faults.need("amount", here in doc and absent not in doc and money(doc[here]) > 0)
    faults.need("key", PROOF.fullmatch(doc["BDCDJZMH"]))
    faults.need("term", doc["ZWLXQSSJ"] < doc["ZWLXJSSJ"])
    faults.need("registered", registered)
    faults.need("cancelled", ("ZXSJ" in doc) == (doc["QSZT"] == "2") and doc["QSZT"] in {"1", "2"})
    faults.need("order", doc.get("ZXSJ", "9") > doc["DJSJ"])
    faults.need("unit", UNIT_NO.fullmatch(doc["BDCDYH"]))
    faults.need("parties", is_name(doc["DYR"]) and is_name(doc["DYQR"]))
    return list(faults)


def right_status(doc: Doc) -> list[str]:
    """Registration: four flags of one unit."""
    faults = Faults()
    faults.need("unit", UNIT_NO.fullmatch(doc["BDCDYH"]))
    for name in ("SYQZT", "DYZT", "CFZT", "YYZT"):
        faults.need(name, doc[name] in {"0", "1"})
    return list(faults)


def sale_contract(doc: Doc) -> list[str]:
    """Housing: price per ㎡ is price by area, recorded after signed, shares of a side make one."""
    faults = Faults()
    signed = moment(doc["signTime"], "%Y-%m-%d %H:%M:%S")
    is_draft = doc["status"] in {"1", "2"}
    price, area = money(doc["totalPrice"] or 0), money(doc["buildingArea"])
    faults.need("signed", signed)
    faults.need("recorded", is_draft == (doc["recordTime"] is None))
    faults.need("record number", is_draft == (doc["recordNo"] is None))
    faults.need("order", is_draft or (doc["recordTime"] or "") >= doc["signTime"])
    faults.need("price", price > 0 and cents(price / area) == cents(money(doc["unitPrice"])))
    faults.need("range", 1000 <= price / area <= 20000)
    faults.need("areas", 0 < money(doc["innerArea"]) < area)
    faults.need("floors", 1 <= doc["floor"] <= doc["totalFloors"])
    faults.need("unit", UNIT_NO.fullmatch(doc["unitNo"]))
    faults.need("codes", doc["usage"] in USAGES and doc["status"] in {"1", "2", "3", "9"})
    faults.need("kind", doc["contractKind"] in {"1", "2"} and doc["payMethod"] in {"1", "2", "3"})
    for role in "SB":
        parts = [share(p["share"]) for p in doc["parties"] if p["role"] == role]
        faults.need(f"shares {role}", sum(parts) == 1)
    return list(faults)


def sale_contract_party(doc: Doc) -> list[str]:
    """Housing: one party's number by its kind."""
    faults = Faults()
    checks = {"01": is_resident_id, "21": is_credit_code}
    faults.need("number", doc["idType"] in checks and checks[doc["idType"]](doc["idNo"]))
    faults.need("name", is_name(doc["name"]))
    faults.need("role", doc["role"] in {"S", "B"})
    faults.need("share", 0 < share(doc["share"]) <= 1)
    return list(faults)


def house_unit(doc: Doc) -> list[str]:
    """Housing: one line of the building list."""
    faults = Faults()
    faults.need("unit", UNIT_NO.fullmatch(doc["unitNo"]))
    faults.need("areas", 0 < doc["innerArea"] < (doc["buildingArea"] or 0))
    faults.need("state", doc["saleState"] in set("12345") and doc["usage"] in USAGES)
    faults.need("floors", 1 <= doc["floor"] <= doc["totalFloors"])
    return list(faults)


def unit_insurance(doc: Doc) -> list[str]:
    """Social security: an insured unit."""
    faults = Faults()
    faults.need("key", re.fullmatch(r"\d{16}", doc["AAB001"]))
    faults.need("credit code", is_credit_code(doc["BAB010"]))
    faults.need("name", is_name(doc["AAB004"]))
    faults.need("insured", moment(doc["AAB050"], "%Y%m%d"))
    faults.need("state", doc["AAB051"] in {"1", "2", "3"})
    faults.need("industry", re.fullmatch(r"[A-T]", doc["AAB022"]))
    faults.need("area code", doc["AAB301"] == "620899")
    return list(faults)


def person_insurance(doc: Doc) -> list[str]:
    """Social security: birth and sex follow from the number, work begins after birth."""
    faults = Faults()
    number = doc["AAC002"]
    faults.need("number", is_resident_id(number))
    faults.need("birth", doc["AAC006"] == number[6:14])
    faults.need("sex", doc["AAC004"] in {"1", "2"})
    faults.need("parity", number and doc["AAC004"] == "21"[int(number[16]) % 2])
    faults.need("nation", re.fullmatch(r"0[1-9]|[1-4]\d|5[0-6]", doc["AAC005"]))
    faults.need("work", not doc["AAC007"] or doc["AAC006"] < doc["AAC007"] <= f"{TODAY:%Y%m%d}")
    faults.need("month", moment(doc["AAC049"], "%Y%m"))
    faults.need("states", (doc["AAC008"], doc["AAC031"]) in {("1", "1"), ("2", "2"), ("4", "3")})
    faults.need("kind", doc["AAE140"] in {"110", "170", "210", "310", "390", "410", "510"})
    faults.need("unit", bool(doc["AAB001"]) == (doc["AAE140"] not in {"170", "390"}))
    faults.need("name", is_name(doc["AAC003"]))
    faults.need("area code", doc["AAB301"] == "620899")
    return list(faults)


def contribution(doc: Doc) -> list[str]:
    """Social security: closed months, paid no more than due."""
    faults = Faults()
    base, unit, person, unit_paid, person_paid = (
        money(doc[name] or 0) for name in ("AAE180", "AAE020", "AAE022", "AAE080", "AAE082")
    )
    faults.need("number", is_resident_id(doc["AAC002"]))
    faults.need("months", moment(doc["AAE002"], "%Y%m") and moment(doc["AAE003"], "%Y%m"))
    faults.need("base", base > 0)
    faults.need("unit", 0 <= unit_paid <= unit and unit > 0)
    faults.need("person", 0 <= person_paid <= person)
    return list(faults)


def enterprise(doc: Doc) -> list[str]:
    """Market regulation: numbers, order of dates, codes and their words."""
    faults = Faults()
    faults.need("credit code", is_credit_code(doc["uniscid"]))
    faults.need("regno", mod_11_10.is_valid(doc["regno"]) and len(doc["regno"]) == 15)
    faults.need("regno area", doc["regno"].startswith("620899"))
    faults.need("organ", re.fullmatch(r"620899(\d{3})?", doc["regorg"]))
    faults.need("kind", doc["uniscid"][:2] == ("92" if doc["enttype"] == "9500" else "91"))
    faults.need("type", doc["enttype"] in {"1130", "1150", "2190", "9500"})
    faults.need("state", doc["regstate"] in set("123456"))
    faults.need("founded", moment(doc["estdate"], "%Y-%m-%d"))
    faults.need("order", doc["estdate"] <= doc["apprdate"][:10])
    faults.need("term", doc["opto"] is None or doc["opfrom"] <= doc["opto"])
    faults.need("capital", doc["regcap"] > 0)
    faults.need("industry", re.fullmatch(r"[A-T]\d{4}", doc["industryphy"] + doc["industryco"]))
    faults.need("names", is_name(doc["entname"]) and is_name(doc["lerep"]))
    return list(faults)


def enterprise_person(doc: Doc) -> list[str]:
    """Market regulation: a person behind a company."""
    faults = Faults()
    faults.need("credit code", is_credit_code(doc["uniscid"]))
    faults.need("number", is_resident_id(doc["cerno"]) and doc["certype"] == "10")
    faults.need("name", is_name(doc["name"]))
    faults.need("position", doc["position"] in {"法定代表人", "股东", "监事", "经理"})
    faults.need("share", (doc["share"] is not None) == (doc["position"] == "股东"))
    faults.need("phone", PHONE.fullmatch(doc["tel"]))
    return list(faults)


def online_application(doc: Doc) -> list[str]:
    """Substation: an application for a house sale."""
    faults = Faults()
    faults.need("number", is_resident_id(doc["applicantId"]) and doc["applicantIdType"] == "111")
    faults.need("name", is_name(doc["applicantName"]))
    faults.need("phone", PHONE.fullmatch(doc["phone"]))
    faults.need("unit", UNIT_NO.fullmatch(doc["unitNo"]))
    faults.need("applied", moment(doc["applyTime"], "%Y%m%d%H%M%S"))
    faults.need("item", len(doc["itemCode"]) == 31)
    return list(faults)


def evaluation(doc: Doc) -> list[str]:
    """Substation: a rating from 1 (best) to 5."""
    faults = Faults()
    faults.need("case", len(doc["projNo"]) == 43 and doc["projNo"].startswith(doc["serviceCode"]))
    faults.need("level", doc["level"] in set("12345"))
    faults.need("rated", moment(doc["evalTime"], "%Y%m%d%H%M%S"))
    faults.need("source", doc["source"] in set("12345"))
    return list(faults)


def service_item(doc: Doc) -> list[str]:
    """Substation: an item of the catalogue."""
    faults = Faults()
    faults.need("code", len(doc["taskCode"]) == 31 and doc["taskCode"][:18] == doc["organCode"])
    faults.need("organ", uscc.is_valid(doc["organCode"]))
    faults.need("days", 0 <= doc["promiseDays"] <= doc["legalDays"])
    faults.need("kind", doc["kind"] in set("1234") and is_name(doc["taskName"]))
    return list(faults)


RULES = {
    name: rule
    for name, rule in list(globals().items())
    if callable(rule) and getattr(rule, "__annotations__", {}).get("doc") == "Doc"
}
OLDEST = datetime.combine(TODAY - timedelta(days=400), datetime.min.time())
NEWEST = datetime.combine(TODAY - timedelta(days=2), datetime.max.time())

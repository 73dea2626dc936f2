"""Enterprises: companies and sole traders as market regulation and tax keep them.

Name, credit code, representative and capital agree between the two departments; a company that was
cancelled at market regulation is settled and cancelled at tax as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from sandbox.city.people import Person
from sandbox.city.timeline import Timeline, add_years, at_work
from sandbox.datasets import BEIJING, Document, stamp
from sandbox.identifiers import AREA_CODE, credit_code, organisation_body, registration_no
from sandbox.names import brand

TAX_ORGAN = "16208990000"
KINDS = {
    "1130": ("有限责任公司（自然人投资或控股）", "91", "有限公司"),
    "1150": ("一人有限责任公司", "91", "有限责任公司"),
    "2190": ("有限责任公司分公司", "91", "有限公司分公司"),
    "9500": ("个体工商户", "92", "经营部"),
}
STATES = {
    "1": ("存续（在营、开业、在册）", "在营（开业）", "存续"),
    "2": ("吊销，未注销", "吊销,未注销"),
    "3": ("吊销，已注销", "吊销,已注销"),
    "4": ("注销",),
    "5": ("撤销",),
    "6": ("迁出",),
}
INDUSTRIES = (  # GB/T 4754-2017: section, class, word in the name, scope
    ("F", "5212", "商贸", "日用百货、五金产品、文具用品批发及零售"),
    ("F", "5285", "建材", "建筑材料、装饰材料、卫生洁具零售"),
    ("K", "7010", "房地产开发", "房地产开发经营、商品房销售、自有房屋租赁"),
    ("E", "4710", "建筑工程", "房屋建筑工程施工、市政公用工程施工"),
    ("H", "6210", "餐饮管理", "正餐服务、餐饮管理、外卖递送服务"),
    ("G", "5431", "运输", "道路普通货物运输、货物专用运输"),
    ("A", "0311", "养殖", "牛的饲养及销售、农副产品初加工"),
    ("I", "6513", "信息技术", "应用软件开发、信息系统集成服务"),
    ("C", "1353", "肉制品", "肉制品及副产品加工、冷藏及销售"),
    ("P", "8391", "职业培训", "职业技能培训、教育信息咨询"),
)
DEVELOPER_CLASS = "7010"


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One market entity. `capital` is in 元."""

    number: int
    credit_code: str
    name: str
    kind: str
    industry: tuple[str, str, str, str]
    representative: Person
    founded: date
    capital: int
    state: str

    @property
    def is_live(self) -> bool:
        """Whether the entity does business."""
        return self.state == "1"


def make_enterprises(random: Random, count: int, grown: list[Person]) -> list[Enterprise]:
    """Make `count` entities; the first ones are developers that can sell new houses."""
    developers = max(2, count // 100)
    made = []
    for number in range(1, count + 1):
        is_developer = number <= developers
        kind = "1130" if is_developer else random.choices(list(KINDS), (35, 15, 5, 45))[0]
        trade = next(i for i in INDUSTRIES if i[1] == DEVELOPER_CLASS)
        if not is_developer:
            trade = random.choice(INDUSTRIES)
        state = "1" if is_developer else random.choices("123456", (88, 3, 1, 6, 1, 1))[0]
        founded = date(2022, 1, 1) - timedelta(days=random.randint(0, 7000))
        made.append(
            Enterprise(
                number=number,
                credit_code=credit_code(KINDS[kind][1], organisation_body(number)),
                name=f"平凉市{brand(random)}{trade[2]}{KINDS[kind][2]}",
                kind=kind,
                industry=trade,
                representative=_founder(random, grown, founded),
                founded=founded,
                capital=random.randint(1, 2000) * 10000 + random.choice((0, 0, 5000)),
                state=state,
            )
        )
    return made


def enterprise_document(random: Random, timeline: Timeline, company: Enterprise) -> Document:
    """Write the market registration of `company`."""
    approved = at_work(random, company.founded + timedelta(days=random.randint(0, 900)))
    section, trade_class, _, scope = company.industry
    years = random.choice((None, None, 20, 30))
    extra = random.randint(0, 25) if random.random() < 0.2 else 0
    branch = random.random() < 0.5
    doc: Document = {
        "uniscid": company.credit_code,
        "regno": registration_no(company.number),
        "entname": company.name,
        "enttype": company.kind,
        "enttypeCn": KINDS[company.kind][0],
        "lerep": company.representative.name,
        "dom": f"平凉市示范区示范一路{random.randint(1, 400)}号",
        "opscope": scope
        + "；依法须经批准的项目，经相关部门批准后方可开展经营活动。" * (1 + extra * 2),
        "opfrom": _epoch_ms(company.founded),
        "opto": _epoch_ms(add_years(company.founded, years)) if years else None,
        "estdate": company.founded.isoformat(),
        "apprdate": f"{approved:%Y-%m-%d %H:%M:%S}.000000000",
        "regcap": company.capital / 10000,
        "regcapcur": "156",
        "regorg": AREA_CODE + "001" if branch else AREA_CODE,
        "regorgCn": "平凉市示范区市场监督管理局" + ("第一分局" if branch else ""),
        "regstate": company.state,
        "regstateCn": random.choice(STATES[company.state]),
        "industryphy": section,
        "industryco": trade_class,
    }
    stamp("enterprise", doc, timeline.change(random, approved))
    return doc


def person_documents(
    random: Random, timeline: Timeline, company: Enterprise, grown: list[Person], start: int
) -> list[Document]:
    """Write who stands behind `company`; `start` is the first free running number."""
    roles: list[tuple[str, Person, float | None]] = [("法定代表人", company.representative, None)]
    if company.kind != "9500":
        first, second = random.sample(grown, 2)
        part = random.choice((51.0, 60.0, 70.0, 80.5))
        if company.kind == "1130":
            roles += [("股东", first, part), ("股东", second, 100.0 - part)]
        elif company.kind == "1150":
            roles.append(("股东", company.representative, 100.0))
        roles.append((random.choice(("监事", "经理")), second, None))
    changed = timeline.change(random, company.founded)
    docs = []
    for at, (position, person, share) in enumerate(roles):
        doc: Document = {
            "personid": f"P620899{start + at:010d}",
            "uniscid": company.credit_code,
            "name": person.name,
            "certype": "10",
            "cerno": person.resident_id,
            "position": position,
            "share": share,
            "tel": person.phone,
        }
        stamp("enterprise_person", doc, changed)
        docs.append(doc)
    return docs


def taxpayer_document(random: Random, timeline: Timeline, company: Enterprise) -> Document:
    """Write the tax registration of `company`."""
    registered = company.founded + timedelta(days=random.randint(1, 30))
    is_closed = company.state in {"3", "4"}
    closed = registered + timedelta(days=random.randint(100, 800))
    status = "07" if is_closed else random.choices(("03", "05"), (97, 3))[0]
    doc: Document = {
        "DJXH": f"10116208990{company.number:09d}",
        "SHXYDM": company.credit_code,
        "NSRMC": company.name,
        "DJJGDM": TAX_ORGAN,
        "DJRQ": f"{registered:%Y%m%d}",
        "NSRZTDM": status,
        "QSZT": "1" if is_closed else "0",
        "QSRQ": f"{closed:%Y%m%d}" if is_closed else "",
        "FDDBRXM": company.representative.name,
        "FDDBRSFZH": company.representative.resident_id,
    }
    stamp("taxpayer", doc, timeline.change(random, closed if is_closed else registered))
    return doc


def _founder(random: Random, grown: list[Person], founded: date) -> Person:
    """Pick somebody who was of age on the day of foundation."""
    of_age = add_years(founded, -18)
    person = random.choice(grown)
    while person.birth > of_age:
        person = random.choice(grown)
    return person


def _epoch_ms(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=BEIJING)
    return int(midnight.timestamp()) * 1000

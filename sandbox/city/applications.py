"""Applications: what citizens ask for and how they rate it, at the substation of the network.

House-sale applications are the start of a case: some have their contract, payment and right
already, some wait for them. Service items are the catalogue that both point to.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from sandbox.city.houses import House
from sandbox.city.parties import Party
from sandbox.city.timeline import Timeline
from sandbox.datasets import Document, stamp
from sandbox.identifiers import credit_code

HOUSE_SALE_ITEM = "1162080001389000673620117051000"
HOUSE_SALE_NAME = "二手房转移登记（交易、纳税、登记一窗受理）"
ORGANS = (
    "平凉市示范区自然资源局",
    "平凉市示范区住房和城乡建设局",
    "平凉市示范区税务局",
    "平凉市示范区人力资源和社会保障局",
    "平凉市示范区市场监督管理局",
    "平凉市示范区医疗保障局",
)
SUBJECTS = (
    "不动产",
    "企业开办",
    "社会保险",
    "房产交易",
    "医疗保障",
    "税务登记",
    "许可证",
    "就业登记",
)
ACTIONS = ("首次登记", "变更", "注销", "查询", "补发", "年度报告", "备案", "核定", "转移")
COMMENTS = ("", "", "办得很快", "态度热情", "材料清单说明清楚", "等候时间较长", "一次办成")


def item_documents(random: Random, timeline: Timeline, count: int) -> list[Document]:
    """Write `count` service items, the house sale first."""
    organs = [(credit_code("11", f"0138{at:04d}"), name) for at, name in enumerate(ORGANS, 1)]
    docs = []
    for number in range(count):
        organ_code, organ_name = organs[number % len(organs)]
        subject, action = SUBJECTS[number % 8], ACTIONS[number // 8 % 9]
        legal = random.choice((20, 30, 45))
        is_immediate = number > 0 and random.random() < 0.3
        doc: Document = {
            "taskCode": f"{organ_code}4{620117052000 + number}",
            "version": random.randint(1, 4),
            "taskName": f"{subject}{action}",
            "kind": "1" if is_immediate else random.choices("234", (85, 5, 10))[0],
            "organCode": organ_code,
            "organName": organ_name,
            "promiseDays": 0 if is_immediate else random.choice((1, 3, 5, 10)),
            "legalDays": legal,
            "isFee": random.choice("0001"),
            "level": "4",
            "servedType": random.choice("126"),
        }
        if number == 0:
            doc |= {
                "taskCode": HOUSE_SALE_ITEM,
                "taskName": HOUSE_SALE_NAME,
                "kind": "4",
                "organCode": HOUSE_SALE_ITEM[:18],
                "promiseDays": 5,
                "level": "3",
            }
        stamp("service_item", doc, timeline.days_ago(random, 399, 30))
        docs.append(doc)
    return docs


class ApplicationDesk:
    """Numbers online applications in the order in which they arrive."""

    def __init__(self, random: Random, timeline: Timeline) -> None:
        self._random = random
        self._timeline = timeline
        self._count = 0

    def house_sale(self, applicant: Party, house: House, signed: datetime) -> Document:
        """Write the application that came shortly before the contract was signed."""
        self._count += 1
        applied = signed - timedelta(minutes=self._random.randint(30, 4000))
        doc: Document = {
            "applyNo": f"WS{applied:%Y%m%d}{self._count:06d}",
            "itemCode": HOUSE_SALE_ITEM,
            "itemName": HOUSE_SALE_NAME,
            "applicantName": applicant.name,
            "applicantIdType": "111",
            "applicantId": applicant.id_no,
            "phone": applicant.phone,
            "unitNo": house.unit_no,
            "applyTime": f"{applied:%Y%m%d%H%M%S}",
            "channel": self._random.choice("1223"),
            "state": "1",
        }
        stamp("online_application", doc, self._timeline.change(self._random, applied))
        return doc


def evaluation_document(
    random: Random, timeline: Timeline, number: int, item: Document
) -> Document:
    """Write one rating of a finished case; level 1 is the best."""
    rated = timeline.days_ago(random, 399, 3)
    case_day: date = (rated - timedelta(days=random.randint(1, 30))).date()
    doc: Document = {
        "evalNo": f"PJ{rated:%Y%m%d}{number:08d}",
        "projNo": f"{item['taskCode']}{case_day:%Y%m%d}{number % 10000:04d}",
        "serviceCode": item["taskCode"],
        "level": random.choices("12345", (60, 25, 10, 3, 2))[0],
        "channel": random.choice("1239"),
        "evalTime": f"{rated:%Y%m%d%H%M%S}",
        "content": random.choice(COMMENTS),
        "source": random.choice("12345"),
    }
    stamp("evaluation", doc, timeline.change(random, rated))
    return doc

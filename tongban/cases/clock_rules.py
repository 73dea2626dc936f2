"""Rules of the clocks: what starts, stops, restarts and ends one, each with its law.

A rule's code is stable: intervals, the command line and later the supervision refer to it.
Nothing here counts anything.

Source: notice 平政办发〔2018〕179号 §6.2; 行政许可法 art. 32, 42-45, 82.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnCorrection = Literal["restart", "stop", "run"]

PRE_CHECK, PROMISE, LEGAL, DELIVERY = "pre_check", "promise", "legal", "delivery"
STEP = "step:"  # followed by the step's code


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a clock does what it does.

    Attributes:
        code: Stable name.
        zh: The rule in the words of the window.
        en: The same in English.
        law: Where it is written.
    """

    code: str
    zh: str
    en: str
    law: str


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """How long an item's clocks are, and what moves them.

    Attributes:
        promise_days: Working days that the window promised.
        legal_days: Working days that the law allows; None where it sets none.
        on_correction: What a correction during handling does to the promise.
        legal_on_correction: The same for the legal limit.
        pre_check_days: Within these the window accepts, refuses or asks for corrections.
        extension_days: Most working days that one extension may add.
        delivery_days: From the decision to its delivery.
    """

    promise_days: int
    legal_days: int | None = None
    on_correction: OnCorrection = "restart"
    legal_on_correction: OnCorrection = "stop"
    pre_check_days: int = 5
    extension_days: int = 10
    delivery_days: int = 10


_LICENSING = "行政许可法"
_NOTICE = "平政办发〔2018〕179号 §6.2(4)"


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.code: rule for rule in rules}


RULES = _rules(
    Rule(
        "pre_check",
        "收件次日起审查材料，应在五个工作日内一次告知补正或受理",
        "papers are checked within 5 working days, the day of receipt not counted",
        f"{_LICENSING} art. 32, 82",
    ),
    Rule(
        "silence",
        "逾期不告知，自收到申请材料之日起即为受理",
        "nothing was said in time: accepted as of the day of receipt",
        f"{_LICENSING} art. 32(4)",
    ),
    Rule(
        "accepted",
        "自受理次日起按工作日计算",
        "counts in working days, the day of acceptance not counted",
        f"{_LICENSING} art. 42, 82",
    ),
    Rule(
        "promised",
        "承诺时限自受理次日起按工作日计算",
        "the promise counts in working days, the day of acceptance not counted",
        "平政办发〔2018〕179号 §6.2(2)",
    ),
    Rule(
        "correction_wait",
        "等待申请人补正，不计时",
        "the applicant corrects the papers; nothing is counted",
        _NOTICE,
    ),
    Rule(
        "correction_restart",
        "补正齐全之日起重新计算承诺时限",
        "corrections are complete: the clock starts again from that day",
        _NOTICE,
    ),
    Rule(
        "correction_resume",
        "补正齐全，继续计时",
        "corrections are complete: the clock goes on",
        "the item's clock policy",
    ),
    Rule(
        "special",
        "听证、检验、检测、检疫、鉴定、专家评审等所需时间不计入",
        "hearing, inspection, test, appraisal or expert review: not counted",
        f"{_LICENSING} art. 45",
    ),
    Rule("special_resume", "特别程序结束，继续计时", "the clock goes on", f"{_LICENSING} art. 45"),
    Rule(
        "extended",
        "经本机关负责人批准延长",
        "extended with the approval of the head of the organ",
        f"{_LICENSING} art. 42",
    ),
    Rule(
        "step",
        "环节时限自接办次日起计算",
        "the step counts from its start",
        "flow file of the item",
    ),
    Rule(
        "delivery",
        "作出决定之日起十个工作日内送达",
        "the decision is delivered within 10 working days",
        f"{_LICENSING} art. 44",
    ),
)

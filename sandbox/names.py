"""Names: synthetic names of people, companies, banks, roads and housing estates.

The lists are short on purpose and combined at random; a few names carry what breaks naive systems:
double surnames, the middle dot of minority names, and a character outside the basic plane.
"""

from __future__ import annotations

from random import Random

SURNAMES = tuple(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
DOUBLE_SURNAMES = ("欧阳", "司马", "上官", "诸葛", "东方", "尉迟")
MALE_CHARS = "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林阳建国志文博海峰永成"
FEMALE_CHARS = "芳娜敏静丽艳娟霞秀燕玲桂英萍红梅慧莹雪琳晶洁倩婷佳怡欣悦颖琴云兰凤春菊美惠珍"
MINORITY_NAMES = ("阿依夏·买买提", "古丽·艾力", "索菲亚·马哈麻", "尔撒·优素福")
RARE_CHARACTER = "𠅤"  # outside the basic plane: four bytes in GB18030 and in UTF-8

BRANDS_FIRST = tuple("金瑞恒华泰鑫盛宏远博嘉安信德丰永康福兴达润通众和广")
BRANDS_SECOND = tuple("源泽诚昌隆业创辉腾益顺祥宇洋合美佳邦宝利")
ESTATES_FIRST = ("望山", "泾水", "柳荫", "崆岚", "锦绣", "世纪", "阳光", "翠屏", "南苑", "北塬")
ESTATES_SECOND = ("花园", "家园", "新城", "雅居", "名邸", "嘉苑", "华府", "小区")
ROADS = ("望山路", "泾水路", "柳荫街", "崆岚大道", "新塬路", "示范一路", "示范二路", "文汇街")
BANKS = (
    "甘肃示范银行平凉分行",
    "平凉示范农村商业银行",
    "示范工商银行平凉分行",
    "示范建设银行平凉分行",
    "平凉市示范住房公积金管理中心",
)


def person_name(random: Random, *, is_male: bool) -> str:
    """Make a person's name; one in some hundred is unusual."""
    dice = random.random()
    if dice < 0.003:
        return random.choice(MINORITY_NAMES)
    surname = random.choice(DOUBLE_SURNAMES) if dice < 0.012 else random.choice(SURNAMES)
    characters = MALE_CHARS if is_male else FEMALE_CHARS
    given = random.choice(characters)
    if random.random() < 0.75:
        given += RARE_CHARACTER if dice > 0.998 else random.choice(characters)
    return surname + given


def brand(random: Random) -> str:
    """Make a two-character trade name."""
    return random.choice(BRANDS_FIRST) + random.choice(BRANDS_SECOND)


def estate(random: Random) -> str:
    """Make the name of a housing estate."""
    return random.choice(ESTATES_FIRST) + random.choice(ESTATES_SECOND)

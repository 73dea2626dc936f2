"""Date operations: only the listed formats, real days only, Beijing time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.one_operation import run
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.normalize.dates import date as to_date
from tongban.normalize.dates import datetime as to_datetime
from tongban.normalize.layouts import reader

SECOND = "yyyy-MM-dd HH:mm:ss"


def readers(*formats: str):
    """Readers of formats that exist."""
    found = tuple(reader(name) for name in formats)
    assert None not in found
    return found


@pytest.mark.parametrize(
    ("format_", "cell", "expected"),
    [
        ("yyyyMMdd", "20240229", date(2024, 2, 29)),
        ("yyyyMMdd", "20230229", None),
        ("yyyyMMdd", "19000229", None),
        ("yyyyMMdd", "20000229", date(2000, 2, 29)),
        ("yyyyMMdd", "2024229", None),
        ("yyyyMMdd", "20241301", None),
        ("yyyyMMdd", "00000101", None),
        ("yyyyMMdd", "２０２４０２２９", None),
        ("yyyyMMdd", "2024-02-29", None),
        ("yyyyMMdd", "20240229 ", date(2024, 2, 29)),
        ("yyyyMMdd", "2024022a", None),
        ("yyyy-MM-dd", "2024-02-29", date(2024, 2, 29)),
        ("yyyy-MM-dd", "2024/02/29", None),
        ("yyyy-MM-dd", "2024-2-29", None),
        ("yyyy/MM/dd", "2024/02/29", date(2024, 2, 29)),
        (SECOND, "2024-02-29 23:59:59", date(2024, 2, 29)),
        (SECOND, "2024-02-29 24:00:00", None),
        (SECOND, "2024-02-29", None),
        ("yyyy年M月d日", "2024年2月9日", date(2024, 2, 9)),
        ("yyyy年M月d日", "2024年02月09日", date(2024, 2, 9)),
        ("yyyy年M月d日", "2024年2月30日", None),
        ("yyyy年M月d日", "2024年2月", None),
        ("epoch_ms", "1538352000000", date(2018, 10, 1)),  # 00:00 in Beijing, the day before in UTC
        ("epoch_ms", "-1", date(1970, 1, 1)),
        ("epoch_ms", "1.5e12", None),
        ("epoch_ms", "9999999999999999", None),
        ("excel_serial", "43374", date(2018, 10, 1)),
        ("excel_serial", "4337", None),
        ("excel_serial", "433740", None),
        ("iso", "2018-10-01", date(2018, 10, 1)),
        ("iso", "2018-10-01+08:00", date(2018, 10, 1)),
        ("iso", "2018-10-01T00:30:00+08:00", date(2018, 10, 1)),
        ("iso", "2018-09-30T16:00:00Z", date(2018, 10, 1)),
        ("iso", "2018-10-01T24:00:00", None),
        ("iso", "20181001", None),
    ],
)
def test_a_day_is_read_by_its_format_or_fails(format_, cell, expected):
    """No leniency: other separators, missing zeros and unreal days fail."""
    assert [expected] == run("date", [cell], {"formats": [format_]})


@pytest.mark.parametrize(
    ("format_", "cell", "expected"),
    [
        ("yyyyMMddHHmmss", "20240305100000", "2024-03-05T10:00:00+08:00"),
        ("yyyyMMddHHmmss", "20240305106000", None),
        ("yyyyMMddHHmmss", "20240305", None),
        (SECOND, "2024-03-05 10:00:00", "2024-03-05T10:00:00+08:00"),
        (SECOND, "2024-03-05T10:00:00", None),
        (
            f"{SECOND}.fffffffff",
            "2024-03-05 10:00:00.123456789",
            "2024-03-05T10:00:00.123456+08:00",
        ),
        (f"{SECOND}.fffffffff", "2024-03-05 10:00:00.000000000", "2024-03-05T10:00:00+08:00"),
        (f"{SECOND}.fffffffff", "2024-03-05 10:00:00.12345678x", None),
        (f"{SECOND}.fff", "2024-03-05 10:00:00.120", "2024-03-05T10:00:00.120000+08:00"),
        ("epoch_ms", "1538352000123", "2018-10-01T08:00:00.123000+08:00"),
        ("yyyyMMdd", "20240305", "2024-03-05T00:00:00+08:00"),
        ("iso", "2024-03-05T10:00:00", "2024-03-05T10:00:00+08:00"),
        ("iso", "2024-03-05T10:00:00.5", "2024-03-05T10:00:00.500000+08:00"),
        ("iso", "2024-03-05T10:00:00.123456789+08:00", "2024-03-05T10:00:00.123456+08:00"),
        ("iso", "2024-03-05T02:00:00Z", "2024-03-05T10:00:00+08:00"),
        ("iso", "2024-03-05T02:00:00+0000", "2024-03-05T10:00:00+08:00"),
        ("iso", "2024-03-04T22:00:00-04:00", "2024-03-05T10:00:00+08:00"),
        ("iso", "2024-03-05", "2024-03-05T00:00:00+08:00"),
        ("iso", "2024-03-05T10:00:00+99:00", None),
        ("iso", "2024-03-05T10:00:00 ", "2024-03-05T10:00:00+08:00"),
        ("iso", "2024-03-05T10:00:00x", None),
        ("iso", "2024-03-05T10:00", None),
    ],
)
def test_a_moment_is_beijing_time_unless_it_says_otherwise(format_, cell, expected):
    """Offsets are honoured, fractions kept to the microsecond."""
    found = run("datetime", [cell], {"formats": [format_]})[0]

    assert expected == (None if found is None else found.isoformat())


@pytest.mark.parametrize(
    ("kind", "format_", "cell", "expected"),
    [
        ("datetime", SECOND, "0001-01-01 00:00:00", None),  # the minimum of .NET, year 0 in UTC
        ("datetime", SECOND, "0001-01-02 00:00:00", "0001-01-02T00:00:00+08:05"),
        ("datetime", SECOND, "9999-12-31 23:59:59", "9999-12-31T23:59:59+08:00"),
        ("datetime", "iso", "9999-12-31T23:59:59Z", None),  # year 10000 in Beijing
        ("date", "yyyy-MM-dd", "0001-01-01", "0001-01-01"),
        ("date", "yyyy-MM-dd", "9999-12-31", "9999-12-31"),
        ("date", "iso", "9999-12-31T23:59:59Z", None),
    ],
)
def test_what_no_database_or_no_program_can_hold_is_a_failed_conversion(
    kind: str, format_: str, cell: str, expected: str | None
):
    """One such row is quarantined; in the table it would stop its whole chunk, every night."""
    found = run(kind, [cell], {"formats": [format_]})[0]

    assert expected == (None if found is None else found.isoformat()[:25])


def test_formats_are_tried_in_their_order_row_by_row():
    """Rows of one column may come in different formats."""
    cells = ["20240305", "2024-03-06", "2024年3月7日", "x", None, "2024-03-08 10:00:00"]
    formats = ["yyyyMMdd", "yyyy-MM-dd", "yyyy年M月d日", SECOND]

    found = run("date", cells, {"formats": formats})

    assert [5, 6, 7, None, None, 8] == [None if day is None else day.day for day in found]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1986-05-04 02:30:00", "1986-05-03T18:30:00+00:00"),  # the clocks jumped over it
        ("1986-09-14 01:30:00", "1986-09-13T16:30:00+00:00"),  # shown twice: the earlier one
        ("1988-07-01 00:00:00", "1988-06-30T15:00:00+00:00"),  # daylight saving
        ("1991-12-31 23:59:59", "1991-12-31T15:59:59+00:00"),
        ("1992-07-01 00:00:00", "1992-06-30T16:00:00+00:00"),
        ("1880-01-01 00:00:00", "1879-12-31T15:54:17+00:00"),  # local mean time
    ],
)
def test_the_old_clocks_of_shanghai_are_honoured(cell, expected):
    """Daylight saving 1986-1991 and local mean time before 1901."""
    found = run("datetime", [cell], {"formats": [SECOND]})[0]

    assert expected == found.astimezone(UTC).isoformat()


@given(st.lists(st.dates(), min_size=1, max_size=20))
def test_every_real_day_comes_back(days):
    """From 0001-01-01 to 9999-12-31, in each fixed layout."""
    for format_, pattern in (("yyyyMMdd", "{0:%Y%m%d}"), ("yyyy-MM-dd", "{0:%Y-%m-%d}")):
        cells = [pattern.format(day).zfill(len(format_)) for day in days]

        assert days == to_date(pl.Series(cells), readers(format_)).to_list()


@given(st.integers(min_value=0, max_value=99_999_999).map("{:08d}".format))
def test_eight_digits_are_a_day_exactly_when_python_says_so(digits):
    """The tables of the byte reader against the standard library."""
    try:
        expected = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        expected = None

    assert [expected] == to_date(pl.Series([digits]), readers("yyyyMMdd")).to_list()


@given(
    st.datetimes(
        min_value=datetime(1000, 1, 1),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.just(UTC),
    )
)
def test_an_iso_moment_with_its_offset_is_that_moment(moment):
    """Whatever the year: with an offset nothing depends on the old clocks."""
    found = to_datetime(pl.Series([moment.isoformat()]), readers("iso"))[0]

    assert timedelta(0) == found - moment


@given(
    st.datetimes(
        min_value=datetime(1992, 1, 1),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    ).map(lambda moment: moment.replace(microsecond=0, tzinfo=BEIJING))
)
def test_a_wall_clock_second_is_the_moment_that_zoneinfo_says(moment):
    """Our subtraction of eight hours against the time zone database."""
    found = to_datetime(pl.Series([f"{moment:%Y-%m-%d %H:%M:%S}"]), readers(SECOND))[0]

    assert moment == found


@pytest.mark.parametrize(
    ("cell", "formats", "expected"),
    [
        ("202403", None, "2024-03"),
        ("2024-03", None, "2024-03"),
        ("202313", None, None),
        ("2024-3", None, None),
        ("2024-03", ["yyyyMM"], None),
        ("２０２４０３", None, None),
        (None, None, None),
    ],
)
def test_a_month_is_written_one_way(cell, formats, expected):
    """yyyy-MM, whichever of the listed formats it came in."""
    assert [expected] == run("month", [cell], formats)


@pytest.mark.parametrize("format_", ["yyy-MM-dd", "yyyy-MM", "dd", "yyyyMMddTHHmmssZ", "", "isoo"])
def test_an_unknown_format_is_refused_at_compile_time(format_):
    """With the known ones or the nearest."""
    with pytest.raises(ConfigInvalid, match="does not know the format"):
        run("date", ["x"], {"formats": [format_]})


@given(st.lists(st.text(max_size=25), min_size=1, max_size=5))
def test_no_text_makes_a_date_operation_raise(cells):
    """Total: a day or null, for all formats together."""
    column = pl.Series(cells, dtype=pl.String)
    every = readers("iso", "epoch_ms", "yyyy年M月d日", "excel_serial", "yyyyMMdd", SECOND)

    assert len(cells) == len(to_date(column, every))
    assert len(cells) == len(to_datetime(column, every))

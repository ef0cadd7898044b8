"""Days as people know them: a whole day, or only its month or year.

A partial date is an interval. What is known is known from its *last* day on, so that nothing is known too early; what
begins, begins on its first.
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import Any


def first_day(value: Any) -> date:
    """The first day of a day, month or year.

    >>> first_day("2026-08"), first_day(2026), first_day("2026-08-12")
    (datetime.date(2026, 8, 1), datetime.date(2026, 1, 1), datetime.date(2026, 8, 12))

    Raises:
        ValueError: none of the three.
    """
    return _interval(value)[0]


def last_day(value: Any) -> date:
    """The last day of a day, month or year.

    >>> last_day("2026-02"), last_day("2026")
    (datetime.date(2026, 2, 28), datetime.date(2026, 12, 31))

    Raises:
        ValueError: none of the three.
    """
    return _interval(value)[1]


def _interval(value: Any) -> tuple[date, date]:
    if isinstance(value, date):
        return value, value
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{4}", text):
            return date(int(text), 1, 1), date(int(text), 12, 31)
        if re.fullmatch(r"\d{4}-\d{1,2}", text):
            year, month = map(int, text.split("-"))
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{value}' is no date such as 2026-02-27, 2026-02 or 2026") from None
    return day, day

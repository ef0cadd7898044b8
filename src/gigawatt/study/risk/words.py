"""What the command line says of uncertainty: `PATH=LAW`, `A,B=0.5`, `METRIC>=LEVEL`, in the words of a file.

site.energy_price=lognormal(gsd=1.2)          a law with its numbers
site.energy_price={dist: uniform, low: 40 USD/MWh, high: 75 USD/MWh}
site.energy_price=40 USD/MWh..75 USD/MWh      80 % within, the value in the middle of the draws
fleet.list_price=x1.2                         80 % within a factor of 1.2 either way
"""

from __future__ import annotations

import re
from typing import Any

from gigawatt.core import document
from gigawatt.core.errors import Problems, Where
from gigawatt.study.sampling import DOORS

_CALL = re.compile(r"^(\w+)\s*\((.*)\)$")
_TIMES = re.compile(r"^x\s*([0-9.]+)$")
_BETWEEN = re.compile(r"^(.+?)\s*\.\.\s*(.+)$")
_BOUND = re.compile(r"^([A-Za-z_][\w.:\-]*)\s*(>=|<=)\s*(.+)$")


def laws(said: list[str], problems: Problems) -> dict[str, dict[str, Any]]:
    """`PATH=LAW` as the file would say it; what can not be read is added to `problems`."""
    out: dict[str, dict[str, Any]] = {}
    for text in said:
        path, equals, law = (part.strip() for part in text.partition("="))
        made = law_words(law) if equals and path and law else None
        if made is None:
            problems.add("bad_vary", f"'{text}' is not PATH=LAW", Where(f"--vary {text}"),
                         "for example: --vary 'site.energy_price=lognormal(gsd=1.2)'  or  'site.energy_price=40..75 USD/MWh'",
                         "laws: " + ", ".join(DOORS))  # fmt: skip
        else:
            out[path] = made
    return out


def law_words(text: str) -> dict[str, Any] | None:
    """One law as the file would say it; None where it is none.

    >>> law_words("lognormal(gsd=1.2)"), law_words("x1.25")
    ({'dist': 'lognormal', 'gsd': 1.2}, {'dist': 'range', 'low': 0.8, 'high': 1.25})
    >>> law_words("40..75 USD/MWh")
    {'dist': 'range', 'low': '40 USD/MWh', 'high': '75 USD/MWh'}
    """
    if text.startswith("{"):
        data = document.parse(text, "--vary").data
        return data if isinstance(data, dict) and "dist" in data else None
    called = _CALL.match(text)
    if called:
        inside = called[2].replace("=", ": ")
        data = document.parse("{" + inside + "}", "--vary").data if inside.strip() else {}
        return {"dist": called[1], **data} if isinstance(data, dict) else None
    times = _TIMES.match(text)
    if times and float(times[1]) > 1:
        return {"dist": "range", "low": 1 / float(times[1]), "high": float(times[1])}
    between = _BETWEEN.match(text)
    if between:
        low, high = _number(between[1]), _number(between[2])
        if isinstance(high, str) and not isinstance(low, str):  # the unit of both stands at the end
            low = f"{low:g} {high.partition(' ')[2] or high.lstrip('0123456789.eE+-')}"
        return {"dist": "range", "low": low, "high": high}
    return None


def correlations(said: list[str], problems: Problems) -> list[dict[str, Any]]:
    """`A,B=0.5` as the file would say it."""
    out = []
    for text in said:
        names, equals, value = text.rpartition("=")
        between = [name.strip() for name in names.split(",") if name.strip()]
        number = _number(value)
        if not equals or len(between) < 2 or isinstance(number, str):
            problems.add("bad_correlate", f"'{text}' is not A,B=CORRELATION", Where(f"--correlate {text}"),
                         "for example: --correlate site.energy_price,workloads.chat.price=0.3")  # fmt: skip
        else:
            out.append({"between": between, "is": number})
    return out


def covenants(said: list[str], problems: Problems) -> list[dict[str, Any]]:
    """`METRIC>=LEVEL` as the file would say it."""
    out = []
    for text in said:
        made = _BOUND.match(text.strip())
        if made is None:
            problems.add("bad_covenant", f"'{text}' is not METRIC>=LEVEL or METRIC<=LEVEL", Where(f"--covenant {text}"),
                         "for example: --covenant 'dscr_min>=1.2'")  # fmt: skip
        else:
            out.append({"metric": made[1], "at_least" if made[2] == ">=" else "at_most": _number(made[3])})
    return out


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()

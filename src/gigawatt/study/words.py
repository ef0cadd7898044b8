"""Words of a command line or of a file as numbers: whole numbers, shares, names, caps; what is wrong goes to `Problems`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from gigawatt.core import units
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.study.hosts import Cap


def names_in(text: str) -> tuple[str, ...]:
    """What commas separate, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def read_count(option: str, text: str, told: Problems, missing: int, most: int = 10_000_000) -> int:
    """A whole number of at least 1; `missing` where none is given or it is wrong."""
    if not text.strip():
        return missing
    digits = text.strip().replace("_", "").replace(" ", "")
    try:
        value = float(digits[:-1]) * 1024 if digits[-1:] in ("k", "K") else float(digits)
    except ValueError:
        told.add(
            "out_of_range", f"{option}: '{text}' is no whole number of at least 1", None, f"for example: {option} 1024"
        )
        return missing
    if not math.isfinite(value) or value < 1 or value != int(value):
        told.add("out_of_range", f"{option} must be a whole number of at least 1, not {text}")
        return missing
    if value > most:
        told.add("out_of_range", f"{option} must be at most {most:,}, not {int(value):,}")
        return missing
    return int(value)


def read_number(
    option: str, text: str, told: Problems, low: float, high: float, hint: str = "a number, or a share such as 80 %"
) -> float | None:
    """A number or a share between two ends; None with the problem told."""
    try:
        value = units.parse(text, "share")
    except units.UnitError:
        told.add("bad_unit", f"{option}: '{text}' is no number", None, hint)
        return None
    if not low <= value <= high:
        told.add("out_of_range", f"{option} must lie between {low:g} and {high:g}, not at {value:g}")
        return None
    return value


def read_known(
    what: str, text: str, options: Sequence[str], told: Problems, everything: str = "auto"
) -> tuple[str, ...]:
    """Names among the options; none (all are open) where `everything` is said."""
    found = [name.lower() for name in names_in(text)]
    if everything in found:
        return ()
    told.extend(unknown_name(what, name, (*options, everything)) for name in found if name not in options)
    return tuple(name for name in found if name in options)


def read_share(option: str, text: str, told: Problems) -> float:
    """A share from 0 to below 1; 0 where none is given."""
    return read_number(option, text, told, 0.0, 0.999, "a share such as 0.5 or 50 %") or 0.0 if text.strip() else 0.0


def read_cap(text: str, told: Problems) -> Cap | None:
    """`efficient`, `80 %` or `700 W`."""
    if re.fullmatch(r"[a-z][a-z\-]*", text):
        return Cap(mode=text)
    readers: tuple[tuple[str, Callable[[float], Cap]], ...] = (
        ("share", lambda value: Cap(share=value)),
        ("power", lambda value: Cap(watts=value)),
    )
    for dimension, made in readers:
        try:
            value = units.parse(text, dimension)
        except units.UnitError:
            continue
        if not value > 0:
            told.add("out_of_range", f"--power-cap {text}: a cap lies above 0")
            return None
        return made(value)
    told.add("bad_unit", f"--power-cap: '{text}' is no cap", None, "a mode of the platform, '80 %' or '700 W'")
    return None

"""Words of a command line as the question in numbers: every problem at once, nearest names told.

A range `1KiB..16GiB` is its powers of two.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from gigawatt.core import units
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.fabric.collective import algorithms_of
from gigawatt.physics.fabric.moe import STYLES
from gigawatt.study.net.question import (
    ALL,
    AXES,
    COLLECTIVES,
    DEFAULT_SIZES,
    GROUPS,
    MOE,
    Experts,
    Overrides,
    Question,
    lines_of,
)

SWEEP = "1 KiB..16 GiB"
# Other spellings of a collective, without separators.
_SPELLINGS = {name.replace("_", ""): name for name in COLLECTIVES} | {
    "a2a": "all_to_all",
    "alltoallv": "all_to_all",
    "p2p": "send_recv",
    "dispatch": "moe_dispatch",
    "combine": "moe_combine",
}
_BARE = re.compile(r"[-+]?[\d_.,]+(?:e[-+]?\d+)?", re.IGNORECASE)
_LETTER = re.compile(r"([\d.,_]+)\s*([KMGT])i?", re.IGNORECASE)


def read_question(
    collective: str = "all_reduce",
    *,
    on: str = "gb300-nvl72",
    fabric: str = "",
    chips: str = "",
    size: str = "",
    algorithm: str = "",
    per_domain: int | None = None,
    layout: str = "",
    group: str = "",
    tokens: str = "",
    hidden: int = 7168,
    topk: int = 8,
    width: float = 0.0,
    style: str = "normal",
    domain: int | None = None,
    nic: str = "",
    ports_per_pair: int | None = None,
    oversubscription: float | None = None,
    tiers: int | None = None,
    planes: int | None = None,
    sharp: bool | None = None,
    sweep: bool = False,
    told: Problems | None = None,
) -> Question:
    """A question from the words of a command line; lists are separated by commas.

    Args:
        sweep: many sizes where none is given.
        told: gets what is wrong, so that it may be told with other things; the question then holds what could be read.

    Raises:
        InputError: all that is wrong, unless `told` is given.
    """
    alone = told is None
    told = Problems() if told is None else told
    kinds = _collectives(collective, told)
    parallel = _layout(layout, group, per_domain, told)
    default_tokens = "4096" if style == "normal" else "128"
    experts = Experts(
        tokens=tuple(int(n) for n in read_series("--tokens", tokens or default_tokens, read_count, told)),
        hidden=hidden,
        topk=topk,
        width=width,
        style=style,
    )
    changes = Overrides(domain, read_rate("--nic", nic, told), ports_per_pair, oversubscription, tiers, planes, sharp)
    _check(experts, changes, per_domain, told)
    sizes = list(DEFAULT_SIZES)
    if size or sweep:
        sizes = read_series("--size", size or SWEEP, _size, told)
    if size and kinds and all(kind in MOE for kind in kinds):
        hint = "--tokens, --hidden, --topk and --bytes-per-value make the size"
        told.add("contradiction", "--size does not apply to dispatch and combine of experts", None, hint)
    counts = tuple(int(n) for n in read_series("--chips", chips, read_count, told)) if chips else ()
    question = Question(
        collectives=kinds,
        on=names_in(on),
        fabrics=names_in(fabric),
        chips=counts,
        nbytes=tuple(sizes),
        algorithms=names_in(algorithm) or ("auto",),
        per_domain=per_domain,
        layout=parallel,
        group=GROUPS.get(group, group),
        experts=experts,
        overrides=changes,
    )
    if question.world and any(n != question.world for n in counts):
        shown, needed = ", ".join(f"{n:,}" for n in counts), question.world
        said = f"a layout of {needed:,} chips on a cluster of {shown}"
        told.add("contradiction", f"{said}: they must be the same", None, f"leave --chips out, or --chips {needed}")
    _algorithms(question, told)
    if alone:
        told.raise_if_any()
    return question


def names_in(text: str) -> tuple[str, ...]:
    """What commas separate, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _collectives(text: str, told: Problems) -> tuple[str, ...]:
    found: list[str] = []
    for name in names_in(text):
        if name == "all":
            found += ALL
            continue
        plain = re.sub(r"[-_ ]", "", name.lower())
        if plain in _SPELLINGS:
            found.append(_SPELLINGS[plain])
        else:
            told.extend([unknown_name("collective", name, (*COLLECTIVES, "all"))])
    if not found and not told.found:
        told.add("empty", "no collective is named", None, f"one of {', '.join(COLLECTIVES)}, or all")
    return tuple(dict.fromkeys(found))


def _algorithms(question: Question, told: Problems) -> None:
    """Each algorithm is one of some collective's own; the others have no rows of it."""
    plain = [kind for kind in question.collectives if kind not in MOE]
    for algorithm in question.algorithms:
        if algorithm == "auto" or any(lines_of(kind, algorithm) for kind in plain):
            continue
        known = list(dict.fromkeys(name for kind in plain for name in algorithms_of(kind)))
        if known:
            told.extend([unknown_name(f"algorithm of {', '.join(plain)}", algorithm, (*known, "auto"))])
        elif question.collectives:
            told.add("contradiction", f"--algorithm {algorithm}: experts' exchanges have a --style and no algorithm")


def _layout(text: str, group: str, per_domain: int | None, told: Problems) -> dict[str, int]:
    """Ways of each axis, and whether the group that talks is named with it."""
    ways: dict[str, int] = {}
    for part in names_in(text):
        axis, _, number = part.partition("=")
        axis = axis.strip().lower()
        if axis not in AXES:
            told.extend([unknown_name("axis of a layout", axis, AXES)])
        elif not number.strip().isdigit() or int(number) < 1:
            told.add("out_of_range", f"--layout {part}: ways are a whole number of at least 1", None, f"{axis}=8")
        elif axis in ways:
            told.add("duplicate", f"--layout names {axis} twice")
        else:
            ways[axis] = int(number)
    stage = math.prod(ways.get(axis, 1) for axis in ("tp", "cp", "dp"))
    if stage % ways.get("ep", 1):
        said = f"--layout: ep={ways['ep']} does not divide the {stage} chips of a stage (tp x cp x dp)"
        told.add("contradiction", said, None, "choose ep among its divisors")
    if group and group not in (*GROUPS, *GROUPS.values()):
        told.extend([unknown_name("group", group, (*GROUPS, *GROUPS.values()))])
    if text and not group:
        told.add("missing", "--layout needs --group: which of its groups talks?", None, ", ".join(GROUPS))
    if group and not text:
        hint = "--layout tp=8,pp=4,dp=16 --group dp"
        told.add("missing", "--group needs --layout, from which the group's place follows", None, hint)
    if text and per_domain is not None:
        told.add("contradiction", "--per-domain and --layout both say where the group stands", None, "leave one out")
    return ways


def _check(experts: Experts, changes: Overrides, per_domain: int | None, told: Problems) -> None:
    """Numbers out of range, and numbers that contradict each other."""
    if experts.style not in STYLES:
        told.extend([unknown_name("style of MoE exchange", experts.style, STYLES)])
    least = {
        "--hidden": experts.hidden,
        "--topk": experts.topk,
        "--domain": changes.domain,
        "--per-domain": per_domain,
        "--ports-per-pair": changes.ports_per_pair,
        "--planes": changes.planes,
    }
    for option, value in least.items():
        if value is not None and value < 1:
            told.add("out_of_range", f"{option} must be at least 1, not {value}")
    if experts.width < 0:
        told.add("out_of_range", f"--bytes-per-value must be above 0, not {experts.width:g}")
    if changes.tiers is not None and not 1 <= changes.tiers <= 3:
        told.add("out_of_range", f"--tiers must be 1, 2 or 3, not {changes.tiers}")
    over = changes.oversubscription
    if over is not None and not over >= 1:
        hint = f"down to up: 1:{1 / over:g} is {1 / over:g}" if over > 0 else "1 is non-blocking, 7 is 1:7"
        told.add("out_of_range", f"--oversubscription must be at least 1, not {over:g}", None, hint)
    if per_domain is not None and changes.domain is not None and per_domain > changes.domain:
        said = f"--per-domain {per_domain} ranks in a --domain of {changes.domain} chips"
        told.add("contradiction", said, None, f"at most {changes.domain}")


def read_rate(option: str, text: str, told: Problems) -> float | None:
    """A rate above 0; None where it is none."""
    if not text:
        return None
    try:
        rate = units.parse(text, "data_rate")
    except units.UnitError as error:
        told.add("bad_unit", f"{option}: {error}")
        return None
    if not rate > 0:
        hint = "a rate of each chip, one way: 400 Gb/s"
        told.add("zero_bandwidth", f"{option} must be above 0, not {text}", None, hint)
        return None
    return rate


def read_series(option: str, text: str, read: Callable[[str], float], told: Problems) -> list[float]:
    """Values and ranges of powers of two, smallest first."""
    found: list[float] = []
    for part in names_in(text):
        first, dots, last = part.partition("..")
        try:
            low, high = read(first.strip()), read(last.strip() if dots else first.strip())
        except units.UnitError as error:
            told.add("bad_unit", f"{option}: {error}")
            continue
        if high < low:
            told.add("out_of_range", f"{option} {part}: a range goes from small to large", None, f"{last}..{first}")
            continue
        found += [low * 2.0**step for step in range(math.floor(math.log2(high / low) + 1e-9) + 1)]
    if not found and not told.found:
        told.add("empty", f"{option}: nothing is named")
    return sorted(dict.fromkeys(found))


def _size(text: str) -> float:
    """Bytes of a message: a quantity, or a bare whole number."""
    if _BARE.fullmatch(text):
        value = float(text.replace(",", "").replace("_", ""))
        if value < 1 or value != int(value):
            raise units.UnitError(f"'{text}' bytes are no message; with a unit it is '{text} GiB' or '{text} MiB'")
        return value
    if letter := _LETTER.fullmatch(text):
        number, prefix = letter[1], letter[2].upper()
        raise units.UnitError(
            f"'{text}' names no unit: write '{number} {prefix}iB' (powers of 2) or '{number} {prefix}B'"
        )
    value = units.parse(text, "bytes")
    if value < 1:
        raise units.UnitError(f"'{text}' is less than a byte")
    return value


def read_count(text: str) -> float:
    """A whole number of at least 1."""
    digits = text.replace("_", "")
    if not digits.isdigit() or int(digits) < 1:
        raise units.UnitError(f"'{text}' is no whole number of at least 1")
    return float(digits)

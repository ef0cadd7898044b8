"""Words of a command line or of a file as a trace to be replayed: how it is read, routed, and what happens to the fleet.

first=1000, window=0..3600, factor=2, sort=yes, arrival=ts      what of the trace, and its columns
routing=prefix                                                  as in `events.fleet`
scale=8, scale_lag=60 s, scale_least=1                          instances on for so many requests inside each
mtbf=30 days, repair=1 h                                        instances that fail
slow=600..1200:0.7                                              a power cap or curtailment: so fast, from when to when
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gigawatt.core import units
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.serving.events import Fleet, Scaling, random_outages
from gigawatt.physics.serving.events.fleet import ROUTINGS
from gigawatt.study.serve.traces import ROLES, TraceOptions

FLAGS = {"yes": True, "no": False, "true": True, "false": False}
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Events:
    """What happens to a fleet: instances scaled to `scale` requests inside each (0: all are on), failures, slow hours."""

    scale: float = 0.0
    scale_lag_s: float = 60.0
    scale_least: int = 1
    mtbf_s: float = 0.0
    repair_s: float = 3600.0
    slow: tuple[tuple[float, float, float], ...] = ()
    balance: float | None = None

    def of(self, fleet: Fleet, until_s: float, seed: int = 0) -> Fleet:
        """A fleet with these events; failures are the same for the same seed."""
        more: dict[str, Any] = {}
        if self.scale:
            more["scaling"] = Scaling(self.scale, least=self.scale_least, lag_s=self.scale_lag_s)
        if self.mtbf_s:
            more["outages"] = random_outages(fleet.instances, self.mtbf_s, self.repair_s, until_s, seed)
        if self.slow:
            more["speed"] = tuple(sorted(pair for at, end, to in self.slow for pair in ((at, to), (end, 1.0))))
        if self.balance is not None:
            more["balance_requests"] = self.balance
        return replace(fleet, **more) if more else fleet

    @property
    def words(self) -> str:
        """As people say it; '' where nothing happens."""
        said = [f"one on for every {self.scale:g} requests, {self.scale_lag_s:g} s late"] if self.scale else []
        said += (
            [f"each fails every {self.mtbf_s / DAY_S:.3g} days for {self.repair_s / 3600:.3g} h"] if self.mtbf_s else []
        )
        said += [f"{to:.0%} of the speed from {at:g} to {end:g} s" for at, end, to in self.slow]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Replay:
    """A trace to be served, how it is routed ('' for the instance with fewest requests), and what happens."""

    file: Path
    options: TraceOptions = field(default_factory=TraceOptions)
    routing: str = ""
    events: Events = field(default_factory=Events)


def read_replay(file: Path, form: str, words: Sequence[str], rate_per_s: float, told: Problems) -> Replay:
    """The words of a command line as a replay; what is wrong goes to `told`."""
    given: dict[str, Any] = {"format": form.strip().lower()}
    if rate_per_s:
        given["rate_per_s"] = rate_per_s
    columns: dict[str, str] = {}
    happens: dict[str, Any] = {}
    routing = ""
    for word in (part.strip() for text in words for part in text.split(",") if part.strip()):
        name, _, value = (part.strip() for part in word.partition("="))
        if name == "routing":
            routing = value
            if value not in ROUTINGS:
                told.extend([unknown_name("routing", value, ROUTINGS)])
        elif name in ROLES:
            columns[name] = value
        elif name in OPTIONS or name in EVENTS:
            try:
                if name in OPTIONS:
                    given |= OPTIONS[name](value)
                else:
                    happens |= EVENTS[name](value)
            except (ValueError, KeyError):
                told.add("bad_option", f"--trace-with {word}: '{value}' is not what {name} takes")
        else:
            told.extend([unknown_name("option of a trace", name, (*OPTIONS, *EVENTS, *ROLES, "routing"))])
    return Replay(file, TraceOptions(columns=columns, **given), routing, Events(**happens))


def _above(value: float) -> float:
    if not value > 0:
        raise ValueError("not above 0")
    return value


def _time(text: str) -> float:
    return _above(units.parse(text, "time") if any(c.isalpha() for c in text) else float(text))


def _window(text: str) -> dict[str, Any]:
    first, _, last = text.partition("..")
    return {"window_s": (float(first), float(last))}


def _slow(text: str) -> dict[str, Any]:
    span, _, to = text.partition(":")
    first, _, last = span.partition("..")
    at, end = float(first), float(last)
    if not 0 <= at < end:
        raise ValueError("a span goes from early to late")
    return {"slow": ((at, end, _above(units.parse(to, "share"))),)}


Reader = Callable[[str], dict[str, Any]]
OPTIONS: Mapping[str, Reader] = {
    "first": lambda text: {"first": int(text)},
    "factor": lambda text: {"factor": float(text)},
    "window": _window,
    "sort": lambda text: {"sort": FLAGS[text.lower()]},
    "drop_empty": lambda text: {"drop_empty": FLAGS[text.lower()]},
    "time_unit": lambda text: {"time_unit": text},
    "block_tokens": lambda text: {"block_tokens": int(text)},
    "seed": lambda text: {"seed": int(text)},
}
EVENTS: Mapping[str, Reader] = {
    "scale": lambda text: {"scale": _above(float(text))},
    "scale_lag": lambda text: {"scale_lag_s": _time(text)},
    "scale_least": lambda text: {"scale_least": int(_above(int(text)))},
    "mtbf": lambda text: {"mtbf_s": _time(text)},
    "repair": lambda text: {"repair_s": _time(text)},
    "slow": _slow,
    "balance": lambda text: {"balance": _above(float(text))},
}

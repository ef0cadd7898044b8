"""The software of an offer: how fast it runs on the day that counts, and whether anything runs the work at all.

    speed = level of the platform's stack (catalog, or the offer's own `maturity`) x m(day)

m is 1 at the release on which the level stands: the calibrations' own for their stack, the date of the level for others.
Where the calibration of training was fitted on the generation itself, its constants carry the stack and the level is 1:
Qwen3-235B on 32 MI355X comes out at 3,062 tokens/s a chip in BF16 against 3,025 published, and 0.8 of it would count the
stack twice. A scenario that says `software: start` takes m on the day its horizon starts, and holds it from then on; by
default software stays as released, since what the curve promises includes gains that the search of mappings finds already.
An offer's own `maturity` is taken as it stands. Work that a source says runs on no software of the stack is refused, unless
the offer says `port: true`: then it waits for the port.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

from gigawatt.core.table import Table
from gigawatt.physics.chip.maturity import calibrated_release, decimal_years, launched, maturity
from gigawatt.physics.chip.software import PORTING, Support, families_of, support
from gigawatt.physics.training.calibration import MEASURED
from gigawatt.physics.training.releases import release_of
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.resolve import Offered, Resolved
from gigawatt.study.timeline import add_months
from gigawatt.study.workloads import Training, Workload

CALIBRATED_STACK = "cuda"  # the stack of the software that the calibrations were fitted on


@dataclass(frozen=True, slots=True)
class Software:
    """Of one offer and workload: `speed` relative to the calibrations' release, `low` and `high` factors on it (80 %).

    `growth` is what of the speed is m. `refusal` is (reason, fix) where the work can not run by the start.
    """

    speed: float
    low: float
    high: float
    growth: float
    release: str
    support: Support
    note: str
    refusal: tuple[str, str] | None = None


def speed_at(state: Software, release: str) -> float:
    """Speed of a run that states its `release`, or not (auto): what the software is taken to gain by the start is left out
    where the run says which one it has."""
    return state.speed if release == "auto" else state.speed / state.growth


def software(offered: Offered, kind: str, arch: Architecture, resolved: Resolved, day: date | None = None) -> Software:
    """The software that an offer brings to a workload; `kind` is serving or training. `day` asks for its speed on that day,
    whatever the scenario says of the start."""
    families = families_of(arch)
    found = support(offered.accelerator.stack, families, kind, resolved.catalog)
    refusal, waited = _port(offered, found, resolved) if found.refused else (None, "")
    level = getattr(offered.platform.software, kind)
    fitted = kind == "training" and offered.accelerator.generation in MEASURED
    ours = fitted or offered.accelerator.stack == CALIBRATED_STACK
    release = calibrated_release(kind) if ours else level.as_of
    base = 1.0 if fitted else float(level.value)
    carried = f"in the constants of {offered.accelerator.generation}" if fitted and level.value != 1 else ""
    if offered.offer.maturity is not None:
        note = "; ".join(word for word in ("speed as the offer states it", waited) if word)
        return Software(offered.offer.maturity, 1.0, 1.0, 1.0, release, found, note, refusal)
    growth, low, high, note = _growth(offered, kind, "moe" if "moe" in families else "dense", release, resolved, day)
    words = [note, carried, waited, "" if found.runs or found.refused else found.note]
    return Software(
        base * growth,
        low / growth,
        high / growth,
        growth,
        release,
        found,
        "; ".join(w for w in words if w),
        refusal,
    )


def _growth(
    offered: Offered, kind: str, family: str, release: str, resolved: Resolved, day: date | None
) -> tuple[float, float, float, str]:
    """(m, low, high, note) on the day that the scenario asks for."""
    if day is None and resolved.scenario.software == "release":
        return 1.0, 1.0, 1.0, ""
    name = launched(offered.accelerator.id, offered.accelerator.generation)
    if not name:
        return 1.0, 1.0, 1.0, f"as released: no launch of {offered.accelerator.id} is known"
    when = resolved.scenario.horizon.start if day is None else day
    found = maturity(offered.accelerator.stack, name, kind, when, release, family)
    return float(found.value), float(found.low), float(found.high), found.note


def _port(offered: Offered, found: Support, resolved: Resolved) -> tuple[tuple[str, str] | None, str]:
    """(refusal, note) of work that nothing runs on the stack."""
    assert found.delay_months is not None and found.engineer_months is not None
    months, work = found.delay_months, found.engineer_months
    low, high = months.range
    takes = f"about {months.value:g} months ({low:g} to {high:g}) and {work.value:g} engineer-months"
    if not offered.offer.port:
        others = [
            other.offer.id
            for other in resolved.offers
            if support(other.accelerator.stack, found.families, found.task, resolved.catalog).runs
        ]
        elsewhere = f", or {' or '.join(others)}, where it runs" if others else ""
        return (found.note, f"'port: true' on the offer, a port of {takes}{elsewhere}"), ""
    begins = _first_of(resolved.catalog.get("porting", PORTING).as_of)
    ready = add_months(begins, math.ceil(months.value))
    note = f"a port of {takes}, begun on {begins}, is ready on {ready}"
    if ready > resolved.scenario.horizon.start:
        return (f"{found.note}; {note}", f"a start on {ready}"), ""
    return None, note


def _first_of(as_of: str) -> date:
    """The first day of a month of the catalog."""
    year = float(decimal_years(as_of))
    return date(int(year), int((year - int(year)) * 12) + 1, 1)


def _note_of(spec: Workload, state: Software) -> str:
    """What is said beside the speed; of a pre-training run also which release's recipes it runs."""
    said = state.note or state.support.note
    if not isinstance(spec, Training):
        return said
    recipes = f"recipes of {release_of('' if spec.release == 'auto' else spec.release).words}"
    return "; ".join(word for word in (said, recipes) if word)


def software_table(resolved: Resolved, states: dict[tuple[int, int], Software]) -> Table:
    """One row an offer and workload: what runs it, and how fast its software is taken to be."""
    rows: list[dict[str, Any]] = [
        {
            "platform": resolved.offers[i].offer.id,
            "workload": resolved.works[j].id,
            "support": state.support.level,
            "frameworks": ", ".join(state.support.frameworks),
            "speed": state.speed,
            "low": state.speed * state.low,
            "high": state.speed * state.high,
            "growth": state.growth,
            "release": state.release,
            "note": _note_of(resolved.works[j].spec, state),
        }
        for (i, j), state in states.items()
    ]
    columns = ["platform", "workload", "support", "frameworks", "speed", "low", "high", "growth", "release", "note"]
    note = (
        "Speed 1 is the software that the calibrations were fitted on; growth is what it is taken to have gained by the "
        "start (software: start), 1 as released. Low and high are of the growth alone."
    )
    return Table.from_rows("software", rows, columns, {}, "Software", note)

"""What a fit on other generations says of a chip it never saw: pooled constants, left-out errors, bands, one anchor.

A generation is left out whole, near-twins and all. The constants are pooled: one set for all chips of the fit, each
with the peak, bandwidth and multiprocessors of its own data sheet. The band of a left-out generation comes from leaving out,
one after another, those of the remaining ones: it has not seen the generation it is judged on.

An anchor is one kernel measured on the new chip. All predictions move by weight x ln(measured/predicted) of it. Which
kernel, and which weight, is what did best on the left-out generations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .harness import Floats, Form, fit, sample
from .tables import Rows

GENERATIONS = {
    "ampere": ("a100_sxm",),
    "hopper": ("h100_sxm", "h200_sxm"),
    "blackwell": ("b200_sxm", "gb200", "b300_sxm", "gb300"),
    "ada": ("l40s",),
    "blackwell-rtx": ("rtx_pro_6000_server",),
}
HBM = ("ampere", "hopper", "blackwell")
WEIGHTS = (0.5, 0.75, 1.0)
BAND = (0.1, 0.9)
MakeForm = Callable[[str], Form]
Shape = Mapping[str, float]


@dataclass(frozen=True)
class LeftOut:
    """Errors on one generation that was left out, then the same with one anchor; half-widths are of logarithms."""

    generation: str
    median: float
    p90: float
    bias: float
    coverage: float
    half_width: float
    anchored_median: float
    anchored_coverage: float
    anchored_half_width: float


@dataclass(frozen=True)
class Transfer:
    """Constants for a chip that nobody measured: pooled over all, their band, the anchor to measure, and left-out errors."""

    values: dict[str, float]
    low: float
    high: float
    anchor: dict[str, float]
    weight: float
    anchored_low: float
    anchored_high: float
    left_out: tuple[LeftOut, ...]


def pooled_form(make: MakeForm, systems: Sequence[str]) -> Form:
    """One set of constants over several chips; rows carry the index of their chip in column `chip`."""
    forms = [make(system) for system in systems]

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        out = np.empty(x["chip"].size)
        for i, form in enumerate(forms):
            mine = x["chip"] == i
            if mine.any():
                out[mine] = form.predict({k: v[mine] for k, v in x.items() if k != "chip"}, values)
        return out

    first = forms[0]
    return Form(first.name, predict, first.free, first.fixed, first.starts)


def pooled(make: MakeForm, rows: Mapping[str, Rows], systems: Sequence[str], size: int = 600) -> dict[str, float]:
    """Constants fitted to several chips at once, generations weighing the same (`size` rows each)."""
    crowd = {name: sum(s in systems for s in members) for name, members in GENERATIONS.items()}
    parts = [
        sample(rows[s], size // crowd[name]) for name, members in GENERATIONS.items() for s in members if s in systems
    ]
    order = [s for members in GENERATIONS.values() for s in members if s in systems]
    x = {name: np.concatenate([p.x[name] for p in parts]) for name in parts[0].x}
    x["chip"] = np.concatenate([np.full(len(p), float(i)) for i, p in enumerate(parts)])
    joined = [np.concatenate([getattr(p, name) for p in parts]) for name in ("us", "group", "kernel")]
    return fit(pooled_form(make, order), Rows(x, *joined))


def transfer(
    make: MakeForm,
    rows: Mapping[str, Rows],
    candidates: Sequence[Shape],
    generations: Sequence[str] = tuple(GENERATIONS),
) -> Transfer:
    """Pooled constants, and what each generation's measurements say of those pooled without it."""
    there = {g: [s for s in GENERATIONS[g] if s in rows] for g in generations}
    there = {g: members for g, members in there.items() if members}
    outer = {g: _ratios(make, rows, there, (g,)) for g in there}
    anchor, weight = _best_anchor(rows, outer, candidates)
    found = []
    for name in there:
        inner = [_ratios(make, rows, there, (name, g))[g] for g in there if g != name] if len(there) > 2 else []
        seen = inner or [outer[g][g] for g in there if g != name]
        low, high = np.quantile(_all(seen), BAND)
        tight_low, tight_high = np.quantile(_all([_moved(rows, r, anchor, weight) for r in seen]), BAND)
        mine = outer[name][name]
        ratio, after = _all([mine]), _all([_moved(rows, mine, anchor, weight)])
        off = np.abs(np.expm1(-ratio))
        found.append(
            LeftOut(
                name,
                float(np.median(off)),
                float(np.quantile(off, 0.9)),
                float(np.median(np.expm1(-ratio))),
                float(np.mean((ratio >= low) & (ratio <= high))),
                float(high - low) / 2.0,
                float(np.median(np.abs(np.expm1(-after)))),
                float(np.mean((after >= tight_low) & (after <= tight_high))),
                float(tight_high - tight_low) / 2.0,
            )
        )
    every = [outer[g][g] for g in there]
    low, high = np.exp(np.quantile(_all(every), BAND))
    tight = np.exp(np.quantile(_all([_moved(rows, r, anchor, weight) for r in every]), BAND))
    values = pooled(make, rows, [s for m in there.values() for s in m])
    return Transfer(
        values, float(low), float(high), dict(anchor), weight, float(tight[0]), float(tight[1]), tuple(found)
    )


Ratios = dict[str, Floats]  # ln(measured/predicted) of all rows of each chip of a generation


def _ratios(
    make: MakeForm, rows: Mapping[str, Rows], there: Mapping[str, Sequence[str]], out: tuple[str, ...]
) -> dict[str, Ratios]:
    """Residuals of the generations left `out`, under constants pooled from the rest."""
    kept = [s for g, members in there.items() if g not in out for s in members]
    values = pooled(make, rows, kept)
    return {g: {s: np.log(rows[s].us / make(s).predict(rows[s].x, values)) for s in there[g]} for g in out}


def _all(parts: Sequence[Ratios]) -> Floats:
    """Residuals of several generations, each weighing the same."""
    rng = np.random.default_rng(1)
    return np.concatenate([rng.choice(r, 4000 // len(part)) for part in parts for r in part.values()])


def nearest_row(part: Rows, shape: Shape) -> np.intp:
    """The row closest to a shape, in logarithms."""
    return np.argmin(sum(np.abs(np.log(np.maximum(part.x[k], 1.0) / max(v, 1.0))) for k, v in shape.items()))


def _moved(rows: Mapping[str, Rows], ratios: Ratios, anchor: Shape, weight: float) -> Ratios:
    return {s: r - weight * r[nearest_row(rows[s], anchor)] for s, r in ratios.items()}


def _best_anchor(
    rows: Mapping[str, Rows], outer: Mapping[str, Mapping[str, Ratios]], candidates: Sequence[Shape]
) -> tuple[Shape, float]:
    """The candidate and weight with the smallest mean (over generations) of the median error."""

    def loss(anchor: Shape, weight: float) -> float:
        moved = [_moved(rows, outer[g][g], anchor, weight) for g in outer]
        return float(np.mean([np.mean([np.median(np.abs(r)) for r in part.values()]) for part in moved]))

    return min(((c, w) for c in candidates for w in WEIGHTS), key=lambda pair: loss(*pair))


def lent(
    lender: MakeForm, rows: Mapping[str, Rows], borrower: MakeForm, held: Mapping[str, Rows], generation: str
) -> tuple[float, float, float]:
    """(median, p90, bias) of a generation at a precision that no other has, by constants of another precision elsewhere."""
    others = [s for g in HBM if g != generation for s in GENERATIONS[g] if s in rows]
    values = pooled(lender, rows, others)
    off = np.concatenate(
        [borrower(s).predict(held[s].x, values) / held[s].us - 1.0 for s in GENERATIONS[generation] if s in held]
    )
    return float(np.median(np.abs(off))), float(np.quantile(np.abs(off), 0.9)), float(np.median(off))


def sister_stretch(
    make: MakeForm,
    rows: Mapping[str, Rows],
    constants: Mapping[str, Mapping[str, float]],
    bands: Mapping[str, tuple[float, float]],
) -> float:
    """By which power a chip's own band must be widened to hold 80 % of the rows of a sister of the same generation."""
    needed = []
    for members in GENERATIONS.values():
        for own in members:
            for other in members:
                if own == other or own not in constants or other not in rows:
                    continue
                ratio = np.log(rows[other].us / make(other).predict(rows[other].x, constants[own]))
                low, high = bands[own]
                side = np.where(ratio < 0, ratio / min(low, -1e-3), ratio / max(high, 1e-3))
                needed.append(float(np.quantile(side, 0.8)))
    return max(1.0, float(np.median(needed))) if needed else 1.0

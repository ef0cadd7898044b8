"""What it is worth to own chips that run what comes next: the curve over the chance of change, and where the lead turns.

What a platform keeps of its throughput when the architecture changes is stated, or follows from what the catalog knows of the
software for that family on its stack. The shares that a level of support stands for are assumed, with wide ranges:

    in-tree 0.85 (0.60 to 0.95)   plugin 0.65 (0.40 to 0.85)   partial 0.45 (0.20 to 0.70)   unknown 0.35 (0.10 to 0.65)
    no      0.10 (0 to 0.35): a port waits for somebody to write it

The band draws every keep from its range, all independent, and solves again each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog.software import Level
from gigawatt.core.datum import Datum
from gigawatt.core.errors import Problems, nearest
from gigawatt.core.table import Table
from gigawatt.economics.market.draws import ranged, uniforms
from gigawatt.factory import PlanInputs
from gigawatt.factory.drift import Curve, Drift, TwoStage, break_even, curve
from gigawatt.physics.chip.software import support
from gigawatt.study.answer import Answer, Further
from gigawatt.study.drift.spec import Change
from gigawatt.study.drift.spec import Drift as Spec
from gigawatt.study.resolve import Resolved

Array = NDArray[np.float64]
# Share of its throughput that a platform keeps, by how well software for the new family is known to run on its stack.
KEEP: dict[Level, tuple[float, float, float]] = {
    "in-tree": (0.85, 0.60, 0.95),
    "plugin": (0.65, 0.40, 0.85),
    "partial": (0.45, 0.20, 0.70),
    "unknown": (0.35, 0.10, 0.65),
    "no": (0.10, 0.0, 0.35),
}


# What all others might keep, to see how far the answer rests on it.
KEEPS = (0.2, 0.35, 0.5, 0.7, 0.85)


def drifted(answer: Answer) -> Further:
    """The drift of a scenario that states one.

    Raises:
        InputError: see `check`.
    """
    spec = answer.resolved.scenario.drift
    assert spec is not None
    inputs, focal = answer.priced.inputs, check(answer.resolved)
    kept = [_kept(answer, change) for change in spec.changes]
    share = np.array([change.share for change in spec.changes])
    cases = tuple(change.id for change in spec.changes)
    stated = Drift(cases, share / share.sum(), _keep(answer, kept, None))
    chances = _chances(spec.steps, spec.chance)
    stage = TwoStage(inputs, stated)
    base, turn = curve(stage, focal, chances.tolist()), break_even(stage, focal)
    few = _chances(5, spec.chance).tolist()
    curves, turns = [], []
    for d in range(spec.samples):
        drawn = TwoStage(inputs, Drift(cases, stated.share, _keep(answer, kept, (answer.resolved.scenario.seed, d))))
        curves.append(curve(drawn, focal, few))
        turns.append(break_even(drawn, focal, steps=10))
    names = inputs.platforms.names
    told = _Told(spec, [names[p] for p in focal], base, turn, curves, turns, few, names)
    by_keep = _by_keep(stated, inputs, focal, spec.chance)
    tables = [_curve_table(told), _turn_table(told), by_keep, _keep_table(answer, spec, kept)]
    return Further(tables, _sentences(told))


def _chances(steps: int, also: float) -> Array:
    """From never to certainly in equal steps, and one more."""
    return np.unique(np.round(np.append(np.linspace(0, 1, steps + 1), also), 9))


@dataclass(frozen=True, slots=True)
class _Told:
    """All that tables and sentences read."""

    spec: Spec
    focal: list[str]
    base: Curve
    turn: float | None
    curves: list[Curve]
    turns: list[float | None]
    few: list[float]
    names: tuple[str, ...]

    def at(self, chance: float) -> int:
        return int(np.argmin(np.abs(self.base.q - chance)))

    def band(self, column: str, chance: float) -> tuple[float | None, float | None]:
        """P10 and P90 over the draws of a column of the curve, at one of the chances that were drawn."""
        if not self.curves or not np.any(np.isclose(self.few, chance)):
            return None, None
        at = int(np.argmin(np.abs(np.array(self.few) - chance)))
        drawn = np.array([getattr(one, column)[at] for one in self.curves])
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            return None, None
        low, high = np.percentile(drawn, [10, 90])
        return float(low), float(high)


def check(resolved: Resolved) -> tuple[int, ...]:
    """Row numbers of the focal offers; none where the scenario states no drift.

    Raises:
        InputError: offers or workloads that it names and the scenario has not, or no other maker to compare with.
    """
    spec = resolved.scenario.drift
    if spec is None:
        return ()
    source, problems = resolved.loaded.source, Problems()
    offers = [one.offer.id for one in resolved.offers]
    works = list(dict.fromkeys([work.id for work in resolved.works] + [work.family for work in resolved.works]))
    asked: list[tuple[str, str, list[str], tuple[str | int, ...]]]
    asked = [("offer", name, offers, ("drift", "focal")) for name in spec.focal]
    for n, change in enumerate(spec.changes):
        asked += [("offer", name, offers, ("drift", "changes", n, "keep", name)) for name in change.keep]
        asked += [("workload", name, works, ("drift", "changes", n, "workloads")) for name in change.workloads]
    for what, name, known, path in asked:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(known)}"
            problems.add("unknown_name", f"drift: there is no {what} '{name}'", source.where(path), hint)
    problems.raise_if_any()
    maker = resolved.offers[0].platform.vendor
    mine = spec.focal or [one.offer.id for one in resolved.offers if one.platform.vendor == maker]
    if len(set(mine)) == len(offers):
        message = "drift: every offer is focal, so that nothing is left to compare with"
        problems.add(
            "no_rival", message, source.where(("drift",)), "name fewer under focal, or offer one of another maker"
        )
    problems.raise_if_any()
    return tuple(i for i, name in enumerate(offers) if name in mine)


def _kept(answer: Answer, change: Change) -> list[list[Datum]]:
    """[offers][workloads] what is kept, with its range and where it comes from."""
    resolved = answer.resolved
    untouched = Datum(1.0, "", 1.0, 1.0, "assumed", source="not touched by this change")
    rows = []
    for offered in resolved.offers:
        row = []
        for work in resolved.works:
            if change.workloads and work.id not in change.workloads and work.family not in change.workloads:
                row.append(untouched)
            elif offered.offer.id in change.keep:
                row.append(change.keep[offered.offer.id])
            elif change.family is not None:
                found = support(offered.accelerator.stack, change.family, work.uses, resolved.catalog)
                value, low, high = KEEP[found.level]
                by = f" ({', '.join(found.frameworks)})" if found.frameworks else ""
                source = f"{change.family} {work.uses} on {offered.accelerator.stack}: {found.level}{by}; the share is assumed"
                row.append(Datum(value, "", low, high, "assumed", source=source))
            else:
                value, low, high = KEEP["unknown"]
                row.append(Datum(value, "", low, high, "assumed", source="nothing is said of it"))
        rows.append(row)
    return rows


def _keep(answer: Answer, kept: Sequence[list[list[Datum]]], draw: tuple[int, int] | None) -> Array:
    """[platforms, cases, workloads] as stated, or a draw of it by seed and index: one number a platform, case and source."""
    offers, works = len(answer.resolved.offers), len(answer.resolved.works)
    out = np.empty((offers, len(kept), works))
    for m, rows in enumerate(kept):
        for p, row in enumerate(rows):
            for w, one in enumerate(row):
                out[p, m, w] = one.value
                if draw is not None:
                    name = f"{answer.resolved.offers[p].offer.id}.{m}.{one.source}"
                    u = uniforms(draw[0], crc32(name.encode()), 1, 1, first=draw[1])[0, 0]
                    low, high = one.range
                    out[p, m, w] = np.clip(ranged(one.value, low, high, np.clip(u, 1e-9, 1 - 1e-9)), 0.0, 1.0)
    return out


def _curve_table(told: _Told) -> Table:
    rows: list[dict[str, float | None]] = []
    for k, q in enumerate(told.base.q):
        values = {name: float(getattr(told.base, name)[k]) for name in _COLUMNS}
        shown: dict[str, float | None] = {n: value if np.isfinite(value) else None for n, value in values.items()}
        for name in ("flexibility_usd_per_yr", "lead_usd_per_yr"):
            shown[f"{name}_low"], shown[f"{name}_high"] = told.band(name, float(q))
        shown |= {f"racks_{name}": float(told.base.racks[k, p]) for p, name in enumerate(told.names)}
        rows.append({"chance": float(q), **shown})
    columns = list(rows[0])
    units = dict.fromkeys((c for c in columns if "usd" in c), "USD/yr")
    note = (
        "Chance that the architecture has changed, over the life of the racks. Flexibility: all on offer less all but the "
        "focal platforms. Lead: the focal platforms alone less all the others. Low and high draw what each platform keeps."
    )
    return Table.from_rows("drift", rows, columns, units, "What may come, and who runs it", note)


_COLUMNS = ("all_usd_per_yr", "without_usd_per_yr", "alone_usd_per_yr", "flexibility_usd_per_yr", "lead_usd_per_yr")


def _keep_table(answer: Answer, spec: Spec, kept: Sequence[list[list[Datum]]]) -> Table:
    rows = [
        {"change": change.id, "platform": offered.offer.id, "workload": work.id, "keep": one.value,
         "low": one.range[0], "high": one.range[1], "kind": one.kind or "assumed", "source": one.source}
        for change, cells in zip(spec.changes, kept, strict=True)
        for offered, row in zip(answer.resolved.offers, cells, strict=True)
        for work, one in zip(answer.resolved.works, row, strict=True)
    ]  # fmt: skip
    columns = ("change", "platform", "workload", "keep", "low", "high", "kind", "source")
    note = "Share of its throughput that a platform keeps when the architecture changes so."
    return Table.from_rows("drift_keep", rows, columns, {}, "What each platform keeps", note)


def _by_keep(stated: Drift, inputs: PlanInputs, focal: tuple[int, ...], chance: float) -> Table:
    """The break-even chance if all others kept so much in every case, the focal platforms as stated."""
    others = [p for p in range(len(inputs.platforms.names)) if p not in focal]
    rows = []
    for share in KEEPS:
        keep = stated.keep.copy()
        keep[others] = share
        stage = TwoStage(inputs, Drift(stated.cases, stated.share, keep))
        lead = stage.value(chance, others) - stage.value(chance, focal)
        rows.append({"others_keep": share, "break_even_chance": break_even(stage, focal), "lead_usd_per_yr": lead})
    units = {"others_keep": "share", "break_even_chance": "share", "lead_usd_per_yr": "USD/yr"}
    note = (
        f"All others keep so much in every case, the focal platforms as stated; the lead is at a chance of {chance:.0%}. "
        "Nothing: it turns at no chance."
    )
    return Table.from_rows(
        "drift_by_keep", rows, list(rows[0]), units, "When the lead turns, by what others keep", note
    )


def _turn_table(told: _Told) -> Table:
    """Break-even chance and what stands at the chance that is reported first."""
    rows: list[dict[str, Any]] = [_turn_row(told)]
    at = told.at(told.spec.chance)
    for name, words in (("flexibility_usd_per_yr", "flexibility"), ("lead_usd_per_yr", "lead")):
        low, high = told.band(name, told.spec.chance)
        value = float(getattr(told.base, name)[at])
        rows.append(
            {"measure": words, "chance": told.spec.chance, "value": value, "unit": "USD/yr", "low": low, "high": high}
        )
    lead = told.base.lead_usd_per_yr[np.isfinite(told.base.lead_usd_per_yr)]
    rows.append(
        {"measure": "greatest lead", "chance": None, "value": float(lead.max(initial=0.0)), "unit": "USD/yr",
         "low": None, "high": None}
    )  # fmt: skip
    turned = [one for one in told.turns if one is not None]
    part = len(turned) / len(told.turns) if told.turns else None
    rows.append({"measure": "turns at some chance", "chance": None, "value": part, "unit": "share",
                 "low": None, "high": None})  # fmt: skip
    columns = ("measure", "chance", "value", "unit", "low", "high")
    note = "Break-even: the smallest chance of change at which the lead of the focal platforms changes sign, where it does."
    return Table.from_rows("drift_turn", rows, columns, {}, "When the lead turns", note)


def _turn_row(told: _Told) -> dict[str, Any]:
    turned = [one for one in told.turns if one is not None]
    low, high = (float(x) for x in np.percentile(turned, [10, 90])) if len(turned) > 1 else (None, None)
    return {
        "measure": "break-even chance",
        "chance": None,
        "value": told.turn,
        "unit": "share",
        "low": low,
        "high": high,
    }


def _sentences(told: _Told) -> list[str]:
    who = " and ".join(told.focal)
    at = told.at(told.spec.chance)
    worth, lead = told.base.flexibility_usd_per_yr[at] / 1e6, told.base.lead_usd_per_yr
    low, high = told.band("flexibility_usd_per_yr", told.spec.chance)
    span = f" ({low / 1e6:,.0f} to {high / 1e6:,.0f})" if low is not None and high is not None else ""
    lines = [
        f"At a chance of {told.spec.chance:.0%} that the architecture changes, having {who} on the menu is worth "
        f"{worth:,.0f}{span} M USD a year."
    ]
    first = lead[np.abs(lead) > 1e-6 * np.nanmax(np.abs(told.base.all_usd_per_yr))]
    if told.turn is not None:
        leads = "the others lead" if first[0] < 0 else f"{who} leads"
        lines.append(f"Alone, {leads} until the chance reaches {told.turn:.0%}.")
    elif len(first):
        lines.append(f"Alone, {who if first[0] > 0 else 'the others'} leads at every chance at which anything pays.")
    return lines

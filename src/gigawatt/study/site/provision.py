"""How much of a site's power a run sets aside for a rack, and what each policy would make of the plan.

A plan's power row counts what is set aside: the draw when busy (the default), or what a policy of `physics.site.provision`
says. Tokens fall by what caps then cost. Energy is paid for what is drawn, whatever is set aside.

A rack that serves draws its busy watts at the peak of the day and `load` times them in the mean. Its share of the limit
is taken to follow the day as a sine from that mean to that peak, together with all racks that serve, and to move by
itself beside:

    within^2 = (peak - mean)^2 / 2 + noise^2,    together = ((peak - mean)^2 / 2 + c noise^2) / within^2

with noise and c of calibration `provision-loads`. A training run moves as its step does: its phases are its distribution, and
all its racks are in step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.core.table import Table
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.clocks import cap_exponent
from gigawatt.physics.site.provision import POLICIES, Loads, exceeded_share, provision, tokens_lost
from gigawatt.study.perform import Performance
from gigawatt.study.points import Point
from gigawatt.study.resolve import Resolved
from gigawatt.study.site.loads import RECORD, narrowed, rating_w
from gigawatt.study.site.spec import Provisioning

if TYPE_CHECKING:
    from gigawatt.study.answer import Answer

Array = NDArray[np.float64]
EVERY = ("busy", *POLICIES)
# Words of `Point.bound` that say that work follows the core clock; all else waits for memory or messages.
CLOCKED = ("matrix units", "compute")
LEAST_ABOVE = 0.02  # of the width that a mean share stays above the least


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is set aside for a rack at each operating point.

    Attributes:
        policy: that of `study.site.spec.Provisioning`.
        factor: watts set aside over those drawn when busy.
        lost: expected share of the tokens lost to caps.
        exceeded: share of the time in which racks behind a feed draw more than what is set aside for them.
        capped_loss: tokens that caps would cost if they held racks to it; `lost` of a policy that has no caps is 0.
    """

    policy: str
    factor: Array
    lost: Array
    exceeded: Array
    capped_loss: Array

    def take(self, rows: NDArray[np.int64]) -> Reserved:
        """Some of the points."""
        return Reserved(self.policy, self.factor[rows], self.lost[rows], self.exceeded[rows], self.capped_loss[rows])


def reserved(
    resolved: Resolved,
    performance: Performance,
    rows: Sequence[int],
    busy_w: Array,
    load: Array,
    site_racks: Array,
    asked: Provisioning,
) -> Reserved:
    """What a policy sets aside at operating points.

    Args:
        rows: of `performance.points`.
        busy_w: watts at the rack input when busy, one a row.
        load: mean draw over that.
        site_racks: racks that the site would hold of each, one a row.
        asked: policy and percentile.
    """
    loads = point_loads(resolved, [performance.points[k] for k in rows], performance, busy_w, load)
    none = np.zeros(len(rows))
    peak = np.clip((busy_w - loads.static_w) / loads.chips_w, loads.low, loads.high)
    if asked.policy == "busy":
        over = exceeded_share(loads, site_racks, peak)
        return Reserved("busy", np.ones(len(rows)), none, over, tokens_lost(loads, site_racks, peak))
    row_racks = np.minimum(calibration.parameters(RECORD)["row_racks"], site_racks)
    racks = site_racks if asked.policy == "dynamic" else row_racks
    made = provision(
        _as_one(loads, racks), level_racks=(1.0,), percentiles=(asked.percentile,), policies=(asked.policy,)
    )
    lost = made.lost[0, 0, 0]
    return Reserved(
        asked.policy,
        made.set_aside_w[0, 0, 0] / busy_w,
        lost,
        made.exceeded[0, 0, 0],
        lost,
    )


def _as_one(loads: Loads, racks: Array) -> Loads:
    """Loads of so many racks each, as if of one: their variance is that of the sum."""
    return loads.with_(between=0.0, within=np.sqrt(loads.variance(racks)), alike=0.0, together=1.0)


def point_loads(
    resolved: Resolved, points: Sequence[Point], performance: Performance, busy_w: Array, load: Array
) -> Loads:
    """The load of a rack at each operating point, over a year."""
    p = calibration.parameters(RECORD)
    noise, alone = p["serving_within"], p["serving_together"]
    rows = []
    for point, watts, mean_load in zip(points, busy_w.tolist(), load.tolist(), strict=True):
        offered, box = resolved.offers[point.offer], performance.boxes[point.offer]
        mode = next((m.power_share for m in box.modes if m.name == point.mode), 1.0)
        outside = box.chips * offered.network.power.value
        static = (box.host_w + box.fabric_w + box.nic_w + box.fan_w) / box.supply_efficiency + outside
        each = box.chips * box.chip.tdp_w / box.supply_efficiency
        low = min(box.chip.idle_w / (box.chip.tdp_w * mode), 0.5)
        least = low + LEAST_ABOVE * (1.0 - low)
        if point.phases:
            seconds, chip_w = (np.array(column) for column in zip(*point.phases, strict=True))
            share = np.clip(chip_w / (box.chip.tdp_w * mode), low, 1.0)
            mean = float(share @ seconds / seconds.sum())
            within, together = float(np.sqrt((share - mean) ** 2 @ seconds / seconds.sum())), p["training_together"]
        else:
            peak = (watts - static) / (each * mode)
            mean = (watts * mean_load - static) / (each * mode)
            day = max(peak - max(mean, least), 0.0) ** 2 / 2.0
            within = float(np.sqrt(day + noise**2))
            together = (day + alone * noise**2) / within**2
        mean = float(np.clip(mean, least, 1.0 - LEAST_ABOVE * (1.0 - low)))
        within, _ = narrowed(within, 0.0, mean, low, 1.0)
        planning = static + each * mode
        rating = rating_w(offered.platform)
        clocked = any(word in point.bound for word in CLOCKED)
        rows.append(
            {
                "chips": float(box.chips),
                "static_w": static,
                "chips_w": each * mode,
                "planning_w": planning,
                "nameplate_w": max(planning, static + each if rating is None else rating + outside),
                "mean": mean,
                "within": within,
                "together": together,
                "low": low,
                "cap_exponent": cap_exponent(box.chip) if clocked else 0.0,
            }
        )
    return Loads.of(**{key: [row[key] for row in rows] for key in rows[0]})


def provisioning_table(answer: Answer) -> Table:
    """One row a policy: GPUs per MW, racks, risk, tokens lost and value of the plan that is best under it.

    The operating points are those of the run; each policy is planned anew on them.
    """
    from gigawatt.factory import plan
    from gigawatt.study.price import price

    site = answer.resolved.scenario.site.provisioning
    rows: list[dict[str, Any]] = []
    for policy in EVERY:
        asked = Provisioning(policy=policy, percentile=site.percentile)
        chosen = policy == site.policy
        mine = answer.priced
        priced = mine if chosen else price(answer.resolved, mine.performance, answer.line, mine.plant, asked)
        try:
            best = answer.plan if chosen else plan(priced.inputs)
        except Infeasible as error:
            rows.append({"policy": policy, "chosen": "", "says": str(error)})
            continue
        use, held = best.mean_use, priced.reserved
        weigh = use * priced.inputs.points.mw
        chips = float(best.racks @ priced.inputs.platforms.chips_per_rack)
        total = float(weigh.sum())

        def mean(column: Array, weigh: Array = weigh, total: float = total) -> float | None:
            return float(weigh @ column / total) if total > 0 else None

        rows.append(
            {
                "policy": policy,
                "chosen": "chosen" if chosen else "",
                "gpus_per_mw": chips / best.site_mw if best.site_mw else None,
                "racks": float(best.racks.sum()),
                "mw": best.site_mw,
                "set_aside_over_busy": mean(held.factor),
                "exceeded": mean(held.exceeded),
                "capped_loss": mean(held.capped_loss),
                "value_usd": best.value_usd_per_yr * answer.line.annuity_years,
                "says": _says(policy, site.percentile),
            }
        )
    columns = ["policy", "chosen", "gpus_per_mw", "racks", "mw", "set_aside_over_busy", "exceeded", "capped_loss",
               "value_usd", "says"]  # fmt: skip
    units = {"mw": "MW", "exceeded": "share", "capped_loss": "share", "value_usd": "USD"}
    unrated = sorted({o.offer.id for o in answer.resolved.offers if rating_w(o.platform) is None})
    note = (
        "Each policy planned anew on the same operating points. Exceeded: share of the time in which racks draw more than what "
        "is set aside. Capped loss: tokens lost if caps then held them to it; in the plan where the policy has caps. Energy is "
        "what is drawn."
    )
    if unrated:
        note += f" No source rates {', '.join(unrated)}: full draw stands in."
    return Table.from_rows("provisioning", rows, columns, units, "Provisioning", note)


def provisioning_tables(answer: Answer) -> list[Table]:
    """The policies on this plan; what measured power gains on the platforms bought, beside published claims; kW per GPU."""
    from gigawatt.study.site.allin import kw_per_gpu
    from gigawatt.study.site.gains import claims_table, gains_table

    catalog = answer.resolved.catalog
    offered = zip(answer.resolved.offers, answer.plan.racks, strict=True)
    bought = list(dict.fromkeys(o.platform.id for o, racks in offered if racks > 0))
    if not bought:
        return [provisioning_table(answer)]
    return [
        provisioning_table(answer),
        gains_table(bought, catalog=catalog),
        claims_table(catalog),
        kw_per_gpu(list(dict.fromkeys(o.platform.id for o in answer.resolved.offers)), catalog),
    ]


def _says(policy: str, percentile: float) -> str:
    return {
        "busy": "what racks draw when busy",
        "nameplate": "the maker's rating",
        "planning": "all chips at their limit, everything beside them at full load",
        "percentile": f"what a row of racks stays below in {percentile:.3g} of the time",
        "dynamic": f"what all racks stay below in {percentile:.3g} of the time; power is steered, caps bind in the rest",
    }[policy]


__all__ = ["EVERY", "Reserved", "point_loads", "provisioning_table", "provisioning_tables", "reserved"]

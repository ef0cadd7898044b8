"""A one-period plan as a build-out of one quarter in rental form: the same programme, so the same optimum.

Cash flows with a terminal worth and a yearly capital charge differ by design; only where both rent their capital do a plan of
one period and a build-out of one period agree.
"""

from __future__ import annotations

import numpy as np

from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.factory.inputs import PlanInputs


def rental_of(inputs: PlanInputs) -> BuildInputs:
    """The build-out of one "quarter" of a year that equals the one-period plan: its value is USD per year.

    Raises:
        ValueError: the plan has phases; in a build-out those are quarters, in which racks may leave and shell be added.
    """
    if len(inputs.phases) > 1:
        raise ValueError("a plan with phases has no rental form of one period")
    mine, n_p = inputs.chosen, len(inputs.platforms.names)
    segments, owed, one = inputs.segments, inputs.obligations, np.ones(1)
    return BuildInputs(
        quarters=(inputs.phases[0].name,),
        platforms=inputs.platforms.names,
        workloads=inputs.workloads,
        points=inputs.points,
        segments=segments.names,
        segment_workload=segments.workload,
        obligations=tuple(o.name for o in owed),
        obligation_workload=np.array([o.workload for o in owed], dtype=np.int64),
        discount=one,
        opening_discount=one,
        power_mw=np.array([inputs.power_mw]),
        capital_usd=np.array([inputs.capital_usd]),
        supply_racks=inputs.platforms.supply_racks[:, None],
        demand_tokens_per_s=segments.tokens_per_s[:, None],
        price_usd_per_mtok=segments.usd_per_mtok[:, None],
        # An obligation of other phases alone is none here.
        owed_tokens_per_s=np.array([[o.tokens_per_s if o.phases else 0.0] for o in owed]).reshape(-1, 1),
        speed=np.ones((n_p, len(inputs.workloads), 1)),
        cost_usd=inputs.platforms.capex_usd[:, None],
        list_usd=inputs.platforms.capex_usd[:, None],
        upkeep_usd_per_yr=np.zeros(n_p),
        energy_usd_per_yr=mine.energy_usd_per_yr[:, None],
        other_usd_per_yr=mine.other_usd_per_yr,
        shell_usd_per_mw=np.array([inputs.shell_usd_per_mw]),
        shell_upkeep_usd_per_mw_yr=0.0,
        resale_usd=np.zeros((n_p, 1)),
        terminal_usd=np.zeros(n_p),
        shell_terminal_usd_per_mw=np.zeros(1),
        lead_quarters=np.zeros(n_p, dtype=np.int64),
        life_quarters=np.full(n_p, np.iinfo(np.int32).max, dtype=np.int64),
        opening_racks=np.zeros(n_p),
        revenue_share=mine.revenue_share,
        charge_usd_per_yr=mine.platform_usd_per_yr,
        shell_charge_usd_per_mw_yr=mine.shell_usd_per_mw_yr,
        block_racks=inputs.block_racks if inputs.integer_racks else 0,
        integer_gap=inputs.integer_gap,
        period_yr=1.0,
    )

"""Where physics meets prices: operating points, the best fleet under limits, what each limit is worth, the moats.

    points = make_points(platform, workload, label, chain=..., chip_w=..., tokens_out_per_s_per_chip=..., ...)
    inputs = PlanInputs(
        platforms=Platforms.of(names, capex_usd, supply_racks, chips_per_rack),       # one row a platform, unit = rack
        workloads=names,
        points=points,                                                                # one row a way to run one rack
        segments=Segments.of(names, workload, usd_per_mtok, tokens_per_s),            # demand by price, output tokens
        coefficients=(Coefficients.of("system", points, platform_usd_per_yr=..., energy_usd_per_mw_yr=...), ...),
        power_mw=..., capital_usd=..., shell_usd_per_mw=...,
        obligations=(Obligation(name, workload, tokens_per_s, phases=(0,)),),
        phases=(Phase("with pretrain", 0.4), Phase("after", 0.6)),
        objective="system", integer_racks=False, block_racks=1)
    best = plan(inputs)                 # Plan: racks, use, sold tokens, limits, alternatives, sentences(), table()
    plan_all_objectives(inputs)         # {party: Plan}
    value_of(best, "operator")          # USD per year of this fleet to another party
    revalue(best, draws)                # the held fleet in each draw; replan(inputs, draws) chooses it anew
    terms = MoatTerms.of(focal, platforms, workloads, software=..., networking=..., watts=..., cost_share=...)
    [assess(regime) for regime in standard_regimes(inputs, terms)]        # what each moat is worth; see `factory.moats`

Index order everywhere: platform p, workload w, point j, segment s, phase f. Power is MW at the meter, prices are USD,
`usd_per_mtok` is per million output tokens with what the input tokens bring folded in.
"""

from gigawatt.factory.alternatives import Alternative, at_price
from gigawatt.factory.draws import Draws, draw_throughput, replan, revalue
from gigawatt.factory.fleet import Plan, plan, plan_all_objectives, value_of
from gigawatt.factory.inputs import Coefficients, Obligation, Phase, PlanInputs, Platforms, Segments
from gigawatt.factory.limits import Limit
from gigawatt.factory.moats import MoatTerms, Regime, assess, standard_regimes
from gigawatt.factory.points import Points, make_points

__all__ = [
    "Alternative",
    "Coefficients",
    "Draws",
    "Limit",
    "MoatTerms",
    "Obligation",
    "Phase",
    "Plan",
    "PlanInputs",
    "Platforms",
    "Points",
    "Regime",
    "Segments",
    "assess",
    "at_price",
    "draw_throughput",
    "make_points",
    "plan",
    "plan_all_objectives",
    "replan",
    "revalue",
    "standard_regimes",
    "value_of",
]

"""The sentences of a run: headline, what was left out, the weakest inputs, what to do next."""

from __future__ import annotations

import numpy as np

from gigawatt.study.answer import Answer
from gigawatt.study.bands import percentiles
from gigawatt.study.money_tables import revenue_per_mw_year
from gigawatt.study.site.hall import air_words


def headline(answer: Answer) -> str:
    """One sentence: what to build, what it costs, what it is worth and to whom, what binds."""
    plan = answer.plan
    names = answer.priced.inputs.platforms.names
    bought = [(names[p], float(n)) for p, n in enumerate(plan.racks) if n > 0]
    if not bought:
        return "Nothing on offer earns its keep here: the best plan is to build nothing."
    racks = " and ".join(
        f"{count:,.0f} rack{'' if round(count) == 1 else 's'} of {name}"
        for name, count in sorted(bought, key=lambda item: -item[1])
    )
    party = answer.priced.inputs.objective
    low, _, high = percentiles(answer.bands.npv(party))
    value = plan.value_usd_per_yr * answer.line.annuity_years
    binding = [limit.name for limit in plan.limits if limit.binding and limit.kind in ("power", "capital")]
    binds = f"; {' and '.join(binding)} bind{'s' if len(binding) == 1 else ''}" if binding else ""
    size, money = (1e9, "B USD") if answer.capex_usd >= 1e8 else (1e6, "M USD")
    return (
        f"Build {racks}: {_power(answer.site_mw)}, {answer.capex_usd / size:,.3g} {money}, "
        f"worth {value / size:,.3g} {money} to the {party} [P10 {low / size:,.3g}, P90 {high / size:,.3g}], "
        f"{revenue_per_mw_year(answer) / 1e6:,.3g} M USD of revenue per MW-year{binds}."
    )


def _power(mw: float) -> str:
    return f"{mw:,.0f} MW" if mw >= 10 else f"{mw * 1e3:,.0f} kW"


def texts(answer: Answer) -> dict[str, list[str]]:
    """Lists of sentences by name."""
    return {"left_out": _left_out(answer), "weakest": [], "next": _next(answer), "notes": _notes(answer)}


def _left_out(answer: Answer) -> list[str]:
    out = [
        "Taxes, working capital and inflation.",
        "Growth of demand, falling prices and new generations over the horizon: one representative fleet and price set "
        "(`gigawatt fleet` chooses what is built when).",
        "Fees for a late run: it is met or the plan is infeasible.",
        "Load that changes over the day: power is sized for the design hour, energy is a steady load in a year's weather "
        "(`gigawatt operate` steers the hours).",
        "The value of the shares that a vendor's tranche buys.",
    ]
    if any(work.is_serving for work in answer.resolved.works):
        out.append(
            "The spread of TPOT over requests: the mean is held to the limit; TTFT is held at its 99th percentile."
        )
    refused = [f"{answer.resolved.works[r.work].id} on {answer.resolved.offers[r.offer].offer.id}: {r.reason}"
               for r in answer.priced.performance.refusals]  # fmt: skip
    return out + refused


def _notes(answer: Answer) -> list[str]:
    held = (
        "a new fleet for each draw" if answer.bands.replanned is not None else "the fleet held (the risk of this plan)"
    )
    out = [f"P10 to P90 are over {answer.bands.count:,} draws with {held}."]
    vendor = answer.resolved.scenario.company("vendor")
    makers = [o.offer.id for o, mine in zip(answer.resolved.offers, answer.priced.vendor_sells, strict=True) if mine]
    if makers:
        out.append(
            f"'{vendor}' stands for the maker of {', '.join(makers)}; in the system's value its racks count at cost."
        )
    for name, share in answer.bands.missed.items():
        if share > 0:
            out.append(f"With this fleet and its use held, '{name}' is missed in {share:.0%} of the draws.")
    hypothetical = [c.id for c in answer.resolved.scenario.contracts if "hypothetical" in c.status]
    if hypothetical:
        out.append(f"Hypothetical contracts that count as cash here: {', '.join(hypothetical)}.")
    bought = np.flatnonzero(answer.plan.racks > 0).tolist()
    return out + air_words(answer.resolved, answer.priced.chain, bought)


def _next(answer: Answer) -> list[str]:
    name = answer.resolved.loaded.source.file
    scenario = answer.resolved.scenario
    more = scenario.site.grid_power * 1.1 / 1e6
    further = [verb for verb, able in (("fleet", scenario.objective.for_ != "lab"), ("moats", scenario.moats is not None),
                                       ("operate", True)) if able]  # fmt: skip
    out = ["gigawatt explain system_npv", *(f"gigawatt {verb} {name}" for verb in further)]
    return [*out, f"gigawatt run {name} --set site.grid_power='{more:,.6g} MW'".replace(",", "")]

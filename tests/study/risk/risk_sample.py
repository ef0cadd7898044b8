"""One small site with every kind of contract, its physics asked once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.core.errors import Problems
from gigawatt.factory import Plan
from gigawatt.study.answer import Answer
from gigawatt.study.bands import no_bands
from gigawatt.study.evaluate.physics import RememberedPhysics
from gigawatt.study.load import check
from gigawatt.study.pipeline import chosen
from gigawatt.study.price import Priced, price
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.risk.held import Held
from gigawatt.study.settle import settle
from gigawatt.study.source import Source, changed
from gigawatt.study.timeline import timeline

DATA: dict[str, Any] = {
    "schema": 1,
    "name": "small",
    "horizon": {"start": "2027-01-01", "years": 4, "build_quarters": 2},
    "site": {"grid_power": "400 kW", "energy_price": "50 USD/MWh"},
    "capital": "40 million USD",
    "moats": False,
    "fleet": [{"id": "rack", "platform": "gb300-nvl72", "supply": 2.0}],
    "workloads": [
        {
            "id": "chat",
            "kind": "serving",
            "model": "deepseek-v3",
            "input_tokens": 3000,
            "output_tokens": 700,
            "slo": {"ttft_p99": "2 s", "tpot_p99": "50 ms"},
            "demand": {
                "output": "150e3 tokens/s",
                "peak_to_mean": 1.25,
                "tiers": [{"output": "60e3 tokens/s", "at": "75 %"}, {"output": "1e6 tokens/s", "at": "60 %"}],
            },
            "price": {"input": "0.30 USD/Mtok", "output": "1.20 USD/Mtok", "realised_share": "25 %"},
        }
    ],
    "companies": ["operator", "lab", "chip-vendor", "lender"],
    "contracts": [
        {"id": "letter", "kind": "milestone_tranche", "pays": "chip-vendor", "gets": "lab", "amount": "1 million USD",
         "per": "100 kW"},
        {"id": "offtake", "kind": "take_or_pay", "pays": "lab", "gets": "operator", "price": "13 million USD/MW/yr",
         "term": "4 yr"},
        {"id": "loan", "kind": "term_loan", "pays": "lender", "gets": "operator", "share_of_capex": "60 %", "rate": "9 %",
         "term": "3 yr", "fee": "1 %"},
    ],
}  # fmt: skip

_PHYSICS = RememberedPhysics()


def resolved_of(changes: Mapping[str, Any] | None = None) -> Resolved:
    """The site with some inputs changed."""
    problems = Problems()
    source = changed(Source("small.yaml", DATA), changes or {}, problems)
    problems.raise_if_any()
    return resolve(check(source))


@lru_cache(maxsize=1)
def base() -> Answer:
    """The plan as the file stands."""
    resolved = resolved_of()
    line = timeline(resolved.scenario)
    priced, best = chosen(resolved, line, physics=_PHYSICS)
    return Answer(resolved, line, priced, best, settle(resolved, priced, best, line), no_bands(), {})


def held_of(answer: Answer) -> Held:
    """The plan ready for other worlds."""
    return Held(answer.resolved, answer.priced, answer.plan, answer.line, answer.settled)


def priced_anew(changes: Mapping[str, Any]) -> Answer:
    """The same racks and the same use under other inputs, priced and settled by the usual rooms."""
    resolved = resolved_of(changes)
    line = timeline(resolved.scenario)
    priced = price(resolved, base().priced.performance, line)
    plan = _sold(base().plan, priced)
    return Answer(resolved, line, priced, plan, settle(resolved, priced, plan, line), no_bands(), {})


def _sold(plan: Plan, priced: Priced) -> Plan:
    """The plan with what it sells at other prices and demand: each workload to its dearest segment first."""
    inputs = priced.inputs
    points, segments = inputs.points, inputs.segments
    sold = np.zeros(plan.sold_tokens_per_s.shape)
    for f in range(plan.use.shape[1]):
        for w in range(len(inputs.workloads)):
            left = float((plan.use[:, f] * points.tokens_out_per_s)[points.workload == w].sum())
            mine = [s for s in np.argsort(-segments.usd_per_mtok, kind="stable") if segments.workload[s] == w]
            for s in mine:
                sold[s, f] = min(left, segments.tokens_per_s[s])
                left -= sold[s, f]
    capital = float(plan.racks @ inputs.platforms.capex_usd) + plan.site_mw * inputs.shell_usd_per_mw
    return replace(plan, inputs=inputs, sold_tokens_per_s=sold, capital_usd=capital)

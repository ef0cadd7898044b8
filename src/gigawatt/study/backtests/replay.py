"""A published ranking whose inputs were never published: replayed, and set beside what the engine and measurements say.

A replay solves the missing inputs from the published answer, so that it agrees by construction and proves nothing. What
is worth reading stands beside it: the tokens that the answer would need, the margins that measured throughput gives at
the same price, and those that the engine's own physics gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.study.backtests.case import Evaluator, near
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.backtests.margins import cost_usd, gaps, own_platforms

MILLION = 1e6
HOUR_S = 3600.0
# Of what sets our margins apart, in points; at both ends of the published cost.
GAP_OUTPUTS = ("gap", "by_tokens_low", "by_tokens_high", "by_cost_low", "by_cost_high", "by_price", "by_energy")


def inference_margins(x: Inputs) -> dict[str, float]:
    """Margins of a site of rented-out tokens by platform: published, replayed, measured, and the engine's own.

    cost of a year = infrastructure / its life + hardware / its life + the rest (fitted to both published ends)
    tokens replayed = cost / (1 - margin) / price, over the year's busy seconds and the site's MW

    Raises:
        InputError: lists of different lengths, a margin of 100 % or more, an unknown platform.
    """
    names, margins, power_mw = x.texts("platforms"), x.numbers("margins"), x.positive("power") / MILLION
    if len(names) != len(margins) or np.any(margins >= 1):
        raise InputError(Problem("bad_input", f"each of {len(names)} platforms needs a margin below 100 %"))
    busy_s = SECONDS_PER_YEAR * x.positive("utilisation")
    price = x.positive("token_price")
    costs = sorted(cost_usd(x, hardware) for hardware in x.numbers("hardware"))
    out = {"tco_low_usd_m_per_yr": costs[0] / MILLION, "tco_high_usd_m_per_yr": costs[-1] / MILLION}
    published = dict(zip(names, margins.tolist(), strict=True))
    for name, margin in published.items():
        tokens = [cost / (1 - margin) / price / busy_s for cost in (costs[0], costs[-1])]  # tokens/s of the site
        out[f"replayed_margin_{name}"] = 100 * (1 - costs[-1] / (tokens[1] * price * busy_s))
        out |= {f"tok_s_per_mw_{end}_{name}": t / power_mw for end, t in zip(("low", "high"), tokens, strict=True)}
    measured = _measured(x, published, price)
    own = own_platforms(x, published)
    for label, found in (("measured", measured), ("engine", {name: one.margin for name, one in own.items()})):
        out |= {f"{label}_margin_{name}": 100 * margin for name, margin in found.items()}
        signs, orders = contradictions(published, found)
        out |= {f"{label}_signs_contradicted": float(signs), f"{label}_orders_contradicted": float(orders)}
    for name, gap in gaps(x, published, own).items():
        out |= {f"{key}_{name}": gap[key] for key in GAP_OUTPUTS}
    return out


def contradictions(published: Mapping[str, float], found: Mapping[str, float]) -> tuple[int, int]:
    """(margins of the other sign, pairs in the other order) among the platforms that both know.

    >>> contradictions({"a": 0.5, "b": -0.3}, {"a": 0.2, "b": 0.4})
    (1, 1)
    """
    both = [name for name in published if name in found]
    signs = sum(published[name] * found[name] < 0 for name in both)
    pairs = combinations(both, 2)
    return signs, sum((published[a] - published[b]) * (found[a] - found[b]) < 0 for a, b in pairs)


def _measured(x: Inputs, published: Mapping[str, float], price: float) -> dict[str, float]:
    """Margin of a chip-hour: measured tokens at the price and utilisation of the case, over a stated all-in cost."""
    out: dict[str, float] = {}
    known = ("platform", "tokens_per_s", "chips", "cost", "source")
    for row in x.data("measured"):
        wrong = [key for key in row if key not in known]
        missing = [key for key in known[:4] if key not in row]
        if wrong or missing:
            key = (wrong or missing)[0]
            message = f"a measured row {'has no' if wrong else 'needs'} '{key}'"
            raise InputError(Problem("unknown_field", message, None, near(key, known)))
        name = str(row["platform"])
        if name not in published:
            raise InputError(unknown_name("platform", name, published))
        sold = _number(row, "tokens_per_s") / _number(row, "chips") * HOUR_S * x.number("utilisation") * price
        out[name] = 1 - _number(row, "cost", "chip_price") * HOUR_S / sold
    return out


def _number(row: Mapping[str, Any], key: str, dimension: str = "count") -> float:
    try:
        return units.parse(row[key], dimension)
    except units.UnitError as error:
        raise InputError(Problem("bad_input", f"a measured row, {key}: {error}")) from None


EVALUATORS = (
    Evaluator(
        "inference_margins",
        inference_margins,
        {
            "platforms": "text[]",
            "margins": "share[]",
            "power": "power",
            "token_price": "token_price",
            "utilisation": "share",
            "infrastructure": "money",
            "infrastructure_life": "years",
            "hardware": "money[]",
            "hardware_life": "years",
            "other_cost": "money_rate",
            "measured": "data",
            "catalog_platforms": "text[]",
            "assumed_prices": "data",
            "known_hardware": "data",
            "model": "text",
            "input_tokens": "count",
            "output_tokens": "count",
            "ttft": "time",
            "tpot": "time",
        },
        optional=("assumed_prices", "known_hardware"),
    ),
)

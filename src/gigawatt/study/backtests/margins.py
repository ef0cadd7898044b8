"""The engine's own margins of rented-out tokens by platform, and what sets them apart from a published ranking.

    margin = 1 - cost of a year / (tokens/s x busy seconds x price)

The published side gives margins and two ends of the cost, not which platform costs what, nor its tokens: at each end of
the cost its margin implies tokens. Between those and ours the margin is taken apart into points that sum to the gap:
each factor's effect is the mean of changing it first and changing it last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gigawatt.catalog import Catalog
from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.cost import capital_charge
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.serving import frontier
from gigawatt.physics.workload import from_config
from gigawatt.study.backtests.case import near
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.network import fabric_of
from gigawatt.study.perform import SERVING_PRECISIONS
from gigawatt.study.points import usable_precisions
from gigawatt.study.site.allin import kw_per_gpu

if TYPE_CHECKING:
    from gigawatt.study.backtests.case import Case

MILLION = 1e6
USUAL_MWH = 60.0  # USD: energy that the rest of the cost is taken to hold, for its weight in the margin


@dataclass(frozen=True, slots=True)
class Own:
    """One platform on the case's site: output tokens/s for each MW, hardware, cost of a year, margin.

    `priced` tells that the catalog prices it; else the case's own assumption does.
    """

    tokens_per_s_per_mw: float
    hardware_usd: float
    cost_usd: float
    margin: float
    priced: bool


def cost_usd(x: Inputs, hardware_usd: float) -> float:
    """Of a year: straight lines (a charge at no interest) and the rest."""
    site = capital_charge(x.number("infrastructure"), 0.0, x.positive("infrastructure_life"))
    chips = capital_charge(hardware_usd, 0.0, x.positive("hardware_life"))
    return float(site) + float(chips) + x.number("other_cost") * SECONDS_PER_YEAR


def own_platforms(x: Inputs, published: Mapping[str, float]) -> dict[str, Own]:
    """The engine's side: its best serving point, catalog prices, all-in power (published, else our own by component).

    A platform that neither the catalog nor the case prices is left out, and one that serves the model at no point.

    Raises:
        InputError: lists that differ in length, a price of a platform that the case does not name.
    """
    cat = Catalog.load()
    records = x.texts("catalog_platforms")
    if len(records) != len(published):
        raise InputError(Problem("bad_input", f"{len(published)} platforms need as many catalog_platforms"))
    assumed = _told(x, "assumed_prices", "usd_per_chip", published)
    model = cat.get("model", x.text("model"))
    arch = from_config(model.id, model.config)
    mw = x.positive("power") / MILLION
    per_year = SECONDS_PER_YEAR * x.positive("utilisation") * x.positive("token_price")
    out: dict[str, Own] = {}
    for name, record in zip(published, records, strict=True):
        platform = cat.get("platform", record)
        priced = platform.list_price is not None
        each = platform.list_price.value / platform.chips_per_rack if priced else assumed.get(name)
        if each is None:
            continue
        box = box_from_record(platform, cat.get("accelerator", platform.accelerator))
        found = frontier(
            arch,
            box.chip,
            fabric=fabric_of(cat.get("fabric", platform.fabric), platform, box, cat),
            input_tokens=x.positive("input_tokens"),
            output_tokens=x.positive("output_tokens"),
            ttft_s=x.positive("ttft"),
            tpot_s=x.positive("tpot"),
            precisions=usable_precisions("auto", SERVING_PRECISIONS, box),
            maturity=float(platform.software.serving.value),
            modes=box.modes,
        )
        if not len(found):
            continue
        best = max(row["tokens_out_per_s_per_chip"] for row in found.rows())
        allin = platform.allin_power_per_chip
        chip_w = allin.value if allin is not None else 1e3 * float(next(kw_per_gpu((record,), cat).rows())["total"])
        chips = mw * MILLION / chip_w
        cost = cost_usd(x, chips * each)
        out[name] = Own(best * chips / mw, chips * each, cost, 1 - cost / (best * chips * per_year), priced)
    return out


def _told(x: Inputs, name: str, key: str, published: Mapping[str, float]) -> dict[str, float]:
    """USD that rows of the case state for single platforms under `key`, by platform; none where it has no such rows."""
    out: dict[str, float] = {}
    for row in x.data(name) if name in x.given else ():
        wrong = [field for field in row if field not in ("platform", key, "why")]
        if wrong or "platform" not in row or key not in row:
            hints = near(wrong[0], ("platform", key, "why")) if wrong else ()
            message = f"a row of inputs.{name} is a platform and its {key}"
            raise InputError(Problem("unknown_field", message, None, hints))
        if str(row["platform"]) not in published:
            raise InputError(unknown_name("platform", str(row["platform"]), published))
        try:
            out[str(row["platform"])] = units.parse(row[key], "money")
        except units.UnitError as error:
            raise InputError(Problem("bad_input", f"inputs.{name}: {error}")) from None
    return out


def split_gap(ours: float, tokens: float, theirs: float, cost: float, own_cost: float) -> tuple[float, float]:
    """The gap between two margins as (points by tokens, points by cost); they sum to it.

    Args:
        ours, theirs: margins.
        tokens: our tokens over those that their margin implies at their cost.
        cost, own_cost: of a year, theirs and ours.

    >>> [round(x, 6) for x in split_gap(0.5, 2.0, 0.0, 1.0, 1.0)]  # twice the tokens, the same cost
    [0.5, 0.0]
    """
    share, ratio = 1.0 - theirs, own_cost / cost  # cost over revenue, theirs; our cost over theirs

    def margin(more_tokens: bool, own: bool) -> float:
        return 1.0 - share * (ratio if own else 1.0) / (tokens if more_tokens else 1.0)

    by_tokens = (margin(True, False) - margin(False, False) + margin(True, True) - margin(False, True)) / 2
    by_cost = (margin(False, True) - margin(False, False) + margin(True, True) - margin(True, False)) / 2
    rest = ours - theirs - by_tokens - by_cost  # rounding, and nothing else
    return by_tokens + rest, by_cost


def gaps(x: Inputs, published: Mapping[str, float], own: Mapping[str, Own]) -> dict[str, dict[str, float]]:
    """For each platform: its gap in points and what of it is tokens and cost, at both ends of the published cost; more."""
    busy = SECONDS_PER_YEAR * x.positive("utilisation")
    price, mw = x.positive("token_price"), x.positive("power") / MILLION
    ends = sorted(cost_usd(x, hardware) for hardware in x.numbers("hardware"))
    known = _told(x, "known_hardware", "usd", published)
    energy = mw * 8760 * x.positive("utilisation") * USUAL_MWH
    out: dict[str, dict[str, float]] = {}
    for name, one in own.items():
        theirs = published[name]
        row = {"published": 100 * theirs, "engine": 100 * one.margin, "gap": 100 * (one.margin - theirs)}
        for end, cost in zip(("low", "high"), [cost_usd(x, known[name])] * 2 if name in known else ends, strict=True):
            implied = cost / (1 - theirs) / price / busy / mw
            by_tokens, by_cost = split_gap(one.margin, one.tokens_per_s_per_mw / implied, theirs, cost, one.cost_usd)
            row |= {
                f"by_tokens_{end}": 100 * by_tokens,
                f"by_cost_{end}": 100 * by_cost,
                f"implied_tok_s_per_mw_{end}": implied,
            }
        sold = one.tokens_per_s_per_mw * mw * busy
        row |= {
            "by_price": 0.0,  # the same price on both sides
            "by_energy": 0.0,  # the same rest of the cost, which holds energy, on both sides
            "energy_doubled": -100 * energy / (sold * price),
            "tok_s_per_mw": one.tokens_per_s_per_mw,
            "cost_usd_m": one.cost_usd / MILLION,
            "price_to_match": one.cost_usd / (1 - theirs) / sold * MILLION,
            "both_directions": 100
            * (1 - (1 - one.margin) / (1 + x.positive("input_tokens") / x.positive("output_tokens"))),
        }
        out[name] = row
    return out


def margin_order_table(case: Case) -> Table:
    """One row a platform, in the published order: both margins and ranks, the gap and what it is made of."""
    x = case.inputs
    published = dict(zip(x.texts("platforms"), x.numbers("margins").tolist(), strict=True))
    own = own_platforms(x, published)
    found = gaps(x, published, own)
    ranks = sorted(own, key=lambda name: -own[name].margin)
    rows: list[dict[str, Any]] = []
    for rank, name in enumerate(published, 1):
        if name not in own:
            rows.append({"platform": name, "rank": rank, "published": published[name]})
            continue
        g = found[name]
        rows.append(
            {
                "platform": name,
                "rank": rank,
                "engine_rank": ranks.index(name) + 1,
                "published": published[name],
                "engine": own[name].margin,
                "gap_points": g["gap"],
                "tokens_points": (g["by_tokens_low"] + g["by_tokens_high"]) / 2,
                "tokens_points_low": min(g["by_tokens_low"], g["by_tokens_high"]),
                "tokens_points_high": max(g["by_tokens_low"], g["by_tokens_high"]),
                "cost_points": (g["by_cost_low"] + g["by_cost_high"]) / 2,
                "cost_points_low": min(g["by_cost_low"], g["by_cost_high"]),
                "cost_points_high": max(g["by_cost_low"], g["by_cost_high"]),
                "price_points": g["by_price"],
                "energy_points": g["by_energy"],
                "energy_doubled": g["energy_doubled"],
                "tok_s_per_mw": own[name].tokens_per_s_per_mw,
                "implied_low": g["implied_tok_s_per_mw_low"],
                "implied_high": g["implied_tok_s_per_mw_high"],
                "price_to_match": g["price_to_match"],
                "both_directions": g["both_directions"] / 100,
                "priced": "catalog" if own[name].priced else "assumed",
            }
        )
    columns = list(next(row for row in rows if "engine" in row))
    units_ = dict.fromkeys(("published", "engine", "both_directions"), "share")
    units_ |= dict.fromkeys(("tok_s_per_mw", "implied_low", "implied_high"), "token/s/MW")
    units_ |= {name: "points" for name in columns if "points" in name or name == "energy_doubled"}
    units_ |= {"price_to_match": "USD/Mtok"}
    note = (
        "Points of margin, ours less theirs; the ends are those of the published cost, where a platform's own is not known. "
        "Price and the rest of the cost, energy with it, are the same on both sides. Energy doubled: what 60 USD more a MWh "
        "does to ours. Implied: output tokens that their margin needs. Both directions: ours if input tokens sold at the "
        "same price."
    )
    return Table.from_rows("margin_order", rows, columns, units_, case.title, note)

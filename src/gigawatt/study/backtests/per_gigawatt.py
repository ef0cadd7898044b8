"""What a gigawatt costs, of what, for whom: the same number has another meaning at another boundary.

Every figure carries its boundary; what a question needs is asked for, and another boundary is an error that says which
dimension differs. Facility and IT power meet only through a stated `pue`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from gigawatt.catalog.quarters import quarters
from gigawatt.core.boundary import parse_boundary
from gigawatt.core.bounded import Bounded, total
from gigawatt.core.errors import InputError, Problem
from gigawatt.finance import Schedule, build_ledger, read_contract
from gigawatt.study.backtests.case import Evaluator
from gigawatt.study.backtests.inputs import Inputs

BILLION = 1e9
GIGAWATT = 1e9
ALL_IN = "facility, all-in, buyer cost, quoted"
SALE = "facility, systems, vendor sale, quoted"


def _wholes(x: Inputs, name: str, power: str, action: str, **wanted: object) -> list[float]:
    """Figures of a list per W, each of the wanted boundary, times an input of power: USD."""
    return [
        figure.require(action, **wanted)
        .times_power(x.positive(power), x.counted_as(power), pue=x.optional("pue"))
        .value
        for figure in x.bounded(name)
    ]


def vendor_sale(x: Inputs) -> dict[str, float]:
    """A vendor's sale over a build-out: USD per W x W, at both ends of a range."""
    sales = _wholes(x, "vendor_part", "power", "a vendor's sale", side="vendor_sale")
    return {"vendor_sale_low_usd_b": min(sales) / BILLION, "vendor_sale_high_usd_b": max(sales) / BILLION}


def rack_split(x: Inputs) -> dict[str, float]:
    """Racks, chips and shares of a gigawatt from its all-in cost and a rack's.

    racks = cost / rack price; rack power = 1 GW / racks, so it holds all of the site's power. The vendor's content is
    chips, network and host processors; his gross profit a share of the *whole* cost.
    """
    (cost,), (rack,) = x.bounded("cost"), x.bounded("rack_price")
    power = cost.boundary.power
    whole = cost.times_power(GIGAWATT, power)
    racks = whole / rack
    parts = {key: whole.part(name, x.number(f"{key}_share")) for key, name in _PARTS.items()}
    return {
        "racks_per_gw": racks,
        "rack_power_kw": GIGAWATT / racks / 1e3,
        "gpus_per_gw": racks * x.number("chips_per_rack"),
        "gpu_usd_b": parts["chip"].value / BILLION,
        "vendor_content_usd_b": total(list(parts.values())).value / BILLION,
        "vendor_gross_profit_usd_b": whole.value * x.number("gross_profit_share") / BILLION,
    }


# input of a share -> the part of the boundary that it is
_PARTS = {"chip": "chips", "network": "network", "cpu": "cpu"}


def sales_per_gigawatt(x: Inputs) -> dict[str, float]:
    """Reported sales over power shipped, and whether they reject a figure per GW at a tolerance.

    The claim is a quoted price and the sales are realised: that is the one dimension which the test lets differ.
    """
    table = quarters(x.text("company"))
    sold = float(table.span(x.text("series"), x.text("first_quarter"), x.text("last_quarter")).sum())
    (claim,) = x.bounded("claimed")
    reported = Bounded(sold, "USD", parse_boundary("systems, vendor sale, realised"), name="reported sales")
    reported = reported.per_power(x.positive("power_shipped"), x.counted_as("power_shipped"))
    asked = claim.restate(price="realised", because="whether it is realised is the question")
    asked = asked.at_power(reported.boundary.power, pue=x.optional("pue"))
    rejected = float(abs(reported / asked - 1) > x.number("tolerance"))
    # USD per W is billion USD per GW
    return {
        "dc_revenue_per_gw_usd_b": reported.value,
        f"rejects_{claim.value:.6g}_per_gw": rejected,
        "rejects_claim": rejected,
    }


def tranche(x: Inputs) -> dict[str, float]:
    """What a milestone tranche funds of the first step's capital and of the vendor's own sale, and when it is paid.

    The cash is that of the contract itself, run through a ledger over a build-out by quarters.
    """
    per = x.positive("per")
    counted = {x.counted_as(name) for name in ("per", "built_by_quarter")}
    if len(counted) > 1:
        message = f"power differs: inputs.per counts '{x.counted_as('per')}', inputs.built_by_quarter another"
        raise InputError(Problem("boundary_mismatch", message, None, ("count both at the same power",)))
    steps = x.numbers("built_by_quarter") / GIGAWATT
    deal = read_contract(
        {
            "id": "letter",
            "kind": "milestone_tranche",
            "pays": "vendor",
            "gets": "lab",
            "status": "definitive (hypothetical)",
            "amount": x.number("amount"),
            "per": per,
        }
    )
    schedule = Schedule.quarterly(date(2026, 1, 1), len(steps), opening=False, gw_built=steps)
    paid = build_ledger([], [deal], schedule).total_usd(payer="vendor")
    whole = np.flatnonzero(steps >= per / GIGAWATT * (1 - 1e-9))
    first = int(whole[0]) if len(whole) else len(steps)
    capex = _wholes(x, "capex", "per", "capital of a step", side="buyer_cost")
    sale = _wholes(x, "vendor_part", "per", "the vendor's own sale", side="vendor_sale")
    amount = float(deal.terms.amount_usd)
    return {
        "tranche_share_of_capex_low": amount / max(capex),
        "tranche_share_of_capex_high": amount / min(capex),
        "tranche_share_of_sale_low": amount / max(sale),
        "tranche_share_of_sale_high": amount / min(sale),
        "cash_before_first_gw_usd_b": float(paid[:first].sum()) / BILLION,
        "cash_paid_usd_b": float(paid.sum()) / BILLION,
    }


def status_machine(x: Inputs) -> dict[str, float]:
    """Cash from one company to another by a day, from each contract's history as it was known on that day.

    A contract counts from the day on which it came into force; what has lapsed or was replaced pays nothing, and what
    was only intended shows as headline. The last period ends on the day itself.
    """
    payer, payee, by = x.text("payer"), x.text("payee"), x.day("by")
    known = (read_contract(raw).known(by) for raw in x.data("contracts"))
    signed = [contract for contract in known if contract is not None]
    ledger = build_ledger([], signed, _until(x.day("start"), by, x.number("built") / GIGAWATT), close=False)
    pair = ledger.select(lambda line: line.payer == payer and line.payee == payee)
    day = by.isoformat().replace("-", "_")
    cash, headline = float(pair.amount_usd.sum()) / BILLION, float(pair.headline_usd.sum()) / BILLION
    return {
        f"cash_{payer}_to_{payee}_by_{day}_usd_b": cash,
        f"headline_{payer}_to_{payee}_by_{day}_usd_b": headline,
        "cash_usd_b": cash,
        "headline_usd_b": headline,
    }


def _until(start: date, by: date, built_gw: float) -> Schedule:
    """Quarters from `start`, the last cut off on the day `by`."""
    months = (by.year - start.year) * 12 + by.month - start.month - (by.day < start.day)
    whole = Schedule.quarterly(start, max(1, months // 3 + 1), opening=False, gw_built=built_gw)
    if by >= whole.ends[-1]:
        return whole
    begin = whole.ends[-2].toordinal() + 1 if whole.periods > 1 else start.toordinal()
    part = (by.toordinal() - begin + 1) / (whole.ends[-1].toordinal() - begin + 1)
    share = whole.year_share.copy()
    share[-1] *= max(part, 0.0)
    return replace(whole, ends=(*whole.ends[:-1], max(by, start)), year_share=share)


def gigawatt_a_week(x: Inputs) -> dict[str, float]:
    """A build rate in money, racks and chips a year, and as a multiple of a rack rate once reached."""
    costs = _wholes(x, "capex", "power_per_year", "capital of a year", side="buyer_cost")
    racks = x.number("power_per_year") / GIGAWATT * x.number("racks_per_gigawatt")
    return {
        "usd_t_per_yr_low": min(costs) / 1e12,
        "usd_t_per_yr_high": max(costs) / 1e12,
        "racks_per_yr": racks,
        "gpus_per_yr_m": racks * x.number("chips_per_rack") / 1e6,
        "multiple_of_2025_rack_rate": racks / x.positive("rack_rate_per_week") / 52,
    }


EVALUATORS = (
    Evaluator(
        "vendor_sale",
        vendor_sale,
        {"vendor_part": "power_price[]", "power": "power", "pue": "count"},
        boundaries={"vendor_part": SALE, "power": "facility"},
        optional=("pue",),
    ),
    Evaluator(
        "rack_split",
        rack_split,
        {
            "cost": "power_price",
            "rack_price": "money",
            "chips_per_rack": "count",
            "chip_share": "share",
            "network_share": "share",
            "cpu_share": "share",
            "gross_profit_share": "share",
        },
        boundaries={"cost": ALL_IN, "rack_price": ALL_IN},
    ),
    Evaluator(
        "sales_per_gigawatt",
        sales_per_gigawatt,
        {
            "company": "text",
            "series": "text",
            "first_quarter": "text",
            "last_quarter": "text",
            "power_shipped": "power",
            "claimed": "power_price",
            "tolerance": "share",
            "pue": "count",
        },
        boundaries={"power_shipped": "facility", "claimed": SALE},
        optional=("pue",),
    ),
    Evaluator(
        "tranche",
        tranche,
        {
            "amount": "money",
            "per": "power",
            "capex": "power_price[]",
            "vendor_part": "power_price[]",
            "built_by_quarter": "power[]",
            "pue": "count",
        },
        boundaries={"per": "facility", "capex": ALL_IN, "vendor_part": SALE, "built_by_quarter": "facility"},
        optional=("pue",),
    ),
    Evaluator(
        "status_machine",
        status_machine,
        {"payer": "text", "payee": "text", "start": "day", "by": "day", "built": "power", "contracts": "data"},
    ),
    Evaluator(
        "gigawatt_a_week",
        gigawatt_a_week,
        {
            "power_per_year": "power",
            "capex": "power_price[]",
            "racks_per_gigawatt": "count",
            "chips_per_rack": "count",
            "rack_rate_per_week": "count",
            "pue": "count",
        },
        boundaries={"power_per_year": "facility", "capex": ALL_IN},
        optional=("pue",),
    ),
)

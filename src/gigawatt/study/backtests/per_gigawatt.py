"""What a gigawatt costs, of what, for whom: the same number has another meaning at another boundary."""

from __future__ import annotations

from datetime import date

import numpy as np

from gigawatt.catalog.quarters import quarters
from gigawatt.finance.contracts import read_contract
from gigawatt.finance.ledger import build_ledger
from gigawatt.finance.schedule import Schedule
from gigawatt.study.backtests.case import Evaluator, Inputs

BILLION = 1e9
GIGAWATT = 1e9


def vendor_sale(x: Inputs) -> dict[str, float]:
    """A vendor's sale over a build-out: USD per W x W, at both ends of a range."""
    low, high = x.numbers("vendor_part") * x.number("power")
    return {"vendor_sale_low_usd_b": low / BILLION, "vendor_sale_high_usd_b": high / BILLION}


def rack_split(x: Inputs) -> dict[str, float]:
    """Racks, chips and shares of a gigawatt from its all-in cost and a rack's.

    racks = cost / rack price; rack power = 1 GW / racks, so it holds all of the site's power. The vendor's content is
    chips, network and host processors; his gross profit a share of the *whole* cost.
    """
    cost = x.number("cost") * GIGAWATT
    racks = cost / x.number("rack_price")
    content = x.number("chip_share") + x.number("network_share") + x.number("cpu_share")
    return {
        "racks_per_gw": racks,
        "rack_power_kw": GIGAWATT / racks / 1e3,
        "gpus_per_gw": racks * x.number("chips_per_rack"),
        "gpu_usd_b": cost * x.number("chip_share") / BILLION,
        "vendor_content_usd_b": cost * content / BILLION,
        "vendor_gross_profit_usd_b": cost * x.number("gross_profit_share") / BILLION,
    }


def sales_per_gigawatt(x: Inputs) -> dict[str, float]:
    """Reported sales over power shipped, and whether they reject a figure per GW at a tolerance."""
    table = quarters(x.text("company"))
    sold = float(table.span(x.text("series"), x.text("first_quarter"), x.text("last_quarter")).sum())
    per_watt = sold / x.number("power_shipped")
    claimed = x.number("claimed")
    rejected = abs(per_watt / claimed - 1) > x.number("tolerance")
    name = f"rejects_{claimed * GIGAWATT / BILLION:.0f}_per_gw"
    return {"dc_revenue_per_gw_usd_b": per_watt * GIGAWATT / BILLION, name: float(rejected)}


def tranche(x: Inputs) -> dict[str, float]:
    """What a milestone tranche funds of the first step's capital and of the vendor's own sale, and when it is paid.

    The cash is that of the contract itself, run through a ledger over a build-out by quarters.
    """
    per = x.number("per")
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
    whole = np.flatnonzero(steps >= per / GIGAWATT)
    first = int(whole[0]) if len(whole) else len(steps)
    capex, sale = x.numbers("capex") * per, x.numbers("vendor_part") * per
    amount = x.number("amount")
    return {
        "tranche_share_of_capex_low": amount / float(capex.max()),
        "tranche_share_of_capex_high": amount / float(capex.min()),
        "tranche_share_of_sale_low": amount / float(sale.max()),
        "tranche_share_of_sale_high": amount / float(sale.min()),
        "cash_before_first_gw_usd_b": float(paid[:first].sum()) / BILLION,
    }


def status_machine(x: Inputs) -> dict[str, float]:
    """Cash from one company to another by a day, from each contract's history as it was known on that day.

    A contract counts from the day on which it came into force; what has lapsed or was replaced pays nothing, and what
    was only intended shows as headline.
    """
    payer, payee, by = x.text("payer"), x.text("payee"), x.day("by")
    start, gigawatts = x.day("start"), x.number("built") / GIGAWATT
    count = max(1, (by.year - start.year) * 4 + (by.month - start.month + 2) // 3)
    schedule = Schedule.quarterly(start, count, opening=False, gw_built=gigawatts)
    known = (read_contract(raw).known(by) for raw in x.data("contracts"))
    signed = [contract for contract in known if contract is not None]
    ledger = build_ledger([], signed, schedule)
    pair = ledger.select(lambda line: line.payer == payer and line.payee == payee)
    inside = np.array([end <= by for end in schedule.ends])
    day = by.isoformat().replace("-", "_")
    return {
        f"cash_{payer}_to_{payee}_by_{day}_usd_b": float(pair.amount_usd[:, inside].sum()) / BILLION,
        f"headline_{payer}_to_{payee}_by_{day}_usd_b": float(pair.headline_usd[:, inside].sum()) / BILLION,
    }


def gigawatt_a_week(x: Inputs) -> dict[str, float]:
    """A build rate in money, racks and chips a year, and as a multiple of a rack rate once reached."""
    power = x.number("power_per_year")
    low, high = x.numbers("capex") * power
    racks = power / GIGAWATT * x.number("racks_per_gigawatt")
    return {
        "usd_t_per_yr_low": low / 1e12,
        "usd_t_per_yr_high": high / 1e12,
        "racks_per_yr": racks,
        "gpus_per_yr_m": racks * x.number("chips_per_rack") / 1e6,
        "multiple_of_2025_rack_rate": racks / x.number("rack_rate_per_week") / 52,
    }


EVALUATORS = (
    Evaluator("vendor_sale", vendor_sale, {"vendor_part": "power_price[]", "power": "power"}),
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
        },
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
        },
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
        },
    ),
)

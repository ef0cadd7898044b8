"""Networks of firms: what is paid when some can not, and how much of the money comes round."""

from __future__ import annotations

import numpy as np

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.finance.circularity import circularity
from gigawatt.finance.clearing import clear
from gigawatt.study.backtests.case import Evaluator, Inputs

BILLION = 1e9


def clearing(x: Inputs) -> dict[str, float]:
    """Total payment of each firm under Eisenberg-Noe, and under Rogers-Veraart with default costs."""
    network = (x.numbers("liabilities"), x.numbers("outside_assets"), x.numbers("outside_liabilities"))
    plain = clear(*network)
    costly = clear(*network, alpha=x.number("alpha"), beta=x.number("beta"))
    out = {f"eisenberg_noe_p{k}": float(paid) for k, paid in enumerate(plain.paid_usd, 1)}
    out |= {f"rogers_veraart_p{k}": float(paid) for k, paid in enumerate(costly.paid_usd, 1)}
    out |= {"defaults_eisenberg_noe": float(plain.defaulted.sum())}
    return out | {"defaults_rogers_veraart": float(costly.defaulted.sum())}


def circular_loop(x: Inputs) -> dict[str, float]:
    """Finn's cycling index of a network, and what one payment brings back to its payer."""
    names = x.texts("companies")
    payments = np.zeros((len(names), len(names)))
    inflow = np.zeros(len(names))
    for row in x.data("payments"):
        payments[_index(row, "payer", names), _index(row, "payee", names)] += _money(row)
    for row in x.data("outside_inflows"):
        inflow[_index(row, "payee", names)] += _money(row)
    found = circularity(payments, inflow, names)
    payer, payee = names.index(x.text("payer")), names.index(x.text("payee"))
    returned = float(found.returned_usd[payer, payee])
    return {
        "finn_index": found.index,
        "returned_usd_b": returned / BILLION,
        "returned_share": returned / payments[payer, payee] if payments[payer, payee] else 0.0,
    }


def _index(row: dict[str, object], key: str, names: list[str]) -> int:
    name = str(row.get(key))
    if name not in names:
        raise InputError(unknown_name("company", name, names))
    return names.index(name)


def _money(row: dict[str, object]) -> float:
    try:
        return units.parse(str(row.get("amount")), "money")
    except units.UnitError as error:
        raise InputError(Problem("bad_input", f"payments: {error}")) from None


EVALUATORS = (
    Evaluator(
        "clearing",
        clearing,
        {
            "liabilities": "count[][]",
            "outside_assets": "count[]",
            "outside_liabilities": "count[]",
            "alpha": "share",
            "beta": "share",
        },
    ),
    Evaluator(
        "circular_loop",
        circular_loop,
        {"companies": "text[]", "payments": "data", "outside_inflows": "data", "payer": "text", "payee": "text"},
    ),
)

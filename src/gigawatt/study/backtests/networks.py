"""Networks of firms: what is paid when some can not, and how much of the money comes round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.finance import Flow
from gigawatt.finance.circularity import circularity, payment_matrix
from gigawatt.finance.clearing import clear
from gigawatt.study.backtests.case import Evaluator, near
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.backtests.ledgers import amount, one_period

BILLION = 1e9
OUTSIDE = "(outside)"


def clearing(x: Inputs) -> dict[str, float]:
    """Total payment of each firm under Eisenberg-Noe, and under Rogers-Veraart with default costs.

    Raises:
        InputError: shapes that do not fit each other, negative amounts.
    """
    rows = x.data("liabilities")
    if any(len(row) != len(rows) for row in rows):
        lengths = ", ".join(str(len(row)) for row in rows)
        message = f"inputs.liabilities is a square table: {len(rows)} firms, but rows of {lengths} values"
        raise InputError(Problem("wrong_length", message))
    network = (x.numbers("liabilities"), x.numbers("outside_assets"), x.numbers("outside_liabilities"))
    plain = clear(*network)
    costly = clear(*network, alpha=x.number("alpha"), beta=x.number("beta"))
    out = {f"eisenberg_noe_p{k}": float(paid) for k, paid in enumerate(plain.paid_usd, 1)}
    out |= {f"rogers_veraart_p{k}": float(paid) for k, paid in enumerate(costly.paid_usd, 1)}
    out |= {"defaults_eisenberg_noe": float(plain.defaulted.sum())}
    return out | {"defaults_rogers_veraart": float(costly.defaulted.sum())}


def circular_loop(x: Inputs) -> dict[str, float]:
    """Finn's cycling index of a network, and what one payment brings back to its payer.

    The payments stand in a ledger; money enters only where the case says so.
    """
    names = x.texts("companies")
    flows = [
        Flow(_name(row, "payer", names), _name(row, "payee", names), "revenue", amount(_money(row, ("payer", "payee"))))
        for row in x.data("payments")
    ]
    flows += [
        Flow(OUTSIDE, _name(row, "payee", names), "revenue", amount(_money(row, ("payee",))))
        for row in x.data("outside_inflows")
    ]
    asked = [unknown_name("company", x.text(key), names) for key in ("payer", "payee") if x.text(key) not in names]
    if asked:
        raise InputError(asked)
    ledger = one_period(flows, 1.0)
    payments, _ = payment_matrix(ledger, names)
    inflow = [float(ledger.total_usd(payer=OUTSIDE, payee=name).sum()) for name in names]
    found = circularity(payments, inflow, names)
    payer, payee = names.index(x.text("payer")), names.index(x.text("payee"))
    returned = float(found.returned_usd[payer, payee])
    return {
        "finn_index": found.index,
        "returned_usd_b": returned / BILLION,
        "returned_share": returned / payments[payer, payee] if payments[payer, payee] else 0.0,
    }


def _name(row: Mapping[str, Any], key: str, names: list[str]) -> str:
    if key not in row:
        raise InputError(Problem("missing", f"a payment needs '{key}'", None, near(key, list(row))))
    name = str(row[key])
    if name not in names:
        raise InputError(unknown_name("company", name, names))
    return name


def _money(row: Mapping[str, Any], others: tuple[str, ...]) -> float:
    known = ["amount", *others]
    wrong = [key for key in row if key not in (*known, "source", "note")]
    if wrong:
        raise InputError(Problem("unknown_field", f"a payment has no '{wrong[0]}'", None, near(wrong[0], known)))
    try:
        usd = units.parse(str(row.get("amount")), "money")
    except units.UnitError as error:
        raise InputError(Problem("bad_input", f"payments: {error}")) from None
    if usd < 0:
        raise InputError(Problem("bad_input", f"payments: {usd:,.0f} USD is below zero; turn payer and payee round"))
    return usd


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

"""Rental contracts, backlog, and who pays for it himself: what a signature is worth, read from a ledger."""

from __future__ import annotations

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.finance import Flow, Ledger, cfads_usd, debt_service_usd, dscr, usd_per_mw_year
from gigawatt.finance.schedule import Array
from gigawatt.study.backtests.case import Evaluator
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.backtests.ledgers import OWNER, TENANT, amount, by_years, one_period, rental, return_percent

BILLION = 1e9


def rental_return(x: Inputs) -> dict[str, float]:
    """Price of a MW-year and return of a rental contract at several costs of the plant.

    Capital at the start, the site margin of the rent at the end of each year, no tax, no residual value.
    """
    value, term, power = x.positive("contract_value"), x.positive("term"), x.positive("power")
    returns: dict[float, float] = {}
    out: dict[str, float] = {}
    for capex in x.bounded("capex"):
        whole = capex.times_power(power, x.counted_as("power"), pue=x.optional("pue"))
        ledger = rental(value, term, power, x.number("site_margin"), whole.value)
        if not out:
            out = {"rent_usd_b_per_yr": float(ledger.total_usd(payer=TENANT).sum()) / term / BILLION} | _price(ledger)
        returns[capex.value] = return_percent(ledger)
        # USD per W is billion USD per GW
        out[f"irr_capex_{capex.value:.6g}"] = returns[capex.value]
    return out | by_place("irr_capex", returns)


def financed_rental(x: Inputs) -> dict[str, float]:
    """Return of a rental contract, with and without prepayment, and the cover of a level annuity on its debt.

    A prepayment comes at the start and is credited evenly against the *cash* of the years, after the margin. Beside the
    annuity by years stands the cover of the engine's own loan, which is paid by quarters.
    """
    value, term, power = x.positive("contract_value"), x.positive("term"), x.positive("power")
    capex, rate = x.positive("capex"), x.number("rate")
    terms = (value, term, power, x.number("site_margin"), capex)
    prepaid = x.number("prepaid_share") * value
    ahead = {"id": "prepayment", "kind": "prepayment", "pays": TENANT, "gets": OWNER, "amount": prepaid, "term": term}
    debt = x.number("loan_to_cost") * capex
    loan = {
        "id": "loan",
        "kind": "term_loan",
        "pays": "lender",
        "gets": OWNER,
        "amount": debt,
        "rate": rate,
        "term": term,
    }
    plain = rental(*terms)
    by_year = rental(*terms, loan=(debt, rate))
    by_quarter = rental(*terms, contracts=[loan])
    return _price(plain) | {
        "irr": return_percent(plain),
        "irr_with_prepayment": return_percent(rental(*terms, contracts=[ahead])),
        "dscr_level_annuity": _cover(
            by_years(cfads_usd(by_year, OWNER), by_year.schedule),
            by_years(debt_service_usd(by_year, OWNER), by_year.schedule),
        ),
        "dscr_quarterly_loan": _cover(cfads_usd(by_quarter, OWNER), debt_service_usd(by_quarter, OWNER)),
        "irr_to_equity": return_percent(by_year),
    }


def _price(ledger: Ledger) -> dict[str, float]:
    price = usd_per_mw_year(ledger, OWNER, "rent")
    return {"usd_m_per_mw_yr": float("nan") if price is None else price / 1e6}


def _cover(cash: Array, service: Array) -> float:
    cover = dscr(cash, service).minimum
    return float("nan") if cover is None else cover


def by_place(name: str, values: dict[float, float]) -> dict[str, float]:
    """Names that stay when inputs change: the output at the least, the middle and the greatest of several inputs.

    >>> by_place("irr", {60.0: -1.9, 38.0: 15.0, 50.0: 4.3})
    {'irr_low': 15.0, 'irr_mid': 4.3, 'irr_high': -1.9}
    >>> by_place("irr", {60.0: -1.9})
    {}
    """
    if len(values) < 2:
        return {}
    ordered = sorted(values)
    middle = ordered[(len(ordered) - 1) // 2]
    places = {"low": ordered[0], "mid": middle, "high": ordered[-1]}
    return {f"{name}_{place}": values[at] for place, at in places.items()}


def backlog(x: Inputs) -> dict[str, float]:
    """What signed contracts alone bring in the next twelve months, over the last twelve: a floor under growth.

    The contracts behind a reported backlog are not public one by one, so that no ledger can be run from them.
    """
    next_year = x.number("remaining_obligations") * x.number("next_twelve_months_share")
    return {
        "next_12m_usd_b": next_year / BILLION,
        "growth_floor": 100 * (next_year / x.positive("trailing_revenue") - 1),
    }


def self_funding(x: Inputs) -> dict[str, float]:
    """Internal cash over capital expenditure: of a group as ratio of sums, and of one company alone with its gap.

    Raises:
        InputError: lists of different lengths, or a company that is not in the list.
    """
    names = x.texts("companies")
    capex, cash = x.numbers("capex"), x.numbers("internal_cash")
    if not len(names) == len(capex) == len(cash):
        raise _lengths(len(names), len(capex), len(cash))
    flows = [Flow(f"customers of {n}", n, "revenue", amount(usd)) for n, usd in zip(names, cash, strict=True)]
    flows += [Flow(n, f"suppliers of {n}", "capex", amount(usd)) for n, usd in zip(names, capex, strict=True)]
    ledger = one_period(flows, 1.0)
    asked = [*x.texts("group"), x.text("company")]
    problems = [unknown_name("company", one, names) for one in asked if one not in names]
    if problems:
        raise InputError(problems)
    group, one = x.texts("group"), x.text("company")
    own = {name: float(cfads_usd(ledger, name).sum()) for name in names}
    spent = {name: float(ledger.total_usd(payer=name, account="capex").sum()) for name in names}
    shared = sum(own[name] for name in group) / sum(spent[name] for name in group)
    alone, gap = own[one] / spent[one], (spent[one] - own[one]) / BILLION
    label = one.lower()
    return {
        f"self_funding_big{len(group)}": shared,
        f"self_funding_{label}": alone,
        f"gap_{label}_usd_b": gap,
        "self_funding_group": shared,
        "self_funding_company": alone,
        "gap_usd_b": gap,
    }


def _lengths(*have: int) -> InputError:
    message = f"companies, capex and internal_cash have {', '.join(map(str, have))} values: one a company is needed"
    return InputError(Problem("wrong_length", message))


CAPEX = "unstated, all-in, buyer cost, quoted"
_RENTAL = {"contract_value": "money", "term": "years", "power": "power", "site_margin": "share"}
EVALUATORS = (
    Evaluator(
        "rental_return",
        rental_return,
        {**_RENTAL, "capex": "power_price[]", "pue": "count"},
        boundaries={"capex": CAPEX, "power": "unstated"},
        optional=("pue",),
    ),
    Evaluator(
        "financed_rental",
        financed_rental,
        {**_RENTAL, "capex": "money", "prepaid_share": "share", "loan_to_cost": "share", "rate": "share"},
    ),
    Evaluator(
        "backlog",
        backlog,
        {"remaining_obligations": "money", "next_twelve_months_share": "share", "trailing_revenue": "money"},
    ),
    Evaluator(
        "self_funding",
        self_funding,
        {"companies": "text[]", "capex": "money[]", "internal_cash": "money[]", "group": "text[]", "company": "text"},
    ),
)

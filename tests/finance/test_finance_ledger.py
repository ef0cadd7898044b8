"""Laws of the ledger: two sides, nothing lost, statuses, who runs out."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.finance import (
    CHART,
    Flow,
    Residual,
    Schedule,
    between,
    build_ledger,
    default_share,
    defaults,
    read_contract,
    read_contracts,
    sankey,
)

START = date(2027, 1, 1)
NAMES = ("operator", "lab", "vendor", "lender", "utility")


def plan(quarters: int = 4, **columns: float) -> Schedule:
    return Schedule.quarterly(START, quarters, **columns)


@st.composite
def flows(draw: st.DrawFn, periods: int = 5) -> list[Flow]:
    out = []
    for _ in range(draw(st.integers(1, 12))):
        payer, payee = draw(st.permutations(NAMES))[:2]
        account = draw(st.sampled_from(sorted(name for name, one in CHART.items() if one.cash)))
        amounts = draw(st.lists(st.floats(-1e12, 1e12), min_size=periods, max_size=periods))
        out.append(Flow(payer, payee, account, np.array(amounts)))
    return out


@given(flows())
def test_every_period_sums_to_zero(made: list[Flow]) -> None:
    ledger = build_ledger(made, [], plan(), close=False)
    net = ledger.net_usd()
    turnover = np.abs(ledger.amount_usd).sum(axis=0)
    assert np.all(np.abs(net.sum(axis=0)) <= 1e-12 * turnover + 1e-9)
    # and by hand, company by company
    for k, name in enumerate(ledger.companies):
        by_hand = sum((f.amount_usd for f in made if f.payee == name), np.zeros(5)) - sum(
            (f.amount_usd for f in made if f.payer == name), np.zeros(5)
        )
        np.testing.assert_allclose(net[k], by_hand, atol=1e-3)


@given(flows())
def test_postings_rebuild_cash(made: list[Flow]) -> None:
    ledger = build_ledger(made, [], plan(), close=False, opening_cash_usd={"lab": 7e9})
    cash = {name: ledger.opening_cash_usd.get(name, 0.0) for name in ledger.companies}
    for row in ledger.postings().rows():
        cash[row["payer"]] -= row["amount_usd"]
        cash[row["payee"]] += row["amount_usd"]
    for name, value in cash.items():
        assert value == pytest.approx(float(ledger.cash_usd(name)[-1]), abs=1e-2)
    ends = {row["company"]: row["cash_usd"] for row in ledger.by_company().rows() if row["period"] == 4}
    for name, value in ends.items():
        assert value == pytest.approx(cash[name], abs=1e-2)


@pytest.mark.parametrize(
    ("status", "cash", "headline"),
    [
        ("intent", 0, 1),
        ("definitive", 1, 1),
        ("definitive (hypothetical)", 1, 1),
        ("effective", 1, 1),
        ("amended", 1, 1),
        ("lapsed", 0, 0),
        ("replaced", 0, 0),
    ],
)
def test_statuses(status: str, cash: int, headline: int) -> None:
    raw = {"id": "e", "kind": "equity", "pays": "vendor", "gets": "lab", "status": status, "amount": "3 billion USD"}
    ledger = build_ledger([], [read_contract(raw)], plan())
    assert ledger.amount_usd.sum() == cash * 3e9
    assert ledger.headline_usd.sum() == headline * 3e9
    assert ledger.cash_usd("lab")[-1] == cash * 3e9


def test_nothing_builds_on_a_letter_of_intent() -> None:
    """A loan sculpted on an intended rent finds no cash to be served from."""
    rent = {"id": "r", "kind": "take_or_pay", "pays": "lab", "gets": "operator", "price": "10 million USD/MW/yr"}
    loan = {"id": "l", "kind": "term_loan", "pays": "lender", "gets": "operator", "amount": "1 million USD"}
    terms = {"rate": "8 %", "term": 1, "repayment": "sculpted"}
    signed = read_contracts([rent, loan | terms])
    build_ledger([], signed, plan(mw_active=100.0))
    intended = read_contracts([rent | {"status": "intent"}, loan | terms])
    with pytest.raises(InputError, match="cash available"):
        build_ledger([], intended, plan(mw_active=100.0))


def test_a_company_that_runs_out() -> None:
    amounts = np.array([100.0, 0.0, 50.0, -80.0, 0.0])
    ledger = build_ledger(
        [Flow("operator", "vendor", "opex", amounts)], [], plan(), opening_cash_usd={"operator": 120.0, "lab": 0.0}
    )
    (one,) = defaults(ledger)
    assert (one.company, one.period, one.date) == ("operator", 2, date(2027, 6, 30))
    assert one.shortfall_usd == pytest.approx(30.0)
    assert one.peak_shortfall_usd == pytest.approx(30.0)


def test_closing_values_are_no_payments_that_can_be_missed() -> None:
    loan = {"id": "l", "kind": "term_loan", "pays": "lender", "gets": "operator", "amount": "100 USD", "rate": 0}
    signed = read_contracts([loan | {"term": 5}])
    spent = Flow("operator", "vendor", "capex", np.array([100.0, 0, 0, 0, 0]))
    earned = Flow("lab", "operator", "rent", np.array([0.0, 5, 5, 5, 5]))
    ledger = build_ledger(
        [spent, earned],
        signed,
        plan(),
        residuals=[Residual("operator", "capex", 30.0)],
        opening_cash_usd={"operator": 0.0},
    )
    assert defaults(ledger) == ()
    # 100 drawn over 20 quarters, 4 of them paid: 80 settled at the end, against 30 of residual value
    assert ledger.cash_usd("operator")[-1] == pytest.approx(20 - 20 + 30 - 80)
    assert ledger.without_closing().cash_usd("operator")[-1] == pytest.approx(0)
    assert not any(line.closing for line in build_ledger([spent], signed, plan(), close=False).lines)


def test_draws_lead_the_periods() -> None:
    energy = np.array([[10.0], [30.0]]) * np.ones(5)
    ledger = build_ledger(
        [Flow("operator", "utility", "energy", energy), Flow("lab", "operator", "rent", np.full(5, 20.0))],
        [],
        plan(),
        opening_cash_usd={"operator": 25.0},
    )
    assert ledger.amount_usd.shape == (2, 2, 5)
    np.testing.assert_allclose(ledger.cash_usd("operator"), [[35, 45, 55, 65, 75], [15, 5, -5, -15, -25]])
    np.testing.assert_allclose(default_share(ledger, "operator"), [0, 0, 0.5, 0.5, 0.5])


def test_inputs_are_refused_with_a_reason() -> None:
    with pytest.raises(InputError, match="pays itself"):
        Flow("lab", "lab", "rent", np.zeros(5))
    with pytest.raises(InputError, match="finite"):
        Flow("lab", "operator", "rent", np.array([np.nan]))
    with pytest.raises(InputError, match="3 amounts"):
        build_ledger([Flow("lab", "operator", "rent", np.zeros(3))], [], plan())
    with pytest.raises(InputError, match="did you mean 'revenue'"):
        build_ledger([Flow("lab", "operator", "revenu", np.zeros(5))], [], plan())


@given(flows())
def test_sankey_keeps_what_each_pair_nets(made: list[Flow]) -> None:
    ledger = build_ledger(made, [], plan(), close=False)
    net = dict(zip(ledger.companies, ledger.net_usd().sum(axis=1), strict=True))
    from_links = dict.fromkeys(ledger.companies, 0.0)
    for row in sankey(ledger).rows():
        assert row["amount_usd"] > 0
        from_links[row["payer"]] -= row["amount_usd"]
        from_links[row["payee"]] += row["amount_usd"]
    for name, value in net.items():
        assert from_links[name] == pytest.approx(float(value), abs=1.0)
    assert sum(row["cash_usd"] for row in between(ledger).rows()) == pytest.approx(
        float(ledger.amount_usd.sum()), abs=1.0
    )

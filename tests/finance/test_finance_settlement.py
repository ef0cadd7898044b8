"""Settlement: the batched form against a plain loop, consistency of stocks and flows, defaults, guarantees, clearing."""

from datetime import date

import numpy as np
import pytest
from deals_looped import settle_one
from deals_synthetic import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gigawatt.finance import Flow, Schedule, read_contracts
from gigawatt.finance.batch import settle_draws
from gigawatt.finance.books import Firm
from gigawatt.finance.contracts import Columns
from gigawatt.finance.obligations import owe
from gigawatt.finance.settlement import NEVER, settle

START = date(2027, 1, 1)
QUARTERS = Schedule.quarterly(START, 4, opening=False)


def column(*values: float) -> np.ndarray:
    return np.array([*values, *[0.0] * (4 - len(values))])


@pytest.mark.parametrize("keep", [1.0, 0.6])
def test_the_batched_form_is_the_loop(keep: float) -> None:
    """50 draws of a poor network: cash, income, net worth, revenue and defaults, to a hundredth of a per mille."""
    made = synthetic(50, companies=9, contracts=60, quarters=14, seed=3, wealth=0.03)
    owed = made.obligations(0, 50)
    batch = settle(owed, made.firms, alpha=keep, beta=keep)
    assert (batch.default_period < NEVER).any(axis=0).mean() > 0.5, "the case is too rich to test defaults"
    assert batch.called_usd.sum() > 0, "no guarantee is called"
    for draw in range(50):
        one = settle_one(owed, made.firms, draw, keep)
        for name in batch.parties:
            k = batch.parties.index(name)
            first = int(batch.default_period[k, draw])
            assert one.default.get(name, NEVER) == first, (draw, name)
            for book in ("cash", "net_income", "net_worth", "revenue"):
                np.testing.assert_allclose(
                    batch.of(book, name)[:, draw],
                    getattr(one, book)[name],
                    rtol=1e-5,
                    atol=10.0,
                    err_msg=f"{draw} {name} {book}",
                )


def test_neither_chunks_nor_workers_change_a_bit() -> None:
    made = synthetic(40, companies=8, contracts=50, quarters=10, seed=5, wealth=0.05)
    whole = settle_draws(made.obligations, made.firms, 40, chunk=40)
    for chunk, workers in ((7, 1), (13, 2)):
        parts = settle_draws(made.obligations, made.firms, 40, chunk=chunk, workers=workers)
        assert np.array_equal(whole.default_period, parts.default_period)
        for book in whole.books:
            assert whole.books[book].tobytes() == parts.books[book].tobytes(), book


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), wealth=st.sampled_from([0.01, 0.1, 1.0]), keep=st.floats(0, 1))
def test_stocks_and_flows_agree_and_net_worth_is_explained(seed: int, wealth: float, keep: float) -> None:
    made = synthetic(3, companies=6, contracts=40, quarters=8, seed=seed, wealth=wealth)
    found = settle(made.obligations(0, 3), made.firms, alpha=keep, beta=keep)
    assert found.residual < 1e-9
    b = found.books
    worth = np.diff(b["net_worth"], axis=1)
    paid_in = np.diff(b["paid_in"], axis=1)
    retained = np.diff(b["retained"], axis=1)
    scale = np.abs(b["net_worth"]).max() + 1.0
    np.testing.assert_allclose(worth, paid_in + retained, atol=1e-9 * scale)
    # what is kept is what is earned, less what is distributed (nobody distributes here)
    np.testing.assert_allclose(retained, b["net_income"][:, 1:], atol=1e-9 * scale)
    # nobody with a purse ever holds less than nothing
    purses = [k for k, name in enumerate(found.parties) if name in {f.name for f in made.firms}]
    assert b["cash"][purses].min() > -1.0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6))
def test_clearing_of_a_quarter_is_the_linear_programme(seed: int) -> None:
    """One quarter of debts between firms: what each pays solves max sum p, p <= e + Pi' p, p <= p_bar."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    owed = rng.exponential(1e9, (n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(owed, 0.0)
    outside = rng.exponential(5e8, n)
    cash = rng.exponential(4e8, n)
    flows = [
        Flow(f"f{i}", f"f{j}", "opex", column(owed[i, j])) for i in range(n) for j in range(n) if owed[i, j] > 0
    ] + [Flow(f"f{i}", "others", "opex", column(outside[i])) for i in range(n)]
    firms = [Firm(f"f{i}", float(cash[i])) for i in range(n)]
    found = settle(owe(flows, [], Columns(QUARTERS)), firms)
    total = owed.sum(axis=1) + outside
    share = np.divide(owed, total[:, None], out=np.zeros_like(owed), where=total[:, None] > 0)
    best = linprog(-np.ones(n), np.eye(n) - share.T, cash, bounds=[(0, one) for one in total], method="highs").x
    paid = [
        sum(found.paid_usd[k, 0, 0] for k, line in enumerate(found.lines) if line.payer == f"f{i}") for i in range(n)
    ]
    np.testing.assert_allclose(paid, best, atol=0.02 + 1e-8 * total.max())


def test_a_ring_that_hardly_leaks_is_cleared_exactly() -> None:
    """Plain iteration would take hundreds of thousands of rounds: each firm owes the next 1000, one owes 1 outside."""
    n = 30
    flows = [Flow(f"f{k}", f"f{(k + 1) % n}", "opex", column(1000e6)) for k in range(n)]
    flows.append(Flow("f0", "others", "opex", column(1e6)))
    found = settle(owe(flows, [], Columns(QUARTERS)), [Firm(f"f{k}", 0.0) for k in range(n)])
    paid = sum(found.paid_usd[k, 0, 0] for k, line in enumerate(found.lines) if line.payer == "f1")
    assert paid == pytest.approx(0.0, abs=1.0)
    assert (found.default_period[:n, 0] == 0).all()


def test_a_guarantee_is_called_for_what_is_unpaid_and_clears_again() -> None:
    """The tenant can pay 4 of 10; the guarantor owes half of the 6 that are missing, at most 5 over its life."""
    scale = 1e9
    contracts = read_contracts(
        [
            {"id": "rent", "kind": "take_or_pay", "pays": "tenant", "gets": "owner", "amount": 40 * scale, "term": 1},
            {
                "id": "standby", "kind": "guarantee", "pays": "vendor", "gets": "owner", "covers": "rent",
                "share": 0.5, "cap": 5 * scale,
            },
        ]
    )  # fmt: skip
    debt = Flow("owner", "bank", "opex", np.full(4, 7 * scale))
    firms = [Firm("tenant", 4 * scale), Firm("owner", 0.0), Firm("vendor", 100 * scale)]
    found = settle(owe([debt], contracts, Columns(QUARTERS)), firms)
    called = found.paid_usd[[line.account for line in found.lines].index("guarantee"), :, 0] / scale
    np.testing.assert_allclose(called, [3, 2, 0, 0], atol=1e-9)
    at = {name: found.default_period[k, 0] for k, name in enumerate(found.parties)}
    # with 4 + 3 the owner just pays its 7; when the cap is reached it falls
    assert at["tenant"] == 0 and at["owner"] == 1 and at["vendor"] == NEVER
    without = settle(owe([debt], contracts[:1], Columns(QUARTERS)), firms)
    assert without.default_period[without.parties.index("owner"), 0] == 0


def test_costs_of_default_only_hurt() -> None:
    made = synthetic(20, companies=8, contracts=60, quarters=10, seed=11, wealth=0.05)
    owed = made.obligations(0, 20)
    mild = settle(owed, made.firms)
    harsh = settle(owed, made.firms, alpha=0.5, beta=0.5)
    assert harsh.lost_usd[:, :].sum() >= mild.lost_usd.sum()
    first = mild.default_period.min(axis=0)
    # until the first default of all both are the same
    for draw in range(20):
        until = min(int(first[draw]), made.schedule.periods)
        np.testing.assert_array_equal(mild.books["cash"][:, :until, draw], harsh.books["cash"][:, :until, draw])


def test_what_a_default_costs_is_gone() -> None:
    """A firm with 10 that owes 20 pays 6 where 40 % of a default is lost; the other 4 go to its administrators."""
    flows = [Flow("firm", "bank", "opex", column(20e9))]
    found = settle(owe(flows, [], Columns(QUARTERS)), [Firm("firm", 10e9)], alpha=0.6, beta=0.6)
    assert found.paid_usd[0, 0, 0] == pytest.approx(6e9)
    assert found.of("cash", "firm")[0, 0] == pytest.approx(0.0, abs=1.0)
    assert found.of("revenue", "administrators")[0, 0] == pytest.approx(4e9)
    assert found.residual < 1e-12


def test_money_given_to_a_customer_lowers_revenue() -> None:
    """A grant or a warrant to whoever buys is consideration payable to a customer; to anyone else it is a cost."""
    contracts = read_contracts(
        [
            {"id": "buy", "kind": "purchase", "pays": "lab", "gets": "vendor", "amount": 100e9, "term": 1},
            {"id": "gift", "kind": "milestone_tranche", "pays": "vendor", "gets": "lab", "amount": 10e9, "per": 1e9,
             "maximum": 10e9, "account": "grant", "site": "hall"},
            {"id": "charity", "kind": "milestone_tranche", "pays": "vendor", "gets": "museum", "amount": 1e9, "per": 1e9,
             "maximum": 1e9, "account": "grant", "site": "hall"},
        ]
    )  # fmt: skip
    hall = Schedule.quarterly(START, 4, opening=False, gw_built=1.0)
    columns = Columns(QUARTERS, sites={"hall": hall})
    found = settle(owe([], contracts, columns), [Firm("lab", 200e9), Firm("vendor", 50e9)])
    assert found.of("contra_revenue", "vendor").sum() == pytest.approx(-10e9)
    assert found.of("expense", "vendor").sum() == pytest.approx(-1e9)
    assert found.of("gains", "lab").sum() == pytest.approx(10e9)


def test_a_company_in_default_invests_no_more_and_its_shares_are_worth_nothing() -> None:
    contracts = read_contracts(
        [
            {"id": "stake", "kind": "equity", "pays": "fund", "gets": "lab", "amount": 10e9},
            {"id": "racks", "kind": "purchase", "pays": "lab", "gets": "vendor", "amount": 40e9, "term": 1},
        ]
    )
    flows = [Flow("lab", "staff", "opex", column(0.0, 50e9))]
    found = settle(
        owe(flows, contracts, Columns(QUARTERS), gross_margin={"vendor": 0.5}), [Firm("lab", 5e9), Firm("fund", 10e9)]
    )
    lab = found.parties.index("lab")
    assert found.default_period[lab, 0] == 1
    assert found.of("stakes", "fund")[:, 0].tolist() == pytest.approx([10e9, 0, 0, 0])
    bought = found.paid_usd[[line.contract for line in found.lines].index("racks"), :, 0]
    assert bought[0] == pytest.approx(10e9) and bought[1] < 10e9 and bought[2:].tolist() == [0, 0]
    made = found.paid_usd[[line.account for line in found.lines].index("cogs"), :, 0]
    assert made.tolist() == pytest.approx([5e9, 5e9, 0, 0])

"""Every kind of contract against arithmetic that does not come from it, and the laws that its payments obey."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.finance import Flow, Schedule, read_contract, read_contracts
from gigawatt.finance.books import Firm
from gigawatt.finance.contracts import Columns, Contract
from gigawatt.finance.obligations import owe
from gigawatt.finance.schedule import add_years
from gigawatt.finance.settlement import NEVER, Settlement, settle

START = date(2027, 1, 1)
B = 1e9
DAYS = st.dates(date(2025, 1, 1), date(2028, 12, 31))


def quarters(n: int = 8, **stock: Any) -> Schedule:
    return Schedule.quarterly(START, n, opening=False, **stock)


def world(n: int = 8, *, paths: dict[str, Any] | None = None, **stock: Any) -> Columns:
    """A hall with the stock columns given, and paths, over `n` quarters from 2027."""
    levels = {name: np.asarray(values, dtype=float) for name, values in (paths or {}).items()}
    return Columns(quarters(n), sites={"hall": quarters(n, **stock)}, paths=levels)


def contract(kind: str, pays: str = "payer", gets: str = "payee", **terms: Any) -> Contract:
    return read_contract({"id": terms.pop("id", "it"), "kind": kind, "pays": pays, "gets": gets, **terms})


def posted(made: Contract, columns: Columns, account: str) -> np.ndarray:
    """What a contract posts on an account, [..., periods]; 0 where it posts nothing."""
    flows = [flow.amount_usd for flow in made.postings(columns) if flow.account.partition(":")[0] == account]
    return np.asarray(sum(flows, np.zeros(columns.schedule.periods)))


def settled(
    contracts: list[Contract], firms: list[Firm], columns: Columns, flows: list[Flow] | None = None
) -> Settlement:
    return settle(owe(flows or [], contracts, columns), firms)


def paid_under(found: Settlement, name: str, account: str = "") -> np.ndarray:
    lines = [k for k, line in enumerate(found.lines) if line.contract == name and account in ("", line.account)]
    return np.asarray(found.paid_usd[lines, :, 0].sum(axis=0))


# -- purchases


@given(level=st.lists(st.floats(0, 10), min_size=8, max_size=8), mw=st.floats(0, 500))
def test_a_spot_purchase_follows_its_path(level: list[float], mw: float) -> None:
    made = contract("spot_purchase", mw=f"{mw} MW", price="8 million USD/MW/yr", index="spot")
    rent = posted(made, world(paths={"spot": level}), "rent")
    np.testing.assert_allclose(rent, 8e6 * mw / 4 * np.array(level), rtol=1e-9, atol=1e-3)
    assert made.kind.firm is not None
    assert made.kind.firm(made.terms, made.deal, world()).sum() == 0, "nothing of it is backlog"


def test_a_spot_purchase_meters_what_of_its_site_is_in_use() -> None:
    made = contract("spot_purchase", site="hall", mw="100 MW", price="4 million USD/MW/yr", term=1)
    rent = posted(made, world(mw_active=[20, 80, 150, 90, 90, 90, 90, 90], mw_committed=200), "rent")
    np.testing.assert_allclose(rent / 1e6, [20, 80, 100, 90, 0, 0, 0, 0])


def test_a_purchase_is_delivered_evenly_with_partial_first_and_last_quarters() -> None:
    """From 15 February: 45 of the 90 days of the first quarter; the term of a year ends half way through the fifth."""
    made = contract("purchase", amount="4 billion USD", term=1, starts="2027-02-15", prepaid=0.25)
    goods = posted(made, world(), "capex")
    np.testing.assert_allclose(goods / B, [0.5, 1, 1, 1, 0.5, 0, 0, 0], atol=1e-12)
    advance = posted(made, world(), "prepayment")
    np.testing.assert_allclose(advance, np.array([1e9, *[0.0] * 7]) - 0.25 * goods)
    assert advance.sum() == pytest.approx(0.0, abs=1e-3)


@given(
    starts=st.dates(START, date(2028, 12, 31)),
    term=st.integers(1, 16),
    amount=st.floats(1e6, 1e12),
    ahead=st.floats(0, 1),
)
def test_on_whatever_day_it_begins_a_purchase_is_its_amount_and_a_prepayment_changes_no_sum(
    starts: date, term: int, amount: float, ahead: float
) -> None:
    columns = world(32)
    made = contract("purchase", amount=amount, term=term / 4, starts=starts, prepaid=ahead)
    goods, advance = posted(made, columns, "capex"), posted(made, columns, "prepayment")
    assert goods.sum() == pytest.approx(amount, rel=1e-9)
    assert advance.sum() == pytest.approx(0.0, abs=1e-6 * amount)
    assert goods.min() >= 0
    # who has paid ahead has never paid less than who has not
    assert np.cumsum(advance).min() >= -1e-6 * amount


@given(starts=DAYS, term=st.integers(1, 12))
def test_a_life_is_as_long_as_its_term(starts: date, term: int) -> None:
    """Days, counted one by one, say which quarters it touches; its length is the term less what lies before the schedule."""
    life = contract("prepayment", amount=1.0, starts=starts).deal.life_years(quarters(32), term / 4)
    before = min(-min(quarters().years_until(starts), 0.0), term / 4)
    assert life.sum() == pytest.approx(term / 4 - before, abs=1e-9)
    last = date.fromordinal(add_years(starts, term / 4).toordinal() - 1)
    inside = [
        min(end, last) >= max(begin, starts) for begin, end in zip(quarters(32).begins, quarters(32).ends, strict=True)
    ]
    # a term ends on the same day of its month; a quarter's equal days differ from that by at most three
    for k in np.flatnonzero((life > 0) != np.array(inside)):
        assert max(life[k], 0.0) < 0.011, (k, life[k])


def test_a_purchase_by_the_gigawatt_follows_what_is_built() -> None:
    columns = world(gw_built=[0.0, 0.5, 0.5, 2.0, 1.0, 3.0, 3.0, 3.0])
    made = contract("purchase", site="hall", amount="30 billion USD", per="1 GW")
    np.testing.assert_allclose(posted(made, columns, "capex") / B, [0, 15, 0, 45, 0, 30, 0, 0])
    capped = contract(
        "purchase", site="hall", amount="30 billion USD", per="1 GW", maximum="70 billion USD", prepaid=0.1
    )
    np.testing.assert_allclose(posted(capped, columns, "capex") / B, [0, 15, 0, 45, 0, 10, 0, 0])
    np.testing.assert_allclose(posted(capped, columns, "prepayment") / B, [7, -1.5, 0, -4.5, 0, -1, 0, 0])
    dear = contract("purchase", site="hall", amount="30 billion USD", per="1 GW", index="cost", part="racks")
    (flow,) = dear.postings(world(gw_built=[1, 2, 2, 2, 2, 2, 2, 2], paths={"cost": [1, 1.2, 1, 1, 1, 1, 1, 1]}))
    assert flow.account == "capex:racks"
    np.testing.assert_allclose(flow.amount_usd[:3] / B, [30, 36, 0])


# -- rents


def test_take_or_pay_by_price_and_by_amount() -> None:
    columns = world(mw_active=[0, 50, 90, 90, 90, 90, 90, 90], mw_committed=[0, 100, 100, 100, 100, 100, 100, 100])
    price = contract("take_or_pay", site="hall", price="12 million USD/MW/yr", term=1, floor=0.8)
    # it runs a year from the first quarter with committed power: 80 of 100 MW are owed, then the 90 in use
    np.testing.assert_allclose(posted(price, columns, "rent") / 1e6, [0, 240, 270, 270, 270, 0, 0, 0])
    whole = contract("take_or_pay", amount="10 billion USD", term=2)
    np.testing.assert_allclose(posted(whole, columns, "rent") / B, 1.25)
    metered = contract("take_or_pay", site="hall", amount="10 billion USD", term=2, floor=0.6)
    np.testing.assert_allclose(posted(metered, columns, "rent") / B, 1.25 * np.array([0, 0.6, *[0.9] * 6]))
    own = contract("take_or_pay", site="hall", mw="60 MW", price="12 million USD/MW/yr", floor=0.5)
    np.testing.assert_allclose(posted(own, columns, "rent") / 1e6, [0, 150, *[180] * 6])


def test_take_or_pay_at_an_indexed_price_and_its_firm_part() -> None:
    columns = world(mw_active=80, mw_committed=100, paths={"rent-level": [1.5, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]})
    made = contract("take_or_pay", site="hall", price="4 million USD/MW/yr", floor=0.5, index="rent-level")
    np.testing.assert_allclose(posted(made, columns, "rent")[:3] / 1e6, [120, 80, 40])
    assert made.kind.firm is not None
    # the floor, at no more than the index leaves of the price
    np.testing.assert_allclose(made.kind.firm(made.terms, made.deal, columns)[:3] / 1e6, [50, 50, 25])


@given(
    use=st.lists(st.floats(0, 200), min_size=8, max_size=8),
    floors=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    by_amount=st.booleans(),
    level=st.floats(0, 3),
)
def test_a_higher_floor_never_lowers_the_rent_and_what_is_firm_is_never_more(
    use: list[float], floors: list[float], by_amount: bool, level: float
) -> None:
    columns = world(mw_active=use, mw_committed=150, paths={"level": np.full(8, level)})
    size = {"amount": 1e10} if by_amount else {"price": "10 million USD/MW/yr", "index": "level"}
    low, high = (contract("take_or_pay", site="hall", floor=floor, term=2, **size) for floor in floors)
    rent = posted(low, columns, "rent"), posted(high, columns, "rent")
    assert np.all(rent[0] <= rent[1] * (1 + 1e-12) + 1e-6)
    assert low.kind.firm is not None
    assert np.all(low.kind.firm(low.terms, low.deal, columns) <= rent[0] * (1 + 1e-12) + 1e-6)


def test_take_or_pay_paid_ahead_and_cancelled() -> None:
    columns = world()
    terms = {"amount": "8 billion USD", "term": 2, "prepaid": 0.2}
    made = contract("take_or_pay", **terms)
    np.testing.assert_allclose(posted(made, columns, "prepayment") / B, [1.4, *[-0.2] * 7])
    later = contract("take_or_pay", **terms, starts="2027-07", cancelled_on="2027-12-31", cancel_notice=0.25)
    # begun in the third quarter; notice on the last day of the year, a quarter to run
    np.testing.assert_allclose(posted(later, columns, "rent") / B, [0, 0, 1, 1, 1, 0, 0, 0])
    month = contract("take_or_pay", **terms, cancelled_on="2027-04")
    assert month.terms.cancelled_on == date(2027, 4, 1)
    assert later.kind.claims is not None
    (claim,) = later.kind.claims(later.terms, later.deal, columns)
    assert (claim.kind, claim.holder, claim.against) == ("may be cancelled", "payer", "payee")
    assert claim.amount_usd == pytest.approx(3e9)
    assert "91 days" in claim.trigger


@given(share=st.floats(0, 1), term=st.integers(1, 20), starts=st.dates(START, date(2027, 12, 31)))
def test_what_is_paid_ahead_of_a_rent_is_credited_whole(share: float, term: int, starts: date) -> None:
    columns = world(32)
    made = contract("take_or_pay", amount=5e9, term=term / 4, prepaid=share, starts=starts)
    assert posted(made, columns, "prepayment").sum() == pytest.approx(0.0, abs=1.0)
    assert posted(made, columns, "rent").sum() == pytest.approx(5e9, rel=1e-9)


@given(rate=st.floats(0.0, 0.4), years=st.integers(1, 15), residual=st.floats(0, 1))
def test_the_rent_of_a_lease_is_a_level_payment(rate: float, years: int, residual: float) -> None:
    columns = world(4 * years)
    made = contract("compute_lease", value=20e9, term=years, rate=rate, residual=residual)
    rent = posted(made, columns, "rent")
    expected = (
        -npf.pmt(rate / 4, 4 * years, 20e9, -residual * 20e9) if rate > 1e-9 else 20e9 * (1 - residual) / (4 * years)
    )
    np.testing.assert_allclose(rent, expected, rtol=1e-6)


@given(worth=st.floats(0, 1.5), guaranteed=st.floats(0.01, 1))
def test_a_residual_guarantee_is_called_only_where_the_market_pays_less(worth: float, guaranteed: float) -> None:
    terms = {"value": 34.5e9, "term": 1.5, "rate": 0.08, "guaranteed": guaranteed, "market_value": "worth"}
    made = contract("compute_lease", **terms)
    columns = world(paths={"worth": np.full(8, worth)})
    called = posted(made, columns, "guarantee")
    assert called[5] == pytest.approx(34.5e9 * max(0.0, guaranteed - worth), abs=1e-3)
    assert np.delete(called, 5).sum() == 0, "once, at the end of the term"
    assert made.kind.claims is not None
    (claim,) = made.kind.claims(made.terms, made.deal, columns)
    assert claim.amount_usd == pytest.approx(34.5e9 * guaranteed) and claim.amount_usd >= called.sum() - 1e-3


def test_a_lease_by_its_rent() -> None:
    made = contract("compute_lease", rent="1.85 billion USD/yr", term=1, starts="2027-02-15")
    np.testing.assert_allclose(posted(made, world(), "rent") / 1.85e9, [0.125, 0.25, 0.25, 0.25, 0.125, 0, 0, 0])


# -- who stands in


@given(
    built=st.lists(st.floats(0, 300), min_size=8, max_size=8),
    share=st.lists(st.floats(0, 1), min_size=8, max_size=8),
    cap=st.floats(0, 2e9),
)
def test_a_backstop_pays_for_idle_power_up_to_its_cap(built: list[float], share: list[float], cap: float) -> None:
    used = np.array(built) * np.array(share)
    made = contract("capacity_backstop", site="hall", mw="200 MW", price="10 million USD/MW/yr", cap=cap)
    paid = posted(made, world(mw_active=used, mw_committed=built), "rent")
    wanted = 2.5e6 * (np.minimum(built, 200) - np.minimum(used, 200))
    left, expected = cap, []
    for want in wanted:
        expected.append(min(max(want, 0.0), left))
        left -= expected[-1]
    np.testing.assert_allclose(paid, expected, atol=1e-3 + 1e-9 * cap)
    assert paid.sum() <= cap * (1 + 1e-12) + 1e-6 and paid.min() >= -1e-6


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), cap=st.floats(0, 30), held=st.floats(0, 12), owed=st.floats(1, 10))
def test_a_guarantee_pays_its_share_of_what_is_missing_never_above_its_cap(
    share: float, cap: float, held: float, owed: float
) -> None:
    """A tenant without income lives off what it holds; the guarantor is rich."""
    deals = read_contracts(
        [
            {"id": "rent", "kind": "take_or_pay", "pays": "tenant", "gets": "owner", "amount": owed * 4 * B, "term": 1},
            {"id": "standby", "kind": "guarantee", "pays": "vendor", "gets": "owner", "covers": "rent", "share": share,
             "cap": cap * B},
        ]
    )  # fmt: skip
    found = settled(deals, [Firm("tenant", held * B), Firm("owner", 0.0), Firm("vendor", 1e12)], world(4))
    missing = owed - np.diff(np.minimum(np.cumsum(np.full(4, owed)), held), prepend=0.0)
    missing = np.where(missing * B > 0.01, missing, 0.0)
    expected = np.diff(np.minimum(np.cumsum(share * missing), cap), prepend=0.0)
    np.testing.assert_allclose(paid_under(found, "standby") / B, expected, atol=1e-8)
    assert found.called_usd.sum() <= cap * B * (1 + 1e-9) + 0.01


# -- debt


def test_a_floating_rate_is_owed_on_what_is_owed() -> None:
    base = np.array([0.04, 0.05, 0.06, 0.03, 0.02, 0.02, 0.02, 0.02])
    made = contract("term_loan", amount="8 billion USD", base="sofr", spread="4 %", term=2)
    columns = world(paths={"sofr": base})
    drawn, interest, back = (posted(made, columns, f"loan_{name}") for name in ("draw", "interest", "repayment"))
    owed = np.concatenate(([0.0], np.cumsum(drawn - back)[:-1]))
    assert drawn.tolist() == [8e9, *[0] * 7]
    np.testing.assert_allclose(interest, owed * (base + 0.04) / 4)
    # principal is that of the rate on the first day
    np.testing.assert_allclose(back[1:], -npf.ppmt(0.02, np.arange(1, 8), 8, 8e9), rtol=1e-9)


def test_a_facility_lends_only_while_it_is_open() -> None:
    made = contract("term_loan", share_of_capex=0.5, rate=0.0, term=5, starts="2027-04-01", ends="2027-12-31")
    columns = Columns(quarters(), capex_usd={"payee": np.full(8, 10.0)})
    np.testing.assert_allclose(posted(made, columns, "loan_draw"), [0, 5, 5, 5, 0, 0, 0, 0])


def test_an_amount_is_drawn_when_the_contract_starts() -> None:
    made = contract("term_loan", amount="8 billion USD", rate="8 %", term=1, starts="2027-08-15", fee="1 %")
    columns = world()
    assert posted(made, columns, "loan_draw").tolist() == [0, 0, 8e9, 0, 0, 0, 0, 0]
    assert posted(made, columns, "loan_fee").tolist() == [0, 0, 8e7, 0, 0, 0, 0, 0]
    service = posted(made, columns, "loan_repayment") + posted(made, columns, "loan_interest")
    np.testing.assert_allclose(service, [0, 0, 0, *[-npf.pmt(0.02, 4, 8e9)] * 4, 0])


@given(age=st.integers(1, 20), years=st.integers(1, 6), rate=st.floats(0, 0.2), bullet=st.booleans())
def test_of_a_loan_begun_before_only_what_is_left_is_paid(age: int, years: int, rate: float, bullet: bool) -> None:
    begun = date(2027 - (age + 3) // 4, 1 + 3 * (-age % 4), 1)
    terms = {"amount": 6e9, "rate": rate, "term": years, "repayment": "bullet" if bullet else "amortising"}
    late = contract("term_loan", **terms, starts=begun)
    whole = contract("term_loan", **terms)
    columns, longer = world(12), world(12 + age)
    assert posted(late, columns, "loan_draw").sum() == 0
    for account in ("loan_repayment", "loan_interest"):
        np.testing.assert_allclose(posted(late, columns, account), posted(whole, longer, account)[age:], atol=1e-3)


def test_a_sculpted_loan_begun_before_is_refused_in_words() -> None:
    made = contract("term_loan", amount=1e9, rate=0.08, repayment="sculpted", starts="2026-01")
    with pytest.raises(InputError, match="began before the first period") as caught:
        made.postings(world())
    assert caught.value.problems[0].hints


def test_a_bond_is_paid_back_at_its_end_and_a_loan_is_not() -> None:
    bond = contract("bond", amount="2 billion USD", rate="10 %", term=1.5)
    assert posted(bond, world(), "loan_repayment").tolist() == [0, 0, 0, 0, 0, 0, 2e9, 0]
    np.testing.assert_allclose(posted(bond, world(), "loan_interest"), [0, *[5e7] * 6, 0])
    loan = contract("term_loan", amount="2 billion USD", rate="10 %", term=1.5)
    np.testing.assert_allclose(posted(loan, world(), "loan_repayment")[1:7], -npf.ppmt(0.025, np.arange(1, 7), 6, 2e9))


# -- owners


def spv_world(
    revenue: list[float], opening: float = 0.0, terms: dict[str, Any] | None = None, debt: float = 0.0
) -> tuple[np.ndarray, np.ndarray, Settlement]:
    """(distributions, cash at the end, settlement) of a company with that revenue and a loan of `debt` it spends."""
    n = len(revenue)
    flows = [Flow("customers", "one", "revenue", np.array(revenue))]
    deals = [{"id": "up", "kind": "spv", "pays": "one", "gets": "owner", **(terms or {})}]
    if debt:
        flows.append(Flow("one", "builder", "capex", np.array([debt, *[0.0] * (n - 1)])))
        deals.append(
            {"id": "loan", "kind": "term_loan", "pays": "bank", "gets": "one", "amount": debt, "rate": 0.0, "term": 1}
        )
    columns = Columns(quarters(n), cash_usd={"one": opening})
    found = settle(owe(flows, read_contracts(deals), columns), [Firm("one", opening), Firm("owner", 0.0)])
    return paid_under(found, "up"), found.of("cash", "one")[:, 0], found


@settings(max_examples=80, deadline=None)
@given(
    net=st.lists(st.floats(-5e9, 5e9), min_size=6, max_size=12),
    opening=st.floats(0, 1e10),
    reserve=st.floats(0, 2),
    lockup=st.floats(0, 3),
)
def test_never_is_more_distributed_than_later_periods_can_spare(
    net: list[float], opening: float, reserve: float, lockup: float
) -> None:
    """A company that would not have run dry without distributions does not run dry with them."""
    flows = [
        Flow("customers", "one", "revenue", np.maximum(net, 0.0)),
        Flow("one", "staff", "opex", np.maximum(np.negative(net), 0.0)),
    ]
    up = contract("spv", "one", "owner", lockup=lockup, reserve=reserve)
    columns = Columns(quarters(len(net)), cash_usd={"one": opening})
    firms = [Firm("one", opening)]
    alone, found = settle(owe(flows, [], columns), firms), settle(owe(flows, [up], columns), firms)
    if (alone.default_period == NEVER).all():
        assert (found.default_period == NEVER).all()
        assert found.of("cash", "one").min() >= -1.0
    assert paid_under(found, "it").min() >= 0


def test_a_lock_up_keeps_and_later_releases() -> None:
    """Debt service is 10 a quarter. The cover is 1.1 for two quarters, below the lock-up of 1.5; then it is 3."""
    revenue = [0.0, 11e9, 11e9, 30e9, 30e9, 30e9]
    paid, cash, _ = spv_world(revenue, terms={"lockup": 1.5, "reserve": 0}, debt=40e9)
    np.testing.assert_allclose(paid / B, [0, 0, 0, 22, 20, 30])
    np.testing.assert_allclose(cash / B, [0, 1, 2, 0, 0, 0])
    free, _, _ = spv_world(revenue, terms={"lockup": 1.0, "reserve": 0}, debt=40e9)
    np.testing.assert_allclose(free / B, [0, 1, 1, 20, 20, 30])


def test_a_reserve_keeps_debt_service_in_the_company() -> None:
    """Half a year ahead of the next four payments of 10: 20 stay until nothing more is due."""
    paid, cash, _ = spv_world([30e9] * 6, terms={"lockup": 1.0, "reserve": 0.5}, debt=40e9)
    np.testing.assert_allclose(cash / B, [20, 15, 10, 5, 0, 0])
    np.testing.assert_allclose(paid.sum() / B, 180 - 40)


@given(share=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_two_owners_share_what_one_would_get(share: float) -> None:
    flows = [Flow("customers", "one", "revenue", np.array([4e9, 0, 9e9, 1e9]))]
    both = [
        contract("spv", "one", "first", id="a", share=share),
        contract("spv", "one", "second", id="b", share=1 - share),
    ]
    found = settled(both, [Firm("one", 0.0)], Columns(quarters(4), cash_usd={"one": 0.0}), flows)
    np.testing.assert_allclose(paid_under(found, "a") + paid_under(found, "b"), [4e9, 0, 9e9, 1e9], rtol=1e-9, atol=1)
    np.testing.assert_allclose(paid_under(found, "a"), share * np.array([4e9, 0, 9e9, 1e9]), rtol=1e-9, atol=1)


# -- shares


def test_the_stake_in_intel_at_cost_and_at_market() -> None:
    """214,776,632 shares at 23.28 USD are 5.000 billion; at 36.68 USD they are worth 7.878 (press printed 7.58)."""
    bought = {"shares": 214776632, "price": "23.28 USD", "on": "2027-02-15"}
    columns = world(paths={"intel": [23.28, 36.68, *[36.68] * 6]})
    firms = [Firm("payer", 10e9), Firm("payee", 1e9)]
    marked = settled([contract("equity", index="intel", **bought)], firms, columns)
    assert paid_under(marked, "it")[0] == pytest.approx(214776632 * 23.28)
    assert marked.of("stakes", "payer")[0, 0] == pytest.approx(5.0e9, rel=1e-4)
    assert marked.of("stakes", "payer")[1, 0] / B == pytest.approx(7.878, abs=5e-4)
    assert marked.of("gains", "payer")[1, 0] == pytest.approx(214776632 * (36.68 - 23.28))
    at_cost = settled([contract("equity", **bought)], firms, columns)
    np.testing.assert_allclose(at_cost.of("stakes", "payer")[:, 0], 214776632 * 23.28)
    assert at_cost.of("gains", "payer").sum() == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 500), min_size=4, max_size=4), st.floats(0.1, 100))
def test_a_stake_by_amount_moves_with_its_path(price: list[float], amount: float) -> None:
    made = contract("equity", amount=amount * B, index="share")
    found = settled([made], [Firm("payer", 1e12), Firm("payee", 0.0)], world(4, paths={"share": price}))
    np.testing.assert_allclose(found.of("stakes", "payer")[:, 0], amount * B * np.array(price) / price[0], rtol=1e-9)
    assert found.residual < 1e-9


def test_what_is_paid_above_the_worth_of_shares_lowers_the_vendors_revenue() -> None:
    """The vendor pays its customer 10 for shares worth 6: 4 are consideration to a customer."""
    deals = [
        contract("purchase", "lab", "vendor", id="racks", amount="40 billion USD", term=1),
        contract("equity", "vendor", "lab", id="stake", amount="10 billion USD", fair_share=0.6),
    ]
    found = settled(deals, [Firm("vendor", 20e9), Firm("lab", 100e9)], world(4))
    assert found.of("contra_revenue", "vendor").sum() == pytest.approx(-4e9)
    assert found.of("revenue", "vendor").sum() == pytest.approx(40e9)
    assert found.of("stakes", "vendor")[-1, 0] == pytest.approx(6e9)
    assert found.of("gains", "lab").sum() == pytest.approx(4e9)
    assert found.of("paid_in", "lab")[-1, 0] - found.of("paid_in", "lab")[0, 0] == pytest.approx(0.0)
    # by shares: as many as were bought, each worth 0.6 of its price on the day
    marked = contract("equity", "vendor", "lab", shares=1e9, price="10 USD", fair_share=0.6, index="lab")
    after = settled(
        [deals[0], marked], [Firm("vendor", 20e9), Firm("lab", 100e9)], world(4, paths={"lab": [6, 9, 9, 9]})
    )
    assert after.of("stakes", "vendor")[:, 0].tolist() == pytest.approx([6e9, 9e9, 9e9, 9e9])


def test_a_conditional_purchase_of_shares_pays_nothing_and_is_a_claim() -> None:
    made = contract("equity", amount="35 billion USD", conditional="a listing")
    assert posted(made, world(), "equity").sum() == 0
    assert made.kind.claims is not None
    (claim,) = made.kind.claims(made.terms, made.deal, world())
    assert (claim.holder, claim.against, claim.amount_usd, claim.trigger) == ("payee", "payer", 35e9, "a listing")


def test_shares_are_paid_on_their_day_known_by_month_or_year_too() -> None:
    for day, period in (("2027-08-15", 2), ("2027-05", 1), (2028, 4)):
        assert np.flatnonzero(posted(contract("equity", amount=1e9, on=day), world(), "equity")).tolist() == [period]
    assert np.flatnonzero(posted(contract("equity", amount=1e9, starts="2027-10"), world(), "equity")).tolist() == [3]
    assert posted(contract("equity", amount=1e9, on="2026-12-31"), world(), "equity").sum() == 0


WARRANT = {"shares": 160e6, "strike": "0.01 USD", "price": "amd", "site": "hall"}
STEPS = [{"power": f"{k} GW", "price": f"{100 * k} USD"} for k in range(1, 7)]


def test_a_warrant_vests_by_power_and_price_each_tranche_once() -> None:
    """The 2nd GW stands in the second quarter, but its price is reached in the fourth only; nothing vests twice."""
    columns = world(gw_built=[1, 2, 2, 2, 2, 1, 6, 6], paths={"amd": [150, 150, 150, 250, 90, 90, 700, 700]})
    made = contract("warrant", "amd", "lab", **WARRANT, tranches=STEPS)
    vested = posted(made, columns, "warrant")
    one = 160e6 / 6
    np.testing.assert_allclose(vested / one, [149.99, 0, 0, 249.99, 0, 0, 4 * 699.99, 0])


def test_a_warrant_is_worth_96_billion_at_the_most_and_lowers_revenue() -> None:
    """160 million shares, the last tranche at 600 USD: 96 billion gross of the strike (AMD 8-K of 6 October 2025)."""
    columns = world(gw_built=[1, 2, 3, 4, 5, 6, 6, 6], paths={"amd": [100, 200, 300, 400, 500, 600, 600, 600]})
    made = contract("warrant", "amd", "lab", id="w", **WARRANT, tranches=STEPS)
    assert made.kind.claims is not None
    (claim,) = made.kind.claims(made.terms, made.deal, columns)
    assert (claim.amount_usd, claim.holder, claim.against) == (96e9, "lab", "amd")
    buy = contract("purchase", "lab", "amd", id="buy", site="hall", amount="15 billion USD", per="1 GW")
    found = settled([buy, made], [Firm("amd", 1e9), Firm("lab", 200e9)], columns)
    worth = 160e6 / 6 * (np.array([100, 200, 300, 400, 500, 600]) - 0.01)
    np.testing.assert_allclose(found.of("contra_revenue", "amd")[:6, 0], -worth)
    # each tranche is exercised against shares on its day: (price - strike) / price of them are kept
    kept = worth / np.array([100, 200, 300, 400, 500, 600])
    np.testing.assert_allclose(found.of("stakes", "lab")[-1, 0], kept.sum() * 600)
    assert found.of("stakes", "lab")[-1, 0] == pytest.approx(96e9, rel=1e-4)
    assert found.of("revenue", "amd").sum() == pytest.approx(90e9)
    # no cash moves
    bare = settled([buy], [Firm("amd", 1e9), Firm("lab", 200e9)], columns)
    np.testing.assert_allclose(found.of("cash", "amd"), bare.of("cash", "amd"))


@given(
    gw=st.lists(st.floats(0, 8), min_size=8, max_size=8),
    price=st.lists(st.floats(0, 900), min_size=8, max_size=8),
    shares=st.floats(0, 1e9),
)
def test_no_share_vests_twice(gw: list[float], price: list[float], shares: float) -> None:
    made = contract("warrant", **WARRANT | {"shares": shares, "strike": "0 USD"}, tranches=STEPS)
    vested = posted(made, world(gw_built=gw, paths={"amd": price}), "warrant")
    assert vested.min() >= 0
    assert vested.sum() <= shares * max(price) * (1 + 1e-9) + 1e-6


# -- shares of what another earns


@given(sales=st.lists(st.floats(0, 1e10), min_size=8, max_size=8), share=st.floats(0, 1), cap=st.floats(0, 1e10))
def test_a_revenue_share_never_passes_its_cap(sales: list[float], share: float, cap: float) -> None:
    made = contract("revenue_share", "lab", "cloud", share=share, cap=cap)
    columns = Columns(quarters(), sales_usd={"lab": np.array(sales)})
    paid = posted(made, columns, "royalty")
    assert paid.min() >= -1e-3
    assert paid.sum() == pytest.approx(min(share * sum(sales), cap), rel=1e-9, abs=1e-2)
    assert np.all(np.cumsum(paid) <= np.cumsum(share * np.array(sales)) * (1 + 1e-9) + 1e-2)


def test_a_royalty_by_share_and_by_power() -> None:
    columns = world(mw_active=[10, 20, 30, 40, 40, 40, 40, 40], mw_committed=50)
    by_power = contract("royalty", site="hall", price="0.4 million USD/MW/yr", cap="12 million USD", term=2)
    np.testing.assert_allclose(posted(by_power, columns, "royalty") / 1e6, [1, 2, 3, 4, 2, 0, 0, 0], atol=1e-9)
    by_share = contract("royalty", share="5 %", term=0.5)
    sold = Columns(quarters(), sales_usd={"payer": np.full(8, 1e9)})
    np.testing.assert_allclose(posted(by_share, sold, "royalty") / 1e6, [50, 50, *[0] * 6])


def test_software_costs_its_owner_no_goods() -> None:
    columns = world(4, mw_active=1000, mw_committed=1000)
    royalty = contract("royalty", "cloud", "vendor", id="software", site="hall", price="1 million USD/MW/yr")
    racks = contract("purchase", "cloud", "vendor", id="racks", amount=4e9, term=1)
    firms = [Firm("cloud", 100e9), Firm("vendor", 1e9)]
    found = settle(owe([], [royalty, racks], columns, gross_margin={"vendor": 0.75}), firms)
    assert found.of("expense", "vendor").sum() == pytest.approx(-1e9), "a quarter of the racks, nothing of the software"
    assert found.of("revenue", "vendor").sum() == pytest.approx(5e9)


# -- what is known when


def test_a_status_event_changes_terms_and_dates() -> None:
    made = read_contract(
        {
            "id": "cloud", "kind": "take_or_pay", "pays": "lab", "gets": "cloud", "amount": "100 billion USD", "term": 5,
            "events": [
                {"known_on": "2026-03", "status": "intent"},
                {"known_on": 2026, "status": "amended", "effective_on": "2027-07", "terms": {"amount": "120 billion USD"}},
                {"known_on": "2026-06", "status": "definitive", "terms": {"term": 4}, "grade": "B", "source": "press"},
            ],
        }
    )  # fmt: skip
    # a month or a year is known from its last day; the order of the list does not matter
    assert made.known(date(2026, 3, 30)) is None
    seen = {day: made.known(day) for day in (date(2026, 3, 31), date(2026, 6, 30), date(2026, 12, 31))}
    letter, signed, changed = seen.values()
    assert letter is not None and signed is not None and changed is not None
    assert (letter.status, letter.terms.term_years, letter.known_on) == ("intent", 5, date(2026, 3, 31))
    assert (signed.status, signed.terms.term_years, signed.grade, signed.source) == ("definitive", 4, "B", "press")
    assert (changed.terms.amount_usd, changed.terms.term_years, changed.deal.starts) == (120e9, 4, date(2027, 7, 1))
    before = made.known(date(2026, 12, 30))
    assert before is not None and before.status == "definitive" and before.terms.amount_usd == 100e9


@given(day=DAYS, later=DAYS)
def test_what_is_known_later_changes_nothing_before(day: date, later: date) -> None:
    raw = {"id": "e", "kind": "equity", "pays": "a", "gets": "b", "amount": 1e9}
    first = {"known_on": "2026-01-01", "status": "definitive"}
    plain = read_contract(raw | {"events": [first]}).known(day)
    more = read_contract(raw | {"events": [first, {"known_on": later, "status": "lapsed", "terms": {"amount": 2e9}}]})
    known = more.known(day)
    if later > day:
        assert (known is None) == (plain is None)
        assert known is None or plain is None or (known.status, known.terms) == (plain.status, plain.terms)
    elif known is not None and later > date(2026, 1, 1):
        assert (known.status, known.terms.amount_usd) == ("lapsed", 2e9)


def test_partial_dates_begin_on_their_first_and_end_on_their_last_day() -> None:
    deal = contract("take_or_pay", amount=1e9, starts="2027-02", ends="2027-05").deal
    assert (deal.starts, deal.ends) == (date(2027, 2, 1), date(2027, 5, 31))


# -- guarantees that lean on each other


def ring(names: list[str], extra: list[tuple[str, str]] = []) -> list[dict[str, Any]]:
    """Debts of each name, and guarantees round them; `extra` are (guarantor, whom it guarantees)."""
    everyone = sorted({*names, *(name for pair in extra for name in pair)})
    rents = [
        {"id": f"rent-{name}", "kind": "take_or_pay", "pays": name, "gets": "owner", "amount": 1e9, "term": 1}
        for name in everyone
    ]
    pairs = [*extra, *((name, names[(k + 1) % len(names)]) for k, name in enumerate(names))]
    return rents + [
        {"id": f"standby-{a}-{b}", "kind": "guarantee", "pays": a, "gets": "owner", "covers": f"rent-{b}"}
        for a, b in pairs
    ]


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d", "e"]])
@pytest.mark.parametrize("extra", [[], [("a", "x"), ("b", "x")], [("a", "x"), ("b", "x"), ("c", "x"), ("x", "y")]])
def test_a_ring_of_guarantees_is_told_once_whatever_else_hangs_on_it(
    names: list[str], extra: list[tuple[str, str]]
) -> None:
    with pytest.raises(InputError) as caught:
        read_contracts(ring(names, extra))
    (problem,) = caught.value.problems
    assert problem.code == "guarantee_loop" and problem.hints
    told = problem.message.rpartition(": ")[2].split(" -> ")
    assert set(told) == set(names) and told[0] == told[-1] and len(told) == len(names) + 1


def test_a_chain_of_guarantees_is_none() -> None:
    rows = ring(["a", "b", "c"])
    assert len(read_contracts(rows[:-1])) == 5

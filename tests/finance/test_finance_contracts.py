"""Contracts: floors, milestones, loan schedules against another library, terms at the door."""

from datetime import date
from typing import Any

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.finance import Event, Flow, Kind, Schedule, build_ledger, read_contract, read_contracts
from gigawatt.finance.contracts.base import Columns, Term
from gigawatt.finance.contracts.term_loan import unit_schedule

START = date(2027, 1, 1)
RENT = {"id": "r", "kind": "take_or_pay", "pays": "lab", "gets": "operator", "price": "10 million USD/MW/yr"}
LOAN = {"id": "l", "kind": "term_loan", "pays": "lender", "gets": "operator"}
TRANCHE = {"id": "t", "kind": "milestone_tranche", "pays": "vendor", "gets": "lab"}


def paid(raw: dict[str, Any], schedule: Schedule, account: str, flows: list[Flow] | None = None) -> np.ndarray:
    return build_ledger(flows or [], [read_contract(raw)], schedule, close=False).total_usd(account=account)


@given(
    use=st.lists(st.floats(0, 200), min_size=8, max_size=8),
    committed=st.floats(1, 200),
    floor=st.floats(0, 1),
)
def test_take_or_pay_floor(use: list[float], committed: float, floor: float) -> None:
    schedule = Schedule.quarterly(START, 8, mw_active=use, mw_committed=committed)
    rent = paid(RENT | {"floor": floor, "term": 2}, schedule, "rent")
    assert rent[0] == 0
    np.testing.assert_allclose(rent[1:], 2.5e6 * np.maximum(use, floor * committed), rtol=1e-9)


def test_take_or_pay_ends_with_its_term_and_begins_with_the_first_commitment() -> None:
    schedule = Schedule.quarterly(START, 8, mw_active=100.0, mw_committed=[0, 0, 100, 100, 100, 100, 100, 100])
    rent = paid(RENT | {"price": "4 USD/MW/yr", "term": 1}, schedule, "rent")
    np.testing.assert_allclose(rent, [0, 0, 0, 100, 100, 100, 100, 0, 0])


def test_milestones_pay_whole_steps_only_up_to_the_maximum() -> None:
    built = [0.4, 0.999999999, 2.3, 2.1, 5.0, 9.9]
    schedule = Schedule.quarterly(START, 6, gw_built=built)
    raw = TRANCHE | {"amount": "10 billion USD", "per": "1 GW"}
    np.testing.assert_allclose(paid(raw, schedule, "equity") / 1e9, [0, 0, 10, 10, 0, 30, 40])
    capped = raw | {"maximum": "35 billion USD"}
    np.testing.assert_allclose(paid(capped, schedule, "equity") / 1e9, [0, 0, 10, 10, 0, 15, 0])
    pro_rata = raw | {"pro_rata": True}
    np.testing.assert_allclose(paid(pro_rata, schedule, "equity").cumsum()[[1, 2, 4]] / 1e9, [4, 10, 23], rtol=1e-6)


@given(rate=st.floats(0, 0.5), years=st.integers(1, 20), repayment=st.sampled_from(["amortising", "bullet"]))
def test_loans_are_paid_back_and_worth_what_was_lent(rate: float, years: int, repayment: str) -> None:
    principal, interest = unit_schedule(rate, years * 4, repayment)
    assert principal.sum() == pytest.approx(1.0, abs=1e-9)
    present = (principal + interest) @ (1 + rate / 4) ** -np.arange(1, years * 4 + 1)
    assert present == pytest.approx(1.0, abs=1e-9)


@given(rate=st.floats(0.001, 0.4), quarters=st.integers(1, 60))
def test_annuity_as_numpy_financial(rate: float, quarters: int) -> None:
    principal, interest = unit_schedule(rate, quarters, "amortising")
    periods = np.arange(1, quarters + 1)
    np.testing.assert_allclose(principal, -npf.ppmt(rate / 4, periods, quarters, 1.0), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(interest, -npf.ipmt(rate / 4, periods, quarters, 1.0), rtol=1e-7, atol=1e-10)


@given(draws=st.lists(st.floats(0, 1e9), min_size=13, max_size=13), rate=st.floats(0, 0.3))
def test_interest_is_the_rate_on_what_is_owed(draws: list[float], rate: float) -> None:
    schedule = Schedule.quarterly(START, 12)
    capex = Flow("operator", "vendor", "capex", np.array(draws))
    raw = LOAN | {"share_of_capex": 0.6, "rate": rate, "term": 2}
    ledger = build_ledger([capex], [read_contract(raw)], schedule, close=False)
    drawn, back = ledger.total_usd(account="loan_draw"), ledger.total_usd(account="loan_repayment")
    np.testing.assert_allclose(drawn, 0.6 * np.array(draws))
    owed = np.cumsum(drawn - back)
    interest = ledger.total_usd(account="loan_interest")
    np.testing.assert_allclose(interest[1:], rate / 4 * owed[:-1], atol=1e-3)
    assert interest[0] == 0
    assert owed.min() > -1e-3


def test_closing_settles_exactly_what_is_owed() -> None:
    schedule = Schedule.quarterly(START, 6)
    raw = LOAN | {"amount": "100 million USD", "rate": "10 %", "term": 4, "repayment": "bullet", "fee": "2 %"}
    ledger = build_ledger([], [read_contract(raw)], schedule)
    np.testing.assert_allclose(ledger.total_usd(account="loan_repayment"), [0, 0, 0, 0, 0, 0, 100e6])
    np.testing.assert_allclose(ledger.total_usd(account="loan_interest"), [0] + [2.5e6] * 6)
    np.testing.assert_allclose(ledger.total_usd(account="loan_fee"), [2e6, 0, 0, 0, 0, 0, 0])


@given(cash=st.lists(st.floats(1e6, 1e9), min_size=8, max_size=8), rate=st.floats(0, 0.2))
def test_a_sculpted_loan_has_one_cover_ratio(cash: list[float], rate: float) -> None:
    schedule = Schedule.quarterly(START, 8)
    rent = Flow("lab", "operator", "rent", schedule.column(cash))
    raw = LOAN | {"amount": "0.5 million USD", "rate": rate, "term": 2, "repayment": "sculpted"}
    ledger = build_ledger([rent], [read_contract(raw)], schedule, close=False)
    service = ledger.total_usd(account="loan_repayment") + ledger.total_usd(account="loan_interest")
    ratio = np.array(cash) / service[1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert ledger.total_usd(account="loan_repayment").sum() == pytest.approx(5e5, rel=1e-9)


def test_a_prepayment_is_credited_to_nothing() -> None:
    schedule = Schedule.quarterly(START, 20)
    raw = {"id": "p", "kind": "prepayment", "pays": "lab", "gets": "operator", "amount": "2 billion USD", "term": 5}
    flow = paid(raw, schedule, "prepayment")
    assert flow[0] == 2e9
    np.testing.assert_allclose(flow[1:], -1e8)
    # a horizon of three years leaves 40 % of it to settle, or on the books
    ledger = build_ledger([], [read_contract(raw)], Schedule.quarterly(START, 12))
    assert ledger.total_usd(account="prepayment").sum() == pytest.approx(0.0, abs=1e-3)
    assert ledger.without_closing().total_usd(account="prepayment").sum() == pytest.approx(0.8e9)


def test_equity_is_paid_in_the_period_of_its_day() -> None:
    schedule = Schedule.quarterly(START, 4)
    raw = {"id": "e", "kind": "equity", "pays": "vendor", "gets": "lab", "amount": "5 billion USD"}
    assert paid(raw | {"on": "2027-08-15"}, schedule, "equity").tolist() == [0, 0, 0, 5e9, 0]
    assert paid(raw | {"on": "2031-01-01"}, schedule, "equity").sum() == 0


def test_units_at_the_door_equal_engine_units() -> None:
    """A scenario hands over floats in the engine's units (W, USD/W/s); a file writes text."""
    text = read_contract(RENT | {"term": "5 yr", "floor": "80 %"})
    plain = read_contract(RENT | {"price": 10e6 / 1e6 / (8760 * 3600), "term": 5.0, "floor": 0.8, "mw": None})
    assert text.terms.price_usd_per_mw_year == pytest.approx(plain.terms.price_usd_per_mw_year)
    assert text.terms.term_years == plain.terms.term_years


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_contracts(
            [
                RENT | {"prise": 1},
                RENT | {"price": "10 MW"},
                LOAN | {"rate": 0.1},
                LOAN | {"kind": "term_lone"},
                TRANCHE | {"amount": "1 USD"},
                RENT | {"pays": "operator"},
                RENT | {"status": "signed"},
                LOAN | {"rate": -0.1, "amount": "1 USD"},
            ]
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 8
    for words in ("did you mean 'price'", "not a rent", "share_of_capex", "term_loan", "needs 'per'", "pays itself"):
        assert words in text


def test_as_known_on_a_day() -> None:
    letter = read_contract(
        TRANCHE
        | {
            "amount": "10 billion USD",
            "per": "1 GW",
            "events": [
                {"known_on": "2025-09-22", "status": "intent"},
                {"known_on": "2026-02-27", "status": "replaced"},
            ],
        }
    )
    assert letter.known(date(2025, 9, 21)) is None
    before, after = letter.known(date(2025, 9, 24)), letter.known(date(2026, 7, 1))
    assert before is not None and before.status == "intent"
    assert after is not None and after.status == "replaced"
    changed = read_contract(
        RENT | {"events": [Event(START, "definitive"), Event(date(2028, 1, 1), "amended", terms={"floor": 0.5})]}
    )
    late = changed.known(date(2028, 1, 1))
    assert late is not None and (late.status, late.terms.floor_share) == ("amended", 0.5)
    early = changed.known(START)
    assert early is not None and early.terms.floor_share == 0.8


def test_a_third_partys_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import dataclass, replace
    from importlib.metadata import EntryPoint

    from gigawatt.core import plugins

    @dataclass(frozen=True)
    class Fixed:
        amount_usd: float

    def post(terms: Fixed, deal: Any, columns: Columns) -> list[Flow]:
        return [deal.flow("grant", np.full(columns.schedule.periods, terms.amount_usd))]

    kind = Kind("gift", Fixed, {"amount": Term("amount_usd", "money")}, post)
    point = EntryPoint("gift", "gifts:KIND", plugins.CONTRACTS)
    plugin = plugins.Plugin(plugins.CONTRACTS, "gift", "gifts", "1.0", point.value, point)
    monkeypatch.setattr(plugins, "_found", lambda: (plugin,))
    raw = {"id": "g", "kind": "gift", "pays": "vendor", "gets": "lab", "amount": "7 USD"}
    two = Schedule.quarterly(START, 2)

    def told(made: Any) -> str:
        monkeypatch.setattr(EntryPoint, "load", lambda self: made)
        with pytest.raises(InputError) as found:
            paid(raw, two, "grant")
        return str(found.value)

    monkeypatch.setattr(EntryPoint, "load", lambda self: kind)
    assert paid(raw, two, "grant").tolist() == [7, 7, 7]
    assert "gifts 1.0" in told("no kind") and "is a str, not a gigawatt.finance.contracts" in told("no kind")
    assert "calls itself 'present'" in told(replace(kind, name="present"))
    assert "not a list of" in told(replace(kind, postings=lambda terms, deal, columns: None))
    assert "3 periods" in told(replace(kind, postings=lambda t, d, c: [d.flow("grant", np.ones(2))]))
    assert (
        "not a finite number"
        in (nan := told(replace(kind, postings=lambda t, d, c: [d.flow("grant", np.full(3, np.nan))])))
        and "gifts 1.0" in nan
    )
    assert "account" in told(replace(kind, postings=lambda t, d, c: [d.flow("grnt", np.ones(3))]))
    wrong = told(replace(kind, postings=lambda terms, deal: []))
    assert "gifts 1.0" in wrong and "TypeError" in wrong and "test_finance_contracts.py" not in wrong


def test_schedules() -> None:
    plain = Schedule.quarterly(date(2027, 1, 31), 3, opening=False, mw_active=[1, 2, 3])
    assert [end.isoformat() for end in plain.ends] == ["2027-04-29", "2027-07-30", "2027-10-30"]
    assert plain.time_years.tolist() == [0.25, 0.5, 0.75]
    assert plain.column([1, 2, 3]).tolist() == [1, 2, 3]
    opened = Schedule.quarterly(START, 3, mw_active=[1, 2, 3], mw_committed=4)
    assert opened.periods == 4 and opened.has_opening and opened.ends[0] == START
    assert opened.mw_active.tolist() == [0, 1, 2, 3]
    assert opened.gw_built.tolist() == [0, 0.004, 0.004, 0.004]
    assert opened.column([[1, 2, 3]], opening=9).tolist() == [[9, 1, 2, 3]]
    for wrong in ({"quarters": 0}, {"quarters": 2, "mw_active": [1, 2, 3, 4]}):
        with pytest.raises(InputError):
            Schedule.quarterly(START, **wrong)
    with pytest.raises(InputError, match="3 quarters"):
        opened.column([1, 2])

"""Whose money pays a seller: chains and loops by hand, and the sum over all walks of random networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.finance.ledger import Line
from gigawatt.finance.origin import CASH, OWN, UNKNOWN, Origins, origins

Payment = tuple[str, str, str, float]


def traced(payments: list[Payment], companies: list[str], cash: dict[str, float] | None = None) -> Origins:
    lines = [Line(payer, payee, account) for payer, payee, account, _ in payments]
    return origins(lines, np.array([usd for *_, usd in payments]), companies, "vendor", cash or {})


def test_a_chain_by_hand() -> None:
    """The lab has 60 of its customers and 40 of the vendor; it pays 100 to the cloud, which buys racks for 80."""
    found = traced(
        [
            ("customers", "lab", "revenue", 60.0), ("vendor", "lab", "equity", 40.0), ("lab", "cloud", "rent", 100.0),
            ("cloud", "vendor", "capex", 80.0), ("others", "vendor", "revenue", 20.0),
        ],
        ["vendor", "lab", "cloud"],
    )  # fmt: skip
    assert dict(found.usd) == pytest.approx(
        {"customers (purchases)": 48.0, OWN: 32.0, "others (its own purchases)": 20.0}
    )
    assert found.own_share == pytest.approx(0.32)
    assert found.direct == {"others (its own purchases)"}
    assert list(found.usd.values()) == sorted(found.usd.values(), reverse=True)


def test_loans_and_shares_of_outsiders_stand_apart() -> None:
    found = traced(
        [
            ("bank", "cloud", "loan_draw", 30.0), ("fund", "cloud", "equity", 20.0), ("lab", "cloud", "prepayment", 50.0),
            ("customers", "lab", "revenue", 50.0), ("cloud", "vendor", "capex:racks", 100.0),
        ],
        ["vendor", "lab", "cloud"],
    )  # fmt: skip
    assert dict(found.usd) == pytest.approx(
        {"customers (purchases)": 50.0, "bank (loans)": 30.0, "fund (shares)": 20.0}
    )


def test_opening_cash_and_money_nobody_states() -> None:
    """The lab pays 100 out of 25 that reach it: 45 it held, 30 come from somewhere."""
    payments: list[Payment] = [("customers", "lab", "revenue", 25.0), ("lab", "vendor", "capex", 100.0)]
    found = traced(payments, ["vendor", "lab"], {"lab": 45.0})
    assert dict(found.usd) == pytest.approx({"customers (purchases)": 25.0, CASH: 45.0, UNKNOWN: 30.0})
    rich = traced(payments, ["vendor", "lab"], {"lab": 500.0})
    assert dict(rich.usd) == pytest.approx({"customers (purchases)": 25.0, CASH: 75.0})


def test_what_the_vendor_buys_is_not_what_it_puts_in() -> None:
    """A cloud that lets capacity to the vendor is paid for a service; only shares, loans, gifts and advances are funding."""
    found = traced(
        [("vendor", "cloud", "rent", 30.0), ("vendor", "cloud", "equity", 10.0), ("cloud", "vendor", "capex", 40.0)],
        ["vendor", "cloud"],
    )
    assert dict(found.usd) == pytest.approx({"what it buys": 30.0, OWN: 10.0})


def test_a_negative_payment_flows_the_other_way() -> None:
    forward: list[Payment] = [("customers", "lab", "revenue", 10.0), ("lab", "vendor", "capex", 10.0)]
    turned: list[Payment] = [("lab", "customers", "revenue", -10.0), ("lab", "vendor", "capex", 10.0)]
    assert dict(traced(forward, ["vendor", "lab"]).usd) == dict(traced(turned, ["vendor", "lab"]).usd)


def test_money_that_circles_among_customers_keeps_its_mix() -> None:
    """Lab and cloud pay each other round: however often, what leaves is 3 parts customers, 1 part vendor."""
    found = traced(
        [
            ("customers", "lab", "revenue", 30.0), ("vendor", "lab", "loan_draw", 10.0), ("lab", "cloud", "rent", 400.0),
            ("cloud", "lab", "opex", 360.0), ("cloud", "vendor", "capex", 40.0),
        ],
        ["vendor", "lab", "cloud"],
    )  # fmt: skip
    assert dict(found.usd) == pytest.approx({"customers (purchases)": 30.0, OWN: 10.0})


def test_a_seller_without_sales_has_no_share() -> None:
    none = traced([("vendor", "lab", "equity", 5.0)], ["vendor", "lab"])
    assert none.total_usd == 0 and none.own_share is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_the_origins_are_the_sum_over_all_walks_and_add_up_to_the_revenue(seed: int) -> None:
    """O (1 + B + B^2 + ...) of the payments, summed until nothing is left, against one solve."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    names = [f"c{k}" for k in range(n)]
    flow = rng.exponential(50.0, (n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(flow, 0.0)
    own, bank, buys = (rng.exponential(30.0, n) + 1.0 for _ in range(3))
    payments: list[Payment] = [
        (names[a], names[b], "opex", flow[a, b]) for a in range(n) for b in range(n) if flow[a, b]
    ]
    payments += [("vendor", name, "equity", usd) for name, usd in zip(names, own, strict=True)]
    payments += [("bank", name, "loan_draw", usd) for name, usd in zip(names, bank, strict=True)]
    payments += [(name, "vendor", "capex", usd) for name, usd in zip(names, buys, strict=True)]
    found = traced(payments, ["vendor", *names])
    got = flow.sum(axis=0) + own + bank
    gap = np.maximum(flow.sum(axis=1) + buys - got, 0.0)
    total = got + gap
    share = (flow / total).T  # share of what i has that came from j
    mix, step = np.zeros(n), own / total
    while step.max() > 1e-13:
        mix, step = mix + step, share @ step
    assert found.total_usd == pytest.approx(buys.sum(), rel=1e-6, abs=2.0)
    assert found.usd.get(OWN, 0.0) == pytest.approx(float(buys @ mix), rel=1e-6, abs=0.6)
    assert min(found.usd.values()) > 0
    assert 0 <= (found.own_share or 0.0) <= 1

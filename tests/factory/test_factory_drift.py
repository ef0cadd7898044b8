"""Architecture drift: laws of a two-stage programme, scipy as an oracle, and published break-even chances."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gigawatt.factory import Coefficients, Obligation, Phase, PlanInputs, Platforms, Points, Segments, plan
from gigawatt.factory.drift import Drift, TwoStage, break_even, curve, expanded

YEAR_S = 8760 * 3600.0


def site(
    capex, mw, tokens, *, price=1.0, demand=1e12, power=1000.0, capital=np.inf, supply=np.inf, phases=(Phase(),), owed=(),
    shell=0.0, rate=0.25,
):  # fmt: skip
    """Platforms x one workload; tokens [platforms] a rack and second."""
    n = len(capex)
    points = Points.of(np.arange(n), np.zeros(n, dtype=int), mw, tokens)
    return PlanInputs(
        platforms=Platforms.of(tuple(f"p{p}" for p in range(n)), capex, supply),
        workloads=("train",),
        points=points,
        segments=Segments.of(("train",), [0], price, demand),
        coefficients=(
            Coefficients.of("system", points, platform_usd_per_yr=rate * np.asarray(capex, float), shell_usd_per_mw_yr=shell),
        ),
        power_mw=power,
        capital_usd=capital,
        phases=phases,
        obligations=owed,
    )  # fmt: skip


def drift_of(keep, cases=("next",), share=(1.0,)):
    kept = np.asarray(keep, dtype=float)
    return Drift(tuple(cases), np.asarray(share, dtype=float), kept.reshape(len(kept), len(cases), 1))


@st.composite
def cases(draw):
    n = draw(st.integers(2, 3))
    column = lambda low, high: draw(st.lists(st.floats(low, high), min_size=n, max_size=n))  # noqa: E731
    given_site = site(
        [x * 1e6 for x in column(0.5, 6)], column(0.02, 0.2), [x * 1e4 for x in column(1, 60)],
        price=draw(st.floats(0.05, 3)), demand=draw(st.floats(1e7, 1e10)), capital=draw(st.floats(1e8, 5e10)),
        shell=draw(st.floats(0, 2e6)), supply=[draw(st.floats(10, 1e4)) for _ in range(n)],
    )  # fmt: skip
    keep = np.array([[draw(st.floats(0, 1)) for _ in range(2)] for _ in range(n)])
    first = draw(st.floats(0.05, 0.95))
    return given_site, drift_of(keep, ("a", "b"), (first, 1 - first)), draw(st.floats(0, 1))


def by_scipy(inputs, drift, q, without=()):
    """The same programme by hand: racks, site power, use and sales by case."""
    points, segments = inputs.points, inputs.segments
    n, cases_ = len(inputs.platforms.names), 1 + len(drift.cases)
    weight = np.concatenate([[1 - q], q * drift.share])
    keep = np.concatenate([np.ones((n, 1)), drift.keep[:, :, 0]], axis=1)
    mine = inputs.coefficients[0]
    # columns: N[n], site, u[n, cases], s[cases]; USD in millions, tokens in millions a second
    size = n + 1 + n * cases_ + cases_
    cost = np.zeros(size)
    cost[:n], cost[n] = mine.platform_usd_per_yr / 1e6, mine.shell_usd_per_mw_yr / 1e6
    use = n + 1 + np.arange(n * cases_).reshape(n, cases_)
    sold = n + 1 + n * cases_ + np.arange(cases_)
    cost[sold] = -weight * segments.usd_per_mtok[0] * YEAR_S / 1e6
    rows, right = [], []

    def at_most(entries, bound):
        row = np.zeros(size)
        for at, value in entries:
            row[at] = value
        rows.append(row)
        right.append(bound)

    for m in range(cases_):
        for p in range(n):
            at_most([(use[p, m], 1.0), (p, -1.0)], 0)
        at_most([*((use[p, m], points.mw[p]) for p in range(n)), (n, -1.0)], 0)
        at_most([(sold[m], 1.0), *((use[p, m], -keep[p, m] * points.tokens_out_per_s[p] / 1e6) for p in range(n))], 0)
    if np.isfinite(inputs.capital_usd):
        at_most([(p, inputs.platforms.capex_usd[p] / 1e6) for p in range(n)], inputs.capital_usd / 1e6)
    bounds = [(0, 0 if p in without else inputs.platforms.supply_racks[p]) for p in range(n)]
    bounds += [(0, inputs.power_mw)] + [(0, None)] * (n * cases_)
    bounds += [(0, segments.tokens_per_s[0] / 1e6)] * cases_
    found = linprog(cost, A_ub=np.array(rows), b_ub=right, bounds=bounds)
    return -found.fun * 1e6


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_it_is_the_optimum_of_another_solver(case):
    inputs, drift, q = case
    stage = TwoStage(inputs, drift)
    for without in ((), (0,)):
        assert stage.value(q, without) == pytest.approx(by_scipy(inputs, drift, q, without), rel=1e-6, abs=100)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_laws(case):
    inputs, drift, q = case
    stage = TwoStage(inputs, drift)
    near = 1e-7 * abs(stage.value(0.0)) + 100
    # no change: the plan of one stage
    assert stage.value(0.0) == pytest.approx(plan(inputs, prices=False).value_usd_per_yr, rel=1e-7, abs=100)
    # a larger menu is never worth less
    assert stage.value(q) >= stage.value(q, (0,)) - near
    assert stage.value(q, (0,)) >= stage.value(q, (0, 1)) - near
    # keeping less than all: a change is never welcome, and values are convex in its chance
    values = [stage.value(x) for x in np.linspace(0, 1, 5)]
    assert all(b <= a + near for a, b in itertools.pairwise(values))
    assert all(values[k + 1] <= (values[k] + values[k + 2]) / 2 + near for k in range(3))
    # perfect information is worth no less than buying before one knows
    q_m = np.concatenate([[1 - q], q * drift.share])
    told = [1.0, *(1.0 for _ in drift.cases)]
    for m in range(len(drift.cases)):
        alone = replace(drift, share=np.eye(len(drift.cases))[m])
        told[m + 1] = TwoStage(inputs, alone).value(1.0)
    told[0] = stage.value(0.0)
    assert q_m @ np.array(told) >= stage.value(q) - near


def test_a_platform_that_keeps_all_is_not_touched_by_change():
    inputs = site([1e6, 1e6], [0.1, 0.1], [5e5, 5e5])
    stage = TwoStage(inputs, drift_of([[1.0], [0.2]]))
    assert stage.value(1.0, (1,)) == pytest.approx(stage.value(0.0, (1,)))
    assert stage.value(1.0, (0,)) < stage.value(0.0, (0,))


def test_where_nothing_pays_after_the_change_both_are_worth_nothing_and_that_is_no_tie():
    inputs = site([1e6, 1e6], [0.1, 0.1], [2e5, 2.2e5], price=0.045)
    stage = TwoStage(inputs, drift_of([[0.1], [0.1]]))
    made = curve(stage, (0,), (0.0, 1.0))
    assert made.lead_usd_per_yr[0] < 0
    assert made.alone_usd_per_yr[1] == made.without_usd_per_yr[1] == 0
    assert break_even(stage, (0,)) is None


def test_owed_work_is_owed_for_todays_architecture_alone():
    owed = (Obligation("run", 0, 1e6, (0,)),)
    phases = (Phase("with it", 0.4), Phase("after", 0.6))
    inputs = site([1e6], [0.1], [5e5], price=0.0, phases=phases, owed=owed)
    stage = TwoStage(inputs, drift_of([[0.0]]))
    assert stage.value(0.0) == pytest.approx(plan(inputs, prices=False).value_usd_per_yr)
    assert np.isfinite(stage.value(0.5))
    wide = expanded(inputs, drift_of([[0.0]]), 0.5)
    assert [p.weight for p in wide.phases] == pytest.approx([0.2, 0.3, 0.2, 0.3])
    assert wide.workloads == ("train, today", "train, next")


# Prices, watts and rates of a published comparison: 405B training, 1 GW, capital without limit; the GPU keeps 85 %.
GPU = {"usd": 69.9e3, "kw": 2.30, "tokens": 1048.0}
ASIC = {"usd": 29.6e3, "kw": 1.30, "tokens": 763.5}
CRF_IT, CRF_SHELL = 0.10 / (1 - 1.10**-5), 0.10 / (1 - 1.10**-15)


def compared(keep_asic, keep_gpu=0.85):
    chips = 1000.0  # a rack of a thousand chips keeps the numbers of the solver apart from zero
    rows = [GPU, ASIC]
    inputs = site(
        [chips * r["usd"] for r in rows], [chips * r["kw"] / 1e3 for r in rows], [chips * r["tokens"] for r in rows],
        price=1.30, rate=CRF_IT, shell=11.3e6 * CRF_SHELL + 0.06 * 8760 * 1000,
    )  # fmt: skip
    return TwoStage(inputs, drift_of([[keep_gpu], [keep_asic]]))


@pytest.mark.parametrize(("keep", "chance"), [(0.20, 0.48), (0.35, 0.62), (0.50, 0.83)])
def test_published_break_even_chances(keep, chance):
    """An earlier prototype: the ASIC leads in training until the chance of change reaches these, by what it keeps."""
    assert break_even(compared(keep), (0,)) == pytest.approx(chance, abs=0.05)


def test_an_asic_that_keeps_seventy_per_cent_is_never_overtaken():
    stage = compared(0.71)
    assert break_even(stage, (0,)) is None
    assert curve(stage, (0,), (0.0, 1.0)).lead_usd_per_yr.max() < 0

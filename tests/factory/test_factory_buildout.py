"""The build-out: another solver on another form of it, laws of optima, money that closes, one period, blocks, same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from buildout_cases import build_outs, columns, three_generations
from factory_cases import menu, programmes
from hypothesis import assume, given, settings
from scipy.optimize import linprog

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.factory import Obligation, Phase, PlanInputs, plan
from gigawatt.factory.buildout import BuildInputs, build_out, rental_of
from gigawatt.factory.buildout.hull import useful
from gigawatt.factory.buildout.limits import activity
from gigawatt.factory.buildout.programme import build
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.factory.solver import Solver

QUICK = settings(max_examples=25, deadline=None)


def worth(inputs: BuildInputs) -> float:
    """The optimum; infeasible programmes are left out of the law."""
    try:
        return build_out(inputs, prices=False).npv_usd
    except Infeasible:
        assume(False)
        raise


def by_age(inputs: BuildInputs) -> float | None:
    """The optimum by SciPy on a form of its own: racks by quarter of purchase, in USD, no retirement column; None where none.

    Columns: n[k,p,t] racks of platform p from source k (a purchase quarter, or the opening as k = 0) that stand in t;
    b[p,t]; u[j,t]; h[t] shell built; s[s,t]. A source's stock never rises after it came, and is zero after its life.
    """
    n_t, n_p = len(inputs.quarters), len(inputs.platforms)
    n_j, n_s, y = len(inputs.points), len(inputs.segments), inputs.period_yr
    names = [("n", k, p, t) for k in range(n_t + 1) for p in range(n_p) for t in range(n_t)]
    names += [("b", p, t) for p in range(n_p) for t in range(n_t)]
    names += [("u", j, t) for j in range(n_j) for t in range(n_t)]
    names += [("h", t) for t in range(n_t)] + [("s", s, t) for s in range(n_s) for t in range(n_t)]
    at = {name: i for i, name in enumerate(names)}
    rows: list[np.ndarray] = []
    bounds: list[float] = []

    def row(entries: dict[tuple[object, ...], float], high: float) -> None:
        line = np.zeros(len(names))
        for name, value in entries.items():
            line[at[name]] += value
        rows.append(line)
        bounds.append(high)

    cost, margin = np.zeros(len(names)), np.zeros(len(names))
    cash = np.zeros((n_t, len(names)))
    for p in range(n_p):
        for k in range(n_t + 1):
            comes = 0 if k == 0 else k - 1 + inputs.lead_quarters[p]
            for t in range(n_t):
                if t < comes or t >= comes + inputs.life_quarters[p]:
                    row({("n", k, p, t): 1.0}, 0.0)
                elif t == comes:
                    new = {} if k == 0 else {("b", p, k - 1): -1.0}
                    row({("n", k, p, t): 1.0, **new}, inputs.opening_racks[p] if k == 0 else 0.0)
                else:
                    row({("n", k, p, t): 1.0, ("n", k, p, t - 1): -1.0}, 0.0)
                margin[at["n", k, p, t]] = -inputs.upkeep_usd_per_yr[p] * y
                # What a rack that stands is not sold for now, and what one that stood before is sold for.
                now = inputs.resale_usd[p, t]
                cost[at["n", k, p, t]] -= inputs.opening_discount[t] * now
                cash[t, at["n", k, p, t]] -= now
                if t + 1 < n_t:
                    cost[at["n", k, p, t]] += inputs.opening_discount[t + 1] * inputs.resale_usd[p, t + 1]
                    cash[t + 1, at["n", k, p, t]] += inputs.resale_usd[p, t + 1]
                else:
                    cost[at["n", k, p, t]] += inputs.discount[t] * inputs.terminal_usd[p]
        for t in range(n_t):
            comes = t + inputs.lead_quarters[p]
            cost[at["b", p, t]] -= inputs.opening_discount[t] * inputs.cost_usd[p, t]
            cash[t, at["b", p, t]] -= inputs.list_usd[p, t]
            if comes < n_t:
                cost[at["b", p, t]] += inputs.opening_discount[comes] * inputs.resale_usd[p, comes]
                cash[comes, at["b", p, t]] += inputs.resale_usd[p, comes]
            row({("b", p, t): 1.0}, inputs.supply_racks[p, t] if comes < n_t else 0.0)
    opening_sale = float(inputs.opening_racks @ inputs.resale_usd[:, 0])
    points = inputs.points
    made = {
        (j, t): points.tokens_out_per_s[j] * inputs.speed[points.platform[j], points.workload[j], t]
        for j in range(n_j)
        for t in range(n_t)
    }
    for t in range(n_t):
        for p in range(n_p):
            used = {("u", j, t): 1.0 for j in range(n_j) if points.platform[j] == p}
            row(used | {("n", k, p, t): -1.0 for k in range(n_t + 1)}, 0.0)
        draw = {("u", j, t): points.mw[j] for j in range(n_j)}
        row(draw, inputs.power_mw[t])
        row(draw | {("h", i): -1.0 for i in range(t + 1)}, inputs.opening_mw)
        for w in range(len(inputs.workloads)):
            sold = {("s", s, t): 1.0 for s in range(n_s) if inputs.segment_workload[s] == w}
            row(sold | {("u", j, t): -made[j, t] for j in range(n_j) if points.workload[j] == w}, 0.0)
        for o, w in enumerate(inputs.obligation_workload):
            row(
                {("u", j, t): -made[j, t] for j in range(n_j) if points.workload[j] == w},
                -inputs.owed_tokens_per_s[o, t],
            )
        for s in range(n_s):
            row({("s", s, t): 1.0}, inputs.demand_tokens_per_s[s, t])
            per_token = inputs.price_usd_per_mtok[s, t] / 1e6 * inputs.revenue_share
            margin[at["s", s, t]] = per_token * SECONDS_PER_YEAR * y
        for j in range(n_j):
            margin[at["u", j, t]] = (inputs.other_usd_per_yr[j] - inputs.energy_usd_per_yr[j, t]) * y
        cost[at["h", t]] -= inputs.opening_discount[t] * inputs.shell_usd_per_mw[t]
        cost[at["h", t]] += inputs.discount[-1] * inputs.shell_terminal_usd_per_mw[t]
        cash[t, at["h", t]] -= inputs.shell_usd_per_mw[t]
    fixed = -inputs.shell_upkeep_usd_per_mw_yr * inputs.opening_mw * y
    upkeep = inputs.shell_upkeep_usd_per_mw_yr * y
    quarter = {"n": 3, "u": 2, "s": 2}
    for name, i in at.items():
        if name[0] in quarter:
            cost[i] += inputs.discount[int(name[quarter[str(name[0])]])] * margin[i]
        elif name[0] == "h":
            cost[i] -= inputs.discount[int(name[1]) :].sum() * upkeep
    earned = np.zeros((n_t, len(names)))
    for name, i in at.items():
        if name[0] in quarter:
            earned[int(name[quarter[str(name[0])]]), i] += margin[i]
        elif name[0] == "h":
            earned[int(name[1]) :, i] -= upkeep
    for t in range(n_t):
        have = cash[: t + 1].sum(axis=0) + inputs.reinvest_share * earned[:t].sum(axis=0)
        rows.append(-have)
        bounds.append(inputs.capital_usd[: t + 1].sum() + opening_sale + inputs.reinvest_share * fixed * t)
    scale = 1e6
    matrix, high = np.array(rows), np.array(bounds)
    size = np.maximum(np.abs(matrix).max(axis=1), 1e-12)
    found = linprog(-cost / scale, A_ub=matrix / size[:, None], b_ub=high / size, method="highs-ds")
    if found.status == 2:
        return None
    constant = opening_sale * inputs.opening_discount[0] + fixed * inputs.discount.sum()
    return float(-found.fun * scale + constant)


@settings(max_examples=40, deadline=None)
@given(build_outs())
def test_racks_by_age_and_another_solver_give_the_same_optimum(inputs: BuildInputs) -> None:
    theirs = by_age(inputs)
    if theirs is None:
        with pytest.raises(Infeasible):
            build_out(inputs, prices=False)
    else:
        assert build_out(inputs, prices=False).npv_usd == pytest.approx(theirs, rel=1e-6, abs=100.0)


@QUICK
@given(build_outs())
def test_a_looser_limit_never_lowers_the_optimum(inputs: BuildInputs) -> None:
    base = worth(inputs)
    slack = 1e-9 * abs(base) + 10.0
    for name in ("power_mw", "capital_usd", "supply_racks", "demand_tokens_per_s"):
        assert worth(replace(inputs, **{name: getattr(inputs, name) * 1.3})) >= base - slack
    assert worth(replace(inputs, owed_tokens_per_s=inputs.owed_tokens_per_s * 0.0)) >= base - slack
    later = replace(inputs, life_quarters=inputs.life_quarters + 2)
    assert worth(later) >= base - slack


@QUICK
@given(build_outs(owed=False, terminal=False))
def test_a_longer_horizon_never_lowers_it_without_terminal_worth_floors_or_upkeep_of_shell(inputs: BuildInputs) -> None:
    values = [worth(inputs.part(0, n)) for n in range(1, len(inputs.quarters) + 1)]
    assert np.all(np.diff(values) >= -1e-9 * np.abs(values[-1]) - 10.0)


@QUICK
@given(build_outs())
def test_the_plan_keeps_every_row_and_its_money_closes(inputs: BuildInputs) -> None:
    worth(inputs)
    best = build_out(inputs, prices=False)
    programme, x = columns(best, inputs)
    done = activity(programme, x)
    assert np.all(done <= programme.program.row_high + 1e-4)
    assert np.all(done >= programme.program.row_low - 1e-4)
    assert best.npv_usd == pytest.approx(best.bound_usd, rel=1e-7, abs=100.0)
    assert sum(best.present_usd.values()) == pytest.approx(best.npv_usd, rel=1e-12)
    assert np.all(best.cash_usd >= 0)
    made = best.made_tokens_per_s
    sold = np.zeros_like(made)
    np.add.at(sold, inputs.segment_workload, best.sold)
    assert np.all(sold <= made * (1 + 1e-6) + 1)


@QUICK
@given(build_outs())
def test_points_that_are_left_out_lose_nothing(inputs: BuildInputs) -> None:
    answers = [Solver(build(case).program).solve() for case in (inputs, inputs.take(useful(inputs)))]
    assert answers[0].status == answers[1].status
    if answers[0].optimal:
        assert answers[0].value == pytest.approx(answers[1].value, rel=1e-8, abs=1e-5)


def test_a_point_that_is_paid_for_differently_stays() -> None:
    inputs = three_generations()
    tokens = inputs.points.tokens_out_per_s.copy()
    tokens[1] *= 0.9  # under the line between its neighbours
    inside = replace(inputs, points=replace(inputs.points, tokens_out_per_s=tokens))
    assert not useful(inside)[1]
    assert useful(
        replace(inside, energy_usd_per_yr=inside.energy_usd_per_yr * np.where(np.arange(18) == 1, 0.1, 1)[:, None])
    )[1]


@pytest.mark.parametrize("case", [menu(), menu(capital_usd=40e9), menu(capital_usd=43e9, low_power=True)])
def test_one_period_in_rental_form_is_the_one_period_plan(case: PlanInputs) -> None:
    ours, theirs = build_out(rental_of(case)), plan(case)
    assert ours.npv_usd == pytest.approx(theirs.value_usd_per_yr, rel=1e-9)
    np.testing.assert_allclose(ours.racks[:, 0], theirs.racks, rtol=1e-6, atol=1e-4)
    named = {limit.name.removesuffix(" in whole horizon"): limit for limit in ours.limits}
    for limit in theirs.limits:
        if limit.binding and limit.name in named:
            assert named[limit.name].dual == pytest.approx(limit.dual, rel=1e-6)


@QUICK
@given(programmes())
def test_one_period_in_rental_form_is_the_one_period_plan_of_any_kind(case: PlanInputs) -> None:
    owed = tuple(replace(o, phases=(0,)) for o in case.obligations)
    case = replace(case, phases=(Phase(),), obligations=owed)
    try:
        theirs = plan(case, prices=False).value_usd_per_yr
    except Infeasible:
        with pytest.raises(Infeasible):
            build_out(rental_of(case), prices=False)
        return
    assert build_out(rental_of(case), prices=False).npv_usd == pytest.approx(theirs, rel=1e-6, abs=10.0)


def test_one_period_in_blocks_is_the_one_period_plan_in_blocks() -> None:
    case = menu(integer=True, block=16)
    ours, theirs = build_out(rental_of(case), prices=False), plan(case, prices=False)
    assert ours.npv_usd == pytest.approx(theirs.value_usd_per_yr, rel=2 * case.integer_gap)
    assert ours.bound_usd == pytest.approx(theirs.bound_usd_per_yr, rel=1e-9)


def test_phases_have_no_rental_form() -> None:
    halves = (Phase("a", 0.5), Phase("b", 0.5))
    with pytest.raises(ValueError, match="phases"):
        rental_of(replace(menu(obligations=(Obligation("run", 2, 1e3, (0,)),)), phases=halves))


@settings(max_examples=10, deadline=None)
@given(build_outs(owed=False))
def test_blocks_never_beat_parts_of_racks(inputs: BuildInputs) -> None:
    worth(inputs)
    parts = build_out(inputs, prices=False)
    whole = build_out(replace(inputs, block_racks=25), prices=False)
    assert whole.npv_usd <= parts.npv_usd + 1e-9 * abs(parts.npv_usd) + 10.0
    assert whole.bound_usd == pytest.approx(parts.bound_usd)
    assert np.all(whole.bought % 25 == 0)


def test_blocks_give_three_prices() -> None:
    best = build_out(three_generations(block_racks=40))
    assert np.all(best.bought % 40 == 0)
    assert best.bound_usd * (1 - 2e-3) <= best.npv_usd <= best.bound_usd
    assert any("blocks of 40" in note for note in best.notes)
    stepped = [limit for limit in best.limits if limit.increment is not None]
    assert {limit.kind for limit in stepped} == {"power", "supply"}
    for limit in stepped:
        assert limit.operating is not None
        assert limit.increment_low is not None and limit.increment_high is not None
        assert 0 <= limit.increment_low <= limit.increment <= limit.increment_high  # type: ignore[operator]


def test_the_same_plan_comes_out_twice_and_of_equal_platforms_always_the_first() -> None:
    def bytes_of(inputs: BuildInputs) -> bytes:
        best = build_out(inputs)
        parts = (best.racks, best.bought, best.retired, best.use, best.sold, best.site_mw, best.cash_usd)
        return b"".join(part.tobytes() for part in parts) + repr(best.limits).encode()

    assert bytes_of(three_generations()) == bytes_of(three_generations())
    same = three_generations(supply_racks=np.full((3, 12), 1e6), lead_quarters=np.zeros(3, dtype=np.int64))
    points = replace(same.points, tokens_out_per_s=np.tile(same.points.tokens_out_per_s[:6], 3))
    equal = np.broadcast_to(same.cost_usd[:1], (3, 12))
    twins = replace(same, points=points, cost_usd=equal, list_usd=equal)
    twins = replace(twins, resale_usd=np.broadcast_to(twins.resale_usd[:1], (3, 12)), terminal_usd=np.full(3, 1e6))
    best = build_out(twins, prices=False)
    assert best.bought[0].sum() > 0
    assert best.bought[1:].sum() == 0


def test_a_generation_leaves_when_its_megawatt_earns_more_under_the_next() -> None:
    inputs = three_generations(power_mw=np.full(12, 60.0), demand_tokens_per_s=np.full((3, 12), 1e10))
    better = np.array([1.0, 2.0, 4.0])[inputs.points.platform] * inputs.points.tokens_out_per_s
    best = build_out(replace(inputs, points=replace(inputs.points, tokens_out_per_s=better)), prices=False)
    assert best.racks[0].max() > 0
    assert best.retired[0].sum() == pytest.approx(best.bought[0].sum())  # long before its life of 20 quarters
    assert np.flatnonzero(best.retired[0])[0] >= 4  # not before the second one is there
    assert best.racks[2, -1] > 0 == best.racks[0, -1]
    assert np.all(np.diff(best.site_mw) >= -1e-9)  # shell stays


def test_what_is_wrong_with_the_inputs_is_told_at_once() -> None:
    with pytest.raises(InputError) as told:
        three_generations(
            platforms=("first", "first", "third"),
            power_mw=np.full(12, -1.0),
            reinvest_share=2.0,
            shell_terminal_usd_per_mw=np.full(12, 1e9),
        )
    assert len(told.value.problems) == 4
    with pytest.raises(ValueError, match="power_mw has shape"):
        three_generations(power_mw=np.zeros(3))

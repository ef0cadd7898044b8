"""Small random build-outs with every kind of limit, and one that reads like a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gigawatt.factory import Points
from gigawatt.factory.buildout import BuildInputs, BuildPlan
from gigawatt.factory.buildout.programme import Programme, build
from gigawatt.factory.model import T_TOKENS_PER_YR

Array = NDArray[np.float64]


def three_generations(**changes: Any) -> BuildInputs:
    """Twelve quarters, a gigawatt that comes in steps, three generations of racks, two workloads and a run that is owed.

    Racks of 0.14 MW at 3 to 4 million USD; each generation makes half as many tokens again on the same watts.
    """
    n_t, n_p = 12, 3
    t = np.arange(n_t)
    start = np.array([0, 4, 8])
    p, w, k = (index.ravel() for index in np.indices((n_p, 2, 3)))
    watts = np.array([0.7, 0.85, 1.0])[k]
    mw = 0.14 * watts
    tokens = np.array([3.0e5, 4.5e5, 6.8e5])[p] * np.array([1.0, 0.3])[w] * watts**0.5
    there = t >= start[:, None]
    cost = np.array([3.0e6, 3.5e6, 4.0e6])[:, None] * np.ones(n_t)
    age = np.maximum(t - start[:, None], 0)
    resale = 0.6 * cost * 0.88**age
    inputs = BuildInputs(
        quarters=tuple(f"{2027 + i // 4} Q{i % 4 + 1}" for i in t),
        platforms=("first", "second", "third"),
        workloads=("chat", "train"),
        points=Points.of(p, w, mw, tokens),
        segments=("chat dear", "chat cheap", "train"),
        segment_workload=np.array([0, 0, 1]),
        obligations=("run",),
        obligation_workload=np.array([1]),
        discount=1.10 ** (-(t + 1) / 4),
        opening_discount=1.10 ** (-t / 4),
        power_mw=np.minimum(60.0 + 20.0 * t, 200.0),
        capital_usd=np.where(t % 4 == 0, 4e9, 0.0),
        supply_racks=np.where(there & (t < start[:, None] + 7), 600.0, 0.0),
        demand_tokens_per_s=np.array([2e8, 8e8, 1e8])[:, None] * 1.08**t,
        price_usd_per_mtok=np.array([0.50, 0.30, 1.0])[:, None] * 0.96**t,
        owed_tokens_per_s=np.where((t >= 2) & (t < 6), 8e6, 0.0)[None, :],
        speed=np.broadcast_to(1 + 0.02 * t, (n_p, 2, n_t)).copy(),
        cost_usd=cost,
        list_usd=cost,
        upkeep_usd_per_yr=np.full(n_p, 1e5),
        energy_usd_per_yr=mw[:, None] * 5e5 * np.ones(n_t),
        other_usd_per_yr=np.zeros(mw.size),
        shell_usd_per_mw=np.full(n_t, 11.3e6),
        shell_upkeep_usd_per_mw_yr=1e5,
        resale_usd=resale,
        terminal_usd=resale[:, -1] * 0.9,
        shell_terminal_usd_per_mw=11.3e6 * (1 - (n_t - t) / 60),
        lead_quarters=np.array([0, 1, 1]),
        life_quarters=np.array([20, 20, 20]),
        opening_racks=np.zeros(n_p),
        reinvest_share=0.3,
    )
    return replace(inputs, **changes)


@st.composite
def build_outs(draw: st.DrawFn, *, owed: bool = True, terminal: bool = True) -> BuildInputs:
    """Small random build-outs; feasible unless an obligation is out of reach."""
    n_t, n_p, n_w = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    p, w, _ = (index.ravel() for index in np.indices((n_p, n_w, 3)))
    n_j, n_s, n_o = p.size, 2 * n_w, int(owed and draw(st.booleans()))
    cost = rng.uniform(1e6, 6e6, (n_p, n_t))
    at_end, t = rng.uniform(0, 0.6), np.arange(n_t)
    mw = rng.uniform(0.05, 0.2, n_j)
    return BuildInputs(
        quarters=tuple(f"q{i}" for i in t),
        platforms=tuple(f"p{i}" for i in range(n_p)),
        workloads=tuple(f"w{i}" for i in range(n_w)),
        points=Points.of(p, w, mw, rng.uniform(1e5, 2e6, n_j)),
        segments=tuple(f"s{i}" for i in range(n_s)),
        segment_workload=np.tile(np.arange(n_w), 2),
        obligations=("run",)[:n_o],
        obligation_workload=np.zeros(n_o, dtype=np.int64),
        discount=0.97 ** (t + 1.0),
        opening_discount=0.97 ** t.astype(float),
        power_mw=rng.uniform(10, 200, n_t),
        capital_usd=rng.uniform(0, 3e9, n_t) * rng.integers(0, 2, n_t),
        supply_racks=rng.uniform(50, 2000, (n_p, n_t)) * rng.integers(0, 2, (n_p, n_t)),
        demand_tokens_per_s=rng.uniform(1e6, 1e9, (n_s, n_t)),
        price_usd_per_mtok=rng.uniform(0.02, 3.0, (n_s, n_t)),
        owed_tokens_per_s=rng.uniform(1e5, 1e7, (n_o, n_t)) * rng.integers(0, 2, (n_o, n_t)),
        speed=rng.uniform(0.5, 1.5, (n_p, n_w, n_t)),
        cost_usd=cost,
        list_usd=cost * rng.uniform(1.0, 2.0),
        upkeep_usd_per_yr=rng.uniform(0, 2e5, n_p),
        energy_usd_per_yr=mw[:, None] * rng.uniform(3e5, 8e5, n_t),
        other_usd_per_yr=rng.uniform(-1e5, 1e5, n_j) * rng.integers(0, 2),
        shell_usd_per_mw=rng.uniform(6e6, 12e6, n_t),
        shell_upkeep_usd_per_mw_yr=float(rng.uniform(0, 2e5)) * terminal,
        resale_usd=cost.min(axis=1)[:, None] * rng.uniform(0, 0.5) * 0.9**t,
        terminal_usd=cost.min(axis=1) * at_end * terminal,
        shell_terminal_usd_per_mw=rng.uniform(0, 6e6, n_t) * terminal,
        lead_quarters=rng.integers(0, 3, n_p),
        life_quarters=rng.integers(1, 8, n_p),
        opening_racks=rng.uniform(0, 100, n_p) * rng.integers(0, 2, n_p),
        reinvest_share=float(rng.choice([0.0, 0.5])),
        opening_mw=float(rng.uniform(0, 20)),
    )


def columns(plan: BuildPlan, inputs: BuildInputs) -> tuple[Programme, Array]:
    """A plan as columns of the programme of all points, cash as the money rows have it."""
    programme = build(inputs)
    x = np.zeros(programme.program.cost.size)
    x[programme.stock], x[programme.left], x[programme.use] = plan.racks, plan.retired, plan.use
    x[programme.bought] = plan.bought / programme.unit
    x[programme.sold] = plan.sold * T_TOKENS_PER_YR
    x[programme.built], x[programme.shell], x[programme.drawn] = plan.built_mw, plan.site_mw, plan.draw_mw
    x[programme.cash] = np.where(np.isfinite(plan.cash_usd), plan.cash_usd, 0.0) / 1e6
    return programme, x

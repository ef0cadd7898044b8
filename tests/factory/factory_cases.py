"""Cases for the factory's tests: the menu of public figures of 2026, and small random programmes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from gigawatt.economics.cost import crf
from gigawatt.factory import (
    Coefficients,
    MoatTerms,
    Obligation,
    Phase,
    PlanInputs,
    Platforms,
    Points,
    Segments,
)

NAMES = ("h200", "b200", "gb300", "mi355x", "tpu7x", "trn2")
WEST = ("gb300", "mi355x", "tpu7x", "trn2")
WORK = ("chat", "batch", "dense", "moe")
KW = np.array([1.73, 2.17, 2.30, 2.65, 1.30, 0.90])  # all-in, per chip (InferenceX app; some assumed)
USD = np.array([34.3, 49.1, 69.9, 30.0, 29.6, 6.9]) * 1e3  # IT per chip, solved from its USD per GPU-hour
TOKENS = np.array(  # per chip and second at profile: chat, batch, Llama 405B trained, DeepSeek-V3 trained
    [
        [1580, 2200, 340, 1543],
        [5128, 7140, 661, 3328],
        [8064, 9820, 1048, 6288],
        [2820, 5000, 480, 2000],
        [2300, 3570, 763.5, 2968],
        [560, 800, 175, 600],
    ]
)
PRICE = np.array([0.20, 0.15, 1.30, 0.23])  # USD per million tokens: they make GB300 earn contract rates
SHELL_USD_PER_MW = 11.3e6  # JLL 2026
CHIPS = 1000.0  # a "rack" of these cases is a thousand chips


def menu(
    platforms: tuple[str, ...] = NAMES,
    *,
    power_mw: float = 1000.0,
    capital_usd: float = 50e9,
    focal_cost_share: float = 1.0,
    derate: float = 0.80 * 0.70,
    integer: bool = False,
    block: int = 1,
    demand_tokens_per_s: float = 1e12,
    obligations: tuple[Obligation, ...] = (),
    low_power: bool = False,
) -> PlanInputs:
    """One gigawatt of `platforms` on four workloads, 150,000 TPU7x on offer."""
    rows = np.array([NAMES.index(name) for name in platforms])
    n, w = len(rows), len(WORK)
    p, j = np.repeat(np.arange(n), w), np.tile(np.arange(w), n)
    mw, tokens = KW[rows][p] * CHIPS / 1e3, (TOKENS[rows] * derate)[p, j] * CHIPS
    if low_power:  # 82 % of the watts for 95 % of the tokens
        p, j = np.tile(p, 2), np.tile(j, 2)
        mw, tokens = np.append(mw, 0.82 * mw), np.append(tokens, 0.95 * tokens)
    points = Points.of(p, j, mw, tokens)
    capex = USD[rows] * CHIPS
    cost_share = np.where(np.array(platforms) == "gb300", focal_cost_share, 1.0)
    supply = np.where(np.array(platforms) == "tpu7x", 150e3 / CHIPS, np.inf)
    system = Coefficients.of(
        "system",
        points,
        platform_usd_per_yr=crf(0.10, 5) * capex * cost_share,
        energy_usd_per_mw_yr=60 * 8760 * 0.8,
        shell_usd_per_mw_yr=float(crf(0.10, 15)) * SHELL_USD_PER_MW,
    )
    return PlanInputs(
        Platforms.of(platforms, capex, supply, CHIPS),
        WORK,
        points,
        Segments.of(WORK, np.arange(w), PRICE, demand_tokens_per_s),
        (system,),
        power_mw,
        capital_usd,
        SHELL_USD_PER_MW,
        obligations=obligations,
        integer_racks=integer,
        block_racks=block,
    )


def gb300_terms(**changes: object) -> MoatTerms:
    """Terms of GB300 as platform 0 of `WEST`: a rival's stack, an 8-chip domain, MI355X at its peak FP4 per watt."""
    maturity, domain = np.array([0.60, 0.75, 0.85, 0.70]), np.array([1.5, 1.1, 1.2, 1.78])
    rivals, small = np.ones((4, 4)), np.ones((4, 4))
    rivals[1:], small[1] = 1 / maturity, domain
    given: dict[str, object] = {
        "software": maturity * 0.9,
        "charge": float(crf(0.10, 4) / crf(0.10, 5)),
        "networking": 1 / domain,
        "watts": 1.72,
        "given_software": rivals,
        "given_networking": small,
        "given_watts": np.where(np.arange(4)[:, None] == 1, 1 / 1.72, 1.0),
        "cost_share": 0.25,
    }
    return MoatTerms.of((0,), 4, 4, **(given | changes))  # type: ignore[arg-type]


@st.composite
def programmes(draw: st.DrawFn, *, owed: bool = True) -> PlanInputs:
    """Small random programmes with every kind of limit; feasible unless an obligation is out of reach."""
    n_p, n_w, n_f = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    n_j = n_p * n_w * 2
    p, w = np.tile(np.repeat(np.arange(n_p), n_w), 2), np.tile(np.arange(n_w), 2 * n_p)
    points = Points.of(p, w, rng.uniform(0.05, 0.2, n_j), rng.uniform(1e5, 2e6, n_j))
    capex = rng.uniform(1e6, 6e6, n_p)
    parties = tuple(
        Coefficients.of(
            name,
            points,
            platform_usd_per_yr=0.3 * capex * scale,
            energy_usd_per_mw_yr=5e5 * scale,
            shell_usd_per_mw_yr=1e6 * scale,
        )
        for name, scale in (("system", 0.6), ("operator", 1.0))
    )
    segments = Segments.of(
        tuple(f"s{i}" for i in range(2 * n_w)),
        np.tile(np.arange(n_w), 2),
        rng.uniform(0.02, 1.5, 2 * n_w),
        rng.uniform(1e6, 1e9, 2 * n_w),
    )
    obligations = ()
    if owed and draw(st.booleans()):
        obligations = (Obligation("run", 0, float(rng.uniform(1e5, 1e7)), (0,)),)
    weights = rng.dirichlet(np.ones(n_f)) if n_f > 1 else np.ones(1)
    return PlanInputs(
        Platforms.of(tuple(f"p{i}" for i in range(n_p)), capex, rng.uniform(50, 3000, n_p)),
        tuple(f"w{i}" for i in range(n_w)),
        points,
        segments,
        parties,
        float(rng.uniform(20, 200)),
        float(rng.uniform(2e8, 8e9)),
        8e6,
        obligations=obligations,
        phases=tuple(Phase(f"f{i}", float(weights[i])) for i in range(n_f)),
    )

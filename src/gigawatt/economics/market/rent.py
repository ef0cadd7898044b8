"""The rent of an accelerator: mean-reverting in its logarithm, around a level that is high in a shortage and low in a glut.

    dx = kappa (theta - x) dt + sigma dW,   x = ln(rent)                    (Ornstein-Uhlenbeck)
    exact over a step h with theta held:  x' = theta + (x - theta) a + s z,   a = e^(-kappa h),
                                          s^2 = sigma^2 (1 - a^2) / (2 kappa)      (sigma^2 h for kappa = 0)
    theta = ln(level) + ln(factor of the regime) + tie x (cover - reference), the last within +-limit
    regime: a Markov chain over quarters, `short` and `glut`

`cover` is backlog over shipments, so that a rising backlog pulls rents up. The moments of x are exact by a recursion over
regimes (`moments`). A steady decline is no model of rents: that of an H100 fell from 2.99 to 1.70 USD an hour in a
year, and rose to 2.35 in the five months after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.market.draws import normals, uniforms

Array = NDArray[np.float64]
SHORT, GLUT = 0, 1
STREAM = 1
# Years of a step.
QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Process:
    """The law of a rent. Rates are a year, chances a quarter; `factor_short`, `factor_glut` are over the `level`.

    `tie` is the change of ln(theta) for one quarter more of cover; it is held within +-`tie_limit`.
    """

    start_usd_per_h: float
    level_usd_per_h: float
    reversion_per_year: float
    volatility_per_year: float
    factor_short: float = 1.0
    factor_glut: float = 1.0
    chance_to_glut: float = 0.0
    chance_to_short: float = 0.0
    start_regime: int = SHORT
    tie: float = 0.0
    cover_reference: float = 1.0
    tie_limit: float = 0.5

    @property
    def keep(self) -> float:
        """a: what is left after a quarter of a distance to the level."""
        return float(np.exp(-self.reversion_per_year * QUARTER))

    @property
    def spread(self) -> float:
        """s: standard deviation of a quarter's shock to ln(rent)."""
        k = self.reversion_per_year
        time = QUARTER if k == 0 else -np.expm1(-2 * k * QUARTER) / (2 * k)
        return float(self.volatility_per_year * np.sqrt(time))

    def levels(self, cover: ArrayLike, quarters: int) -> tuple[Array, Array]:
        """ln theta in a shortage and in a glut, each [..., quarters], for a cover that broadcasts to that."""
        given = np.asarray(cover, dtype=np.float64)
        gap = self.tie * (given - self.cover_reference) if self.tie else np.zeros_like(given)
        pull = np.clip(gap, -self.tie_limit, self.tie_limit)
        base = np.log(self.level_usd_per_h) + np.broadcast_to(pull, (*given.shape[:-1], quarters))
        return base + np.log(self.factor_short), base + np.log(self.factor_glut)

    @property
    def chances(self) -> Array:
        """[from, to] of the chain over a quarter."""
        down, up = self.chance_to_glut, self.chance_to_short
        return np.array([[1 - down, down], [up, 1 - up]])


def simulate(
    process: Process, quarters: int, count: int, seed: int, cover: ArrayLike | None = None, first: int = 0
) -> tuple[Array, NDArray[np.bool_]]:
    """Rents in USD an hour and whether there is a glut, each [draws, quarters], at the quarters' ends; draws
    `first` .. `first + count - 1` of the seed. `cover` is [quarters] or [draws, quarters] of these draws.

    >>> law = Process(2.0, 2.0, 1.0, 0.3)
    >>> rents, _ = simulate(law, 4, 1000, seed=1)
    >>> bool(np.array_equal(rents[600:], simulate(law, 4, 400, seed=1, first=600)[0]))
    True
    """
    drawn = uniforms(seed, STREAM, count, 2 * quarters, first)
    shocks, moves = normals(drawn[:, :quarters]), drawn[:, quarters:]
    short, glut = process.levels(process.cover_reference if cover is None else cover, quarters)
    x = np.full(count, np.log(process.start_usd_per_h))
    in_glut = np.full(count, process.start_regime == GLUT)
    rents, regimes = np.empty((count, quarters)), np.empty((count, quarters), dtype=np.bool_)
    for at in range(quarters):
        stay = np.where(in_glut, 1 - process.chance_to_short, process.chance_to_glut)
        in_glut = moves[:, at] < stay
        theta = np.where(in_glut, glut[..., at], short[..., at])
        x = theta + (x - theta) * process.keep + process.spread * shocks[:, at]
        rents[:, at], regimes[:, at] = np.exp(x), in_glut
    return rents, regimes


def moments(process: Process, quarters: int, cover: ArrayLike | None = None) -> tuple[Array, Array, Array]:
    """Exact mean and variance of ln(rent), and the chance of a glut, each [quarters], for one path of cover.

    With p, m, q the chance, first and second moment of x on each regime, over a step (P the chain):
    p' = pP,  m' = b p' + a mP,  q' = (b^2 + s^2) p' + 2 a b mP + a^2 qP,  b = theta (1 - a).
    """
    levels = np.array(process.levels(process.cover_reference if cover is None else cover, quarters))
    a, s = process.keep, process.spread
    start = float(np.log(process.start_usd_per_h))
    p = np.zeros(2)
    p[process.start_regime] = 1.0
    m, q = p * start, p * start**2
    mean, variance, glut = np.empty(quarters), np.empty(quarters), np.empty(quarters)
    for at in range(quarters):
        p, m, q = p @ process.chances, m @ process.chances, q @ process.chances
        b = levels[:, at] * (1 - a)
        m, q = b * p + a * m, (b**2 + s**2) * p + 2 * a * b * m + a**2 * q
        mean[at], glut[at] = m.sum(), p[GLUT]
        variance[at] = max(q.sum() - m.sum() ** 2, 0.0)  # a difference of equals may round below nothing
    return mean, variance, glut

"""A contest of labs for one prize (Tullock): what each spends on compute, what the vendor takes of it, what a truce would save.

    share      s_i = (q_i x_i)^r / sum_j (q_j x_j)^r        x tokens a year, q quality made of a token, r decisiveness
    prize      V(X) = V_0 (X / X_0)^g,  X = sum q_j x_j     g = 0: what customers pay in all is fixed
    payoff     V s_i - c_i x_i                              c USD per token: less of it is compute per dollar gained
    Nash       c_i x_i = V s_i (r (1 - s_i) + g z_i),       z_i = q_i x_i / X
    alike      n labs spend V (r (n - 1) + g) / n together; with g = 0, x* = r V (n - 1) / (n^2 c)
    together   the labs as one would spend g V(X)

A pure equilibrium of equal labs exists for r <= n / (n - 1) (g = 0); beyond, a lab that would lose money stays out and the
check by deviation says whether what is left holds. The first-order conditions are solved by iteration in logarithms, with the
residual stated. Arrays lead with the draw: [D] and [D,n].

Source: Tullock, "Efficient Rent Seeking", 1980; existence: Perez-Castrillo and Verdier, 1992.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_ROUNDS = 800
# Newton steps after them, and a share of the prize that is none.
_STEPS = 100
_NOTHING = 1e-10
_GRID = np.concatenate([np.geomspace(1e-3, 0.98, 24), np.geomspace(1.02, 20, 24)])


@dataclass(frozen=True, slots=True)
class Contest:
    """prize_usd_per_yr, decisiveness, prize_growth (g), reference_tokens (X_0, effective tokens a year) [D];
    cost_usd_per_token, quality [D,n]."""

    prize_usd_per_yr: Array
    decisiveness: Array
    prize_growth: Array
    reference_tokens: Array
    cost_usd_per_token: Array
    quality: Array

    def take(self, rows: ArrayLike) -> Contest:
        """The same with some of the draws."""
        kept = np.asarray(rows)
        return Contest(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))

    def prize(self, tokens: Array) -> Array:
        """[D] V at tokens [D,n] a year."""
        made = (self.quality * tokens).sum(axis=-1)
        return np.asarray(self.prize_usd_per_yr * (made / self.reference_tokens) ** self.prize_growth)


@dataclass(frozen=True, slots=True)
class Outcome:
    """tokens a year, spend and payoff in USD a year, share [D,n]; prize [D]. residual [D]: largest error of a first-order
    condition over the prize. deviation [D]: most that a lab would gain by spending otherwise, over the prize."""

    tokens: Array
    spend_usd_per_yr: Array
    share: Array
    payoff_usd_per_yr: Array
    prize_usd_per_yr: Array
    residual: Array
    deviation: Array

    @property
    def spent_share(self) -> Array:
        """[D] of the prize that goes into compute."""
        return np.asarray(self.spend_usd_per_yr.sum(axis=-1) / self.prize_usd_per_yr)

    @property
    def holds(self) -> NDArray[np.bool_]:
        """[D] no lab gains by deviating: an equilibrium in pure strategies."""
        return np.asarray((self.deviation < 1e-6) & (self.residual < 1e-6))


def symmetric_spend_usd(
    prize_usd_per_yr: ArrayLike, labs: ArrayLike, decisiveness: ArrayLike, prize_growth: ArrayLike = 0.0
) -> Array:
    """Spend of each of n equal labs in equilibrium, USD a year, `prize_usd_per_yr` being that of the equilibrium.

    >>> [float(symmetric_spend_usd(8.0, n, 1.0) * n) for n in (2, 4)]
    [4.0, 6.0]
    """
    n = np.asarray(labs, dtype=np.float64)
    return np.asarray(
        np.asarray(prize_usd_per_yr) * (np.asarray(decisiveness) * (n - 1) + np.asarray(prize_growth)) / n**2
    )


def shares(contest: Contest, tokens: Array) -> Array:
    """[D,n] shares of the prize; equal where nobody spends."""
    weight = contest.quality * tokens
    top = weight.max(axis=-1, keepdims=True)
    scaled = np.divide(weight, top, out=np.zeros_like(weight), where=top > 0) ** contest.decisiveness[:, None]
    total = scaled.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(top > 0, scaled / np.maximum(total, 1e-300), 1 / weight.shape[-1]))


def equilibrium(contest: Contest) -> Outcome:
    """What the labs spend when each answers the others; a lab that would lose money stays out."""
    draws, n = contest.quality.shape
    inside = np.ones((draws, n), dtype=bool)
    for _ in range(n):
        tokens = _solve(contest, inside)
        spend = contest.cost_usd_per_token * tokens
        share, prize = shares(contest, tokens), contest.prize(tokens)
        payoff = np.where(inside, prize[:, None] * share - spend, np.inf)
        loses = (payoff.min(axis=-1) < -1e-9 * prize) & (inside.sum(axis=-1) > 1)
        worst = payoff.argmin(axis=-1)
        if not loses.any():
            break
        inside[np.flatnonzero(loses), worst[loses]] = False
    wanted = _first_order(contest, tokens, share, prize)
    residual = np.where(inside, np.abs(wanted - spend), 0.0).max(axis=-1) / prize
    gain = _deviation(contest, tokens)
    return Outcome(tokens, spend, share, np.where(inside, payoff, 0.0), prize, residual, gain)


def cooperation(contest: Contest) -> Outcome:
    """What the labs would spend as one, through whoever makes quality cheapest, shared equally.

    Only where the prize grows with quality (0 < g < 1) is anything spent.
    """
    n = contest.quality.shape[-1]
    unit = (contest.cost_usd_per_token / contest.quality).min(axis=-1)
    g, v0, x0 = contest.prize_growth, contest.prize_usd_per_yr, contest.reference_tokens
    made = np.where(g > 0, x0 * (np.maximum(g, 1e-300) * v0 / (unit * x0)) ** (1 / (1 - g)), 0.0)
    prize = v0 * (made / x0) ** g
    spend = np.repeat((g * prize / n)[:, None], n, axis=1)
    tokens = spend / contest.cost_usd_per_token
    share = np.full_like(spend, 1 / n)
    zero = np.zeros_like(prize)
    return Outcome(tokens, spend, share, prize[:, None] * share - spend, prize, zero, _deviation(contest, tokens))


def with_labs(contest: Contest, labs: int) -> Contest:
    """The contest among `labs` labs like the first."""
    alike = {name: np.repeat(getattr(contest, name)[:, :1], labs, axis=1) for name in ("cost_usd_per_token", "quality")}
    return replace(contest, **alike)


def cheaper(contest: Contest, factor: float) -> Contest:
    """The same with `factor` times the tokens for a dollar."""
    return replace(contest, cost_usd_per_token=contest.cost_usd_per_token / factor)


def dilemma(contest: Contest, truce_share: float) -> Array:
    """[2,2,D] yearly payoff of the first lab: own move (truce, race) by the others' (truce, race).

    Race is the equilibrium spend, truce that share of it.
    """
    race = equilibrium(contest).tokens
    out = []
    for mine in (truce_share, 1.0):
        for others in (truce_share, 1.0):
            factor = np.full(race.shape[-1], others)
            factor[0] = mine
            out.append(_payoff(contest, race * factor)[:, 0])
    return np.stack(out).reshape(2, 2, -1)


def vendor_take_usd(
    spend_usd_per_yr: Array, hardware_share: ArrayLike, vendor_share: ArrayLike, margin_share: ArrayLike = 1.0
) -> Array:
    """Of the labs' spend on compute, what reaches the vendor: share that pays for hardware x the vendor's part of it, as
    sales (margin 1) or as gross profit."""
    return np.asarray(spend_usd_per_yr * np.asarray(hardware_share) * vendor_share * margin_share)


def _payoff(contest: Contest, tokens: Array) -> Array:
    return np.asarray(contest.prize(tokens)[:, None] * shares(contest, tokens) - contest.cost_usd_per_token * tokens)


def _first_order(contest: Contest, tokens: Array, share: Array, prize: Array) -> Array:
    made = contest.quality * tokens
    part = made / np.maximum(made.sum(axis=-1, keepdims=True), 1e-300)
    inner = contest.decisiveness[:, None] * (1 - share) + contest.prize_growth[:, None] * part
    return np.asarray(prize[:, None] * share * inner)


def _solve(contest: Contest, inside: NDArray[np.bool_]) -> Array:
    """Tokens at which every lab inside meets its first-order condition; the others' are 0."""
    n = np.maximum(inside.sum(axis=-1), 1)
    first = (contest.prize_usd_per_yr / n**2)[:, None] / contest.cost_usd_per_token
    tokens = np.where(inside, first, 0.0)
    least = 1e-12 * first
    left = np.arange(len(tokens))
    for _ in range(_ROUNDS):
        game, now = contest.take(left), tokens[left]
        wanted = _first_order(game, now, shares(game, now), game.prize(now)) / game.cost_usd_per_token
        mean = np.sqrt(np.maximum(wanted, least[left]) * np.maximum(now, least[left]))
        tokens[left] = np.where(inside[left], mean, 0.0)
        moved = (np.abs(tokens[left] - now) / np.maximum(first[left], now)).max(axis=-1)
        left = left[moved > 1e-14]
        if not len(left):
            return tokens
    tokens[left] = _polished(contest.take(left), tokens[left], inside[left])
    return tokens


def _polished(contest: Contest, tokens: Array, inside: NDArray[np.bool_]) -> Array:
    """The last digits by Newton's method, where plain iteration is slow: a lab about to stay out.

    With tokens x, F_i = wanted_i / spend_i - 1, shares s (of the prize) and p (of quality made), the step dx solves

        sum_j A_ij dx_j / x_j = spend_i / wanted_i - 1
        A_ij = g p_j + r (d_ij - s_j) + (g p_i (d_ij - p_j) - r^2 s_i (d_ij - s_j)) / (r (1 - s_i) + g p_i) - d_ij
    """
    n = tokens.shape[-1]
    same = np.eye(n)
    r, g = contest.decisiveness[:, None, None], contest.prize_growth[:, None, None]
    best, least = tokens, np.full(len(tokens), np.inf)
    for _ in range(_STEPS):
        s = shares(contest, tokens)
        made = contest.quality * tokens
        p = made / np.maximum(made.sum(axis=-1, keepdims=True), 1e-300)
        wanted = _first_order(contest, tokens, s, contest.prize(tokens))
        spend = contest.cost_usd_per_token * tokens
        ratio = np.divide(wanted, spend, out=np.ones_like(spend), where=inside & (spend > 0))
        off = np.where(inside, np.abs(wanted - spend), 0.0).max(axis=-1)
        best, least = np.where((off < least)[:, None], tokens, best), np.minimum(off, least)
        if off.max(initial=0.0) <= 1e-14 * float(contest.prize_usd_per_yr.max()):
            break
        s_i, p_i, s_j, p_j = s[:, :, None], p[:, :, None], s[:, None, :], p[:, None, :]
        inner = np.maximum(r * (1 - s_i) + g * p_i, 1e-300)
        slope = g * p_j + r * (same - s_j) + (g * p_i * (same - p_j) - r * r * s_i * (same - s_j)) / inner - same
        moving = inside & (s > _NOTHING)  # who has sunk to nothing stays there
        slope = np.where(moving[:, :, None] & moving[:, None, :], slope, -same)
        step = _solved(slope, 1 / np.maximum(ratio, 1e-300) - 1)
        tokens = np.where(moving, tokens * np.clip(1 + step, 0.2, 50.0), tokens)
    return best


def _solved(slope: Array, right: Array) -> Array:
    """Solutions of one linear system a draw; a singular one by least squares."""
    try:
        return np.asarray(np.linalg.solve(slope, right[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        return np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(slope, right, strict=True)])


def _deviation(contest: Contest, tokens: Array) -> Array:
    """[D] largest gain over the prize of one lab that spends otherwise, the rest held; tried on a grid."""
    now, prize = _payoff(contest, tokens), contest.prize(tokens)
    level = contest.prize_usd_per_yr[:, None] / contest.cost_usd_per_token
    best = np.zeros(len(prize))
    for i in range(tokens.shape[-1]):
        start = np.where(tokens[:, i] > 0, tokens[:, i], level[:, i])
        for factor in (0.0, *_GRID):
            tried = tokens.copy()
            tried[:, i] = start * factor
            best = np.maximum(best, (_payoff(contest, tried)[:, i] - now[:, i]) / np.maximum(prize, 1e-300))
    return best

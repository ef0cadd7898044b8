"""Who else can use a chip when its first user leaves, and what that is worth: time to re-let, use, life, resale, loan.

    buyers     lambda = sum_k a_k x support_k x min(1, maturity_k)       a year; a thinned Poisson stream is Poisson
    vacancy    1 / lambda + fit-out                                      by quarter: geometric with p = 1 - exp(-lambda/4)
    use        tenancy / (tenancy + vacancy)
    margin     old: u R e^((d - g) a) - o        new: u R e^(d a) - o - capex x CRF(rate, life)
    life       first age a at which the old margin is not above max(0, new margin) where power is short, above 0 where it is not
    recovery   V(age + tau) (1 - cost of sale) (1 + rate)^-tau,          tau = fit-out - ln(U) / lambda
    loan       the p-quantile of recovery over the middle value at that age: what is lost in no more than p of the cases

R is the rent of a MW of the newest chip, g the yearly log gain of work per MW of a new generation, d the drift of rents;
under competition an old chip earns what a new one would for the same work. Draws lead; K kinds of buyers; ages in years.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.economics.cost.annuity import crf

Array = NDArray[np.float64]
STEP_YEARS = 1 / 16
OLDEST_YEARS = 20.0
NOBODY_PER_YR = 1e-9  # a buyer in a billion years is none


def fit(support: ArrayLike, maturity: ArrayLike) -> Array:
    """Part of the buyers of a kind who can use the chip: share of their software that runs x how well, at most 1."""
    return np.asarray(np.asarray(support) * np.minimum(np.asarray(maturity, dtype=np.float64), 1.0))


def fitting_buyers_per_yr(buyers_per_yr: ArrayLike, support: ArrayLike, maturity: ArrayLike) -> Array:
    """[D] buyers a year who can use the chip, of kinds along the last axis.

    >>> float(fitting_buyers_per_yr([2.0, 4.0], [1.0, 0.5], [1.0, 0.5]))
    3.0
    """
    return np.asarray((np.asarray(buyers_per_yr, dtype=np.float64) * fit(support, maturity)).sum(axis=-1))


def kinds_that_run(support: ArrayLike, maturity: ArrayLike, least: float = 0.5) -> NDArray[np.int64]:
    """[D] kinds of work whose fit is at least `least`."""
    return np.asarray((fit(support, maturity) >= least).sum(axis=-1))


def vacancy_years(buyers_per_yr: ArrayLike, fit_out_years: ArrayLike = 0.0) -> Array:
    """Mean time between tenants; infinite where nobody can use the chip."""
    rate = np.asarray(buyers_per_yr, dtype=np.float64)
    wait = np.divide(1.0, rate, out=np.full_like(rate, np.inf), where=rate > NOBODY_PER_YR)
    return np.asarray(wait + np.asarray(fit_out_years, dtype=np.float64))


def let_within(buyers_per_yr: ArrayLike, years: ArrayLike) -> Array:
    """Probability that a tenant has come within a time."""
    return np.asarray(-np.expm1(-np.asarray(buyers_per_yr, dtype=np.float64) * np.asarray(years)))


def utilisation(tenancy_years: ArrayLike, vacancy: ArrayLike) -> Array:
    """Part of its life in which the chip is let: tenancies and vacancies in turn.

    >>> float(utilisation(3.0, 1.0))
    0.75
    """
    stay = np.asarray(tenancy_years, dtype=np.float64)
    return np.asarray(stay / (stay + np.asarray(vacancy)))


@dataclass(frozen=True, slots=True)
class Chip:
    """[D] columns of a MW of chips, USD per MW-year and per MW. gain, drift: log a year; `new_utilisation` is that of the
    chips which would take its place."""

    rent_usd_per_mw_yr: Array
    running_usd_per_mw_yr: Array
    capex_usd_per_mw: Array
    gain: Array
    drift: Array
    utilisation: Array
    new_utilisation: Array
    rate: Array
    charge_years: Array


def ages_years() -> Array:
    """The grid of ages on which margins are followed."""
    return np.arange(0.0, OLDEST_YEARS + STEP_YEARS / 2, STEP_YEARS)


def old_margin_usd(chip: Chip, age_years: ArrayLike) -> Array:
    """[A,D] yearly margin of a MW of chips at each age, before their capital (which is spent)."""
    age = np.asarray(age_years, dtype=np.float64)[:, None]
    return np.asarray(
        chip.utilisation * chip.rent_usd_per_mw_yr * np.exp((chip.drift - chip.gain) * age) - chip.running_usd_per_mw_yr
    )


def new_margin_usd(chip: Chip, age_years: ArrayLike) -> Array:
    """[A,D] yearly margin of a MW of the newest chips at that time, after their capital."""
    age = np.asarray(age_years, dtype=np.float64)[:, None]
    charge = chip.capex_usd_per_mw * crf(chip.rate, chip.charge_years)
    return np.asarray(
        chip.new_utilisation * chip.rent_usd_per_mw_yr * np.exp(chip.drift * age) - chip.running_usd_per_mw_yr - charge
    )


def economic_life_years(chip: Chip, *, power_limited: bool = True) -> Array:
    """[D] age at which the MW is better used by a new chip (power short) or by none; at most `OLDEST_YEARS`."""
    age = ages_years()
    hurdle = np.maximum(new_margin_usd(chip, age), 0.0) if power_limited else 0.0
    over = old_margin_usd(chip, age) - hurdle
    done = over <= 0
    at = np.where(done.any(axis=0), done.argmax(axis=0), len(age) - 1)
    rows = np.arange(over.shape[1])
    before, after = over[np.maximum(at - 1, 0), rows], over[at, rows]
    inside = done.any(axis=0) & (at > 0)
    part = np.divide(before, before - after, out=np.ones_like(before), where=inside)
    return np.asarray(np.where(at == 0, 0.0, age[np.maximum(at - 1, 0)] + part * STEP_YEARS))


def earning_value_usd(chip: Chip, age_years: float, life_years: Array) -> Array:
    """[D] present value of the margins that a MW of chips still earns from an age to the end of its life."""
    age = ages_years()
    margin = np.maximum(old_margin_usd(chip, age), 0.0)
    # Each step counts for the part of it that lies between the age and the end of the life.
    part = np.clip(np.minimum(age[:, None] + STEP_YEARS, life_years) - np.maximum(age, age_years)[:, None], 0.0, None)
    value = margin * part * (1 + chip.rate) ** -np.maximum(age[:, None] - age_years, 0.0)
    return np.asarray(value.sum(axis=0))


def resale_share(age_years: ArrayLike, known_ages: ArrayLike, known_shares: ArrayLike) -> Array:
    """[D] resale value over the price when new, at ages [D] or a number: log-linear between the known ages (new is 1),
    and on with the last slope. `known_shares` is [D,A].

    >>> round(float(resale_share(0.5, [1.0, 2.0], [[0.64, 0.4]])[0]), 12)
    0.8
    """
    shares = np.atleast_2d(np.asarray(known_shares, dtype=np.float64))
    knots = np.concatenate([[0.0], np.asarray(known_ages, dtype=np.float64)])
    logs = np.concatenate([np.zeros((len(shares), 1)), np.log(shares)], axis=1)
    slopes = np.diff(logs, axis=1) / np.diff(knots)
    age = np.broadcast_to(np.asarray(age_years, dtype=np.float64), (len(shares),))
    at = np.clip(np.searchsorted(knots, age, side="right") - 1, 0, len(knots) - 2)
    rows = np.arange(len(shares))
    return np.asarray(np.exp(logs[rows, at] + slopes[rows, at] * (age - knots[at])))


def recovery_share(
    age_years: float,
    buyers_per_yr: Array,
    uniform: Array,
    known_ages: ArrayLike,
    known_shares: Array,
    *,
    fit_out_years: ArrayLike = 0.0,
    sale_cost_share: ArrayLike = 0.0,
    rate: ArrayLike = 0.0,
) -> Array:
    """[D] what a lender gets for chips seized at an age, over their price when new.

    `uniform` [D] in (0, 1] is the luck of the search: the same for every number of buyers, so that more buyers can only help.
    """
    wait = np.divide(
        -np.log(uniform), buyers_per_yr, out=np.full_like(uniform, np.inf), where=buyers_per_yr > NOBODY_PER_YR
    )
    wait = np.minimum(wait + np.asarray(fit_out_years), OLDEST_YEARS)
    value = resale_share(age_years + wait, known_ages, known_shares)
    found = np.where(buyers_per_yr > NOBODY_PER_YR, value, 0.0)
    return np.asarray(found * (1 - np.asarray(sale_cost_share)) * (1 + np.asarray(rate)) ** -wait)


def loan_to_value(recovery: Array, value: float, loss_probability: float) -> float:
    """The loan, over a value, that recovery falls short of in `loss_probability` of the draws.

    Raises:
        ValueError: the probability is not inside 0 and 1.
    """
    if not 0 < loss_probability < 1:
        raise ValueError("a loss probability lies between 0 and 1")
    return float(np.quantile(recovery, loss_probability) / value)

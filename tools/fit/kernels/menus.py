"""Fits a form that has menus: constants with few values (tile heights, flags of an engine's dispatch), not a slope.

Least squares cannot move a discrete constant, so each is scanned in turn on a small sample, keeping what lowers the
cost; the continuous constants are refitted at every step. Each fold scans its own training rows, so a held-out error
never saw the shapes it is judged on, neither through a slope nor through a menu.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from .harness import Fit, Form, errors, fit, folds, sample
from .tables import Rows

Choice = Mapping[str, float]


@dataclass(frozen=True)
class Menu:
    """A form, the choices of each discrete group, and the constants that are free only under a choice.

    `menus` is scanned in order; the first choice of each is where the scan starts. `freed` maps a free constant to the
    flags of which one must be on; off, it stays at its start value.
    """

    form: Form
    menus: Sequence[Sequence[Choice]] = ()
    freed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def at(self, chosen: Choice) -> Form:
        """The form with the chosen discrete constants held."""
        held = {n: f for n, f in self.form.free.items() if not self._idle(n, chosen)}
        idle = {n: f.start for n, f in self.form.free.items() if self._idle(n, chosen)}
        return replace(self.form, free=held, fixed={**self.form.fixed, **idle, **chosen})

    def _idle(self, name: str, chosen: Choice) -> bool:
        return name in self.freed and not any(chosen.get(flag, 0.0) > 0 for flag in self.freed[name])


def cost(form: Form, part: Rows, values: Mapping[str, float], loss: float = 0.1) -> float:
    """Mean soft-L1 of ln(predicted/measured), the harness's loss."""
    off = np.log(np.maximum(form.predict(part.x, values), 1e-3) / part.us) / loss
    return float(np.mean(2.0 * (np.sqrt(1.0 + off**2) - 1.0)))


def scan(menu: Menu, part: Rows, *, size: int = 600, seed: int = 5, rounds: int = 1) -> dict[str, float]:
    """The discrete constants that fit a sample of `part` best, each scanned in turn, `rounds` times."""
    small = sample(part, size, seed)
    chosen: dict[str, float] = {}
    for choices in menu.menus:
        chosen.update(choices[0])
    values = fit(menu.at(chosen), small)
    best = cost(menu.form, small, values)
    for _ in range(rounds):
        before = dict(chosen)
        for choices in menu.menus:
            for choice in choices:
                trial = {**chosen, **choice}
                if trial == chosen:
                    continue
                form = menu.at(trial)
                # From the constants at hand and from the plain start: another kernel may lie in another valley.
                tries = [fit(form, small, start=point) for point in ({**values, **choice}, None)]
                found = min(tries, key=partial(cost, menu.form, small))
                now = cost(menu.form, small, found)
                # A choice must earn its place: the first listed is the plain kernel.
                if now < 0.99 * best:
                    best, chosen, values = now, trial, found
        if chosen == before:
            break
    return chosen


def fit_menu(menu: Menu, part: Rows, *, size: int = 2500, seed: int = 1) -> dict[str, float]:
    """All constants of the form on all rows given."""
    form = menu.at(scan(menu, part))
    return fit(form, sample(part, size, seed))


def held_out_menu(menu: Menu, part: Rows, *, size: int = 2000, count: int = 4, null: Form | None = None) -> Fit:
    """Fit on all; errors of `count` fits, each of which scans and fits without one fold of shapes."""
    values = fit_menu(menu, part, size=size)
    fold = folds(part, count)
    predicted, plain = np.empty(len(part)), np.empty(len(part))
    for k in range(count):
        train, test = part.take(fold != k), fold == k
        seen = {n: v[test] for n, v in part.x.items()}
        predicted[test] = menu.form.predict(seen, fit_menu(menu, train, size=size, seed=k + 2))
        if null is not None:
            plain[test] = null.predict(seen, fit(null, sample(train, size, seed=k + 2)))
    median, p90, q10, q90, _ = errors(predicted, part.us)
    nulls = errors(plain, part.us)[:2] if null is not None else (float("nan"), float("nan"))
    return Fit(values, len(part), median, p90, q10, q90, *nulls, float(np.median(predicted / part.us - 1.0)))

"""Fits named constants of a kernel form to measured rows, and says how wrong the form is on shapes it never saw.

Soft-L1 least squares on log(predicted/measured) over a sample; folds are whole groups of shapes, since neighbours on a
measured grid flatter. Constants that are scales are fitted in the logarithm, between their bounds. Each fit starts from
several points and keeps the best; a form must also beat, or equal, t0 + max(compute, memory), the null model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from .tables import Rows

Floats = NDArray[np.float64]
Predict = Callable[[Mapping[str, Floats], Mapping[str, float]], Floats]  # microseconds


@dataclass(frozen=True)
class Free:
    """A free constant: start, bounds; fitted in the logarithm (a scale) or as it is."""

    start: float
    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Form:
    """A kernel form: `predict` in microseconds of shape columns and constants; `free` fitted, `fixed` held.

    `starts` are further starting points (some constants at other values); `null` the same for t0 + max(...).
    """

    name: str
    predict: Predict
    free: Mapping[str, Free]
    fixed: Mapping[str, float] = field(default_factory=dict)
    starts: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Fit:
    """Constants, and held-out errors: median and 90th percentile of |pred/meas - 1|, 10th and 90th of ln(meas/pred)."""

    values: dict[str, float]
    rows: int
    median: float
    p90: float
    q10: float
    q90: float
    null_median: float = float("nan")
    null_p90: float = float("nan")
    bias: float = 0.0

    def report(self) -> str:
        """Rows, median / 90th percentile and the null model's median, in percent, and the constants, for the terminal."""
        constants = " ".join(f"{name} {value:.3g}" for name, value in self.values.items())
        errors = f"{100 * self.median:5.1f} /{100 * self.p90:5.1f}  null {100 * self.null_median:5.1f}"
        return f"{self.rows:6d} {errors}  {constants}"


def _vector(form: Form, values: Mapping[str, float]) -> Floats:
    return np.array([np.log(values[n]) if f.log else values[n] for n, f in form.free.items()])


def _values(form: Form, vector: Floats) -> dict[str, float]:
    found = {n: float(np.exp(v)) if f.log else float(v) for (n, f), v in zip(form.free.items(), vector, strict=True)}
    return {**form.fixed, **found}


def fit(form: Form, part: Rows, *, start: Mapping[str, float] | None = None) -> dict[str, float]:
    """Constants of a form on all rows given."""
    return solve(form, part, start=start)[0]


def choose(forms: Sequence[Form], part: Rows) -> Form:
    """The form that fits the rows best: for choices without a gradient, such as a menu of tiles."""
    return forms[int(np.argmin([solve(form, part)[1] for form in forms]))] if len(forms) > 1 else forms[0]


def solve(
    form: Form, part: Rows, *, start: Mapping[str, float] | None = None, loss: float = 0.1
) -> tuple[dict[str, float], float]:
    """(constants, cost) of the best of a form's starting points."""
    low = np.array([np.log(f.low) if f.log else f.low for f in form.free.values()])
    high = np.array([np.log(f.high) if f.log else f.high for f in form.free.values()])
    target = np.log(part.us)

    def residual(vector: Floats) -> Floats:
        out = np.log(np.maximum(form.predict(part.x, _values(form, vector)), 1e-3)) - target
        return np.where(np.isfinite(out), out, 10.0)

    middle = {n: f.start for n, f in form.free.items()}
    starts = [dict(start)] if start is not None else [{**middle, **extra} for extra in ({}, *form.starts)]
    best: tuple[float, Floats] | None = None
    for point in starts:
        begin = np.clip(_vector(form, {**middle, **point}), low + 1e-9, high - 1e-9)
        done = least_squares(
            residual, begin, bounds=(low, high), loss="soft_l1", f_scale=loss, x_scale=0.3, max_nfev=60
        )
        if best is None or done.cost < best[0]:
            best = (float(done.cost), done.x)
    assert best is not None
    return _values(form, best[1]), best[0]


def sample(part: Rows, size: int, seed: int = 1) -> Rows:
    """At most `size` rows, drawn evenly over the logarithm of time so that long kernels are not drowned by launches."""
    if len(part) <= size:
        return part
    rng = np.random.default_rng(seed)
    bins = np.digitize(np.log(part.us), np.quantile(np.log(part.us), np.linspace(0, 1, 9)[1:-1]))
    weight = 1.0 / np.bincount(bins)[bins]
    picked = rng.choice(len(part), size, replace=False, p=weight / weight.sum())
    return part.take(np.sort(picked))


def folds(part: Rows, count: int, seed: int = 1) -> NDArray[np.int64]:
    """A fold for each row, whole groups together."""
    names, index = np.unique(part.group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray(order[index] % count, np.int64)


def errors(predicted: Floats, measured: Floats) -> tuple[float, float, float, float, float]:
    """(median, p90 of the absolute relative error; q10, q90, median of ln(measured/predicted))."""
    off = np.abs(predicted / measured - 1.0)
    ratio = np.log(measured / predicted)
    q10, middle, q90 = np.quantile(ratio, (0.1, 0.5, 0.9))
    return float(np.median(off)), float(np.quantile(off, 0.9)), float(q10), float(q90), float(middle)


def held_out(form: Form, part: Rows, *, size: int = 2500, count: int = 4, null: Form | None = None) -> Fit:
    """Fit on all, and errors from `count` fits that each leave one fold of shapes out, judged on *every* row of it."""
    values = fit(form, sample(part, size))
    fold = folds(part, count)
    predicted, plain = np.empty(len(part)), np.empty(len(part))
    for k in range(count):
        train, test = part.take(fold != k), fold == k
        there = sample(train, size, seed=k + 2)
        seen = {n: v[test] for n, v in part.x.items()}
        predicted[test] = form.predict(seen, fit(form, there, start=values))
        if null is not None:
            plain[test] = null.predict(seen, fit(null, there))
    median, p90, q10, q90, _ = errors(predicted, part.us)
    bias = float(np.median(predicted / part.us - 1.0))
    nulls = errors(plain, part.us)[:2] if null is not None else (float("nan"), float("nan"))
    return Fit(values, len(part), median, p90, q10, q90, *nulls, bias)

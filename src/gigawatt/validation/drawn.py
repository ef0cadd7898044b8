"""Do bands that are drawn hold what was measured? The latent errors of calibrations are drawn by the sampler, as a study does.

    f = exp(z sigma of its side)      z one standard normal for each group and draw, sigma from the 80 % factors of the row
    band of a row                     P10 and P90 of prediction times f over the draws
    score                             z* of a measured value: the z that would have drawn it; N(0, 1) where bands are right
    together                          share of the variance of z* that rows of one deployment (document, generation) have in
                                      common: one-way analysis of variance, (MSB - MSW) / n0 over the sum of both parts

One latent error for many rows says that they err together. How far they do is measured by the last line, and by bands of
the mean of several deployments under z = l f + sqrt(1 - l^2) e, f of their generation and e of each: with loading l = 1 the
band of a mean is as wide as that of a single row, with l = 0 it shrinks with their number.

Source: S. R. Searle, G. Casella, C. E. McCulloch, "Variance Components" (1992), section 3.6, for unequal groups.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.study.sampling import normals, range_factors, shared
from gigawatt.study.sampling.ranges import Z80
from gigawatt.validation.base import Prediction
from gigawatt.validation.outside import Origin, origins
from gigawatt.validation.tables import find_tables, layout_of, read_rows

Array = NDArray[np.float64]
LEVELS = (0.1, 0.9)
DRAWS = 1024
_ROWS = 1024  # rows that are drawn at once: 8 MB


@dataclass(frozen=True, slots=True)
class Errors:
    """Rows with a prediction, its band and a measured value; all columns [rows].

    `ratio` is measured over predicted; `low` and `high` the 80 % factors on the prediction.
    """

    ratio: Array
    low: Array
    high: Array
    metric: NDArray[np.str_]
    belongs: NDArray[np.str_]
    generation: NDArray[np.str_]
    seen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ratio)

    def of(self, rows: NDArray[np.bool_]) -> Errors:
        """Some of the rows."""
        return Errors(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def score(self) -> Array:
        """z* of each row."""
        r = np.log(self.ratio)
        side = np.where(r < 0, -np.log(self.low), np.log(self.high)) / Z80
        return np.asarray(r / np.maximum(side, 1e-12))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of a set of rows: how many lie below, inside and above their drawn bands, and the median half-width of those."""

    rows: int
    below: float
    inside: float
    above: float
    half_width: float


def errors_of(
    predictions: Sequence[Prediction],
    measured: Mapping[tuple[str, str], float | None],
    origins: Sequence[Origin],
) -> Errors:
    """Columns of all rows that have a band and a measured value above 0."""
    kept = []
    for p, origin in zip(predictions, origins, strict=True):
        value = measured.get((p.id, p.metric))
        if p.predicted and p.low and p.high and value and value > 0 < p.low:
            factors = (value / p.predicted, p.low / p.predicted, p.high / p.predicted)
            kept.append((*factors, p.metric, origin.belongs, origin.generation, origin.seen))
    numbers = np.array([row[:3] for row in kept], dtype=np.float64).reshape(-1, 3).T
    texts = np.array([row[3:6] for row in kept], dtype=np.str_).reshape(-1, 3).T
    seen = np.array([row[6] for row in kept], dtype=np.bool_)
    return Errors(numbers[0], numbers[1], numbers[2], texts[0], texts[1], texts[2], seen)


def read_errors(kind: str) -> Errors:
    """The errors of every row of a kind, over the tables that `validate` reads.

    Raises:
        InputError: a table that can not be read.
    """
    predictions: list[Prediction] = []
    measured: dict[tuple[str, str], float | None] = {}
    module = importlib.import_module(f"gigawatt.validation.{kind}")
    for path in find_tables(kind):
        rows = read_rows(path)
        layout = layout_of(kind, rows, path)
        predictions += module.predict(layout.blind(rows))
        measured |= layout.measured(rows)
    return errors_of(predictions, measured, origins(kind, predictions))


def drawn_bands(errors: Errors, seed: int, draws: int = DRAWS) -> Array:
    """P10 and P90 of every row's factor, [rows, 2]; rows that belong together share a latent error."""
    names, group = np.unique(errors.belongs, return_inverse=True)
    latent = normals(seed, 0, draws, len(names))
    out = np.empty((len(errors), 2))
    for start in range(0, len(errors), _ROWS):
        part = slice(start, start + _ROWS)
        made = range_factors(errors.low[part], errors.high[part], latent[:, group[part]])
        out[part] = np.quantile(made, LEVELS, axis=0).T
    return out


def coverage(errors: Errors, seed: int, draws: int = DRAWS) -> Coverage:
    """How many measured values the drawn bands hold.

    Raises:
        ValueError: no rows.
    """
    if not len(errors):
        raise ValueError("no row has a band and a measured value")
    low, high = drawn_bands(errors, seed, draws).T
    below, above = float(np.mean(errors.ratio < low)), float(np.mean(errors.ratio > high))
    return Coverage(len(errors), below, 1 - below - above, above, float(np.median((high - low) / 2)))


def together(score: Array, belongs: Sequence[str] | NDArray[np.str_]) -> float:
    """Share of the variance of scores that rows of one name have in common, 0 to 1; NaN with fewer than two names.

    Scores beyond 4 are counted as 4, so that single outliers do not decide.
    """
    names, group = np.unique(np.asarray(belongs), return_inverse=True)
    count = np.bincount(group).astype(float)
    rows, k = float(count.sum()), len(names)
    if k < 2 or rows <= k:
        return float("nan")
    z = np.clip(score, -4.0, 4.0)
    means = np.bincount(group, weights=z) / count
    within = float(((z - means[group]) ** 2).sum()) / (rows - k)
    between = float((count * (means - z.mean()) ** 2).sum()) / (k - 1)
    size = (rows - float((count**2).sum()) / rows) / (k - 1)
    common = max((between - within) / size, 0.0)
    return common / (common + within) if common + within > 0 else 0.0


def coverage_of_means(
    errors: Errors, members: int, loading: float, seed: int, sets: int = 1000, draws: int = DRAWS
) -> Coverage:
    """The same for the mean logarithm of sets of rows: each of another deployment, all of one generation.

    Args:
        errors: the rows.
        members: rows in a set; generations with fewer deployments give none.
        loading: on the latent error of the generation: 1 moves a set as one, 0 each deployment by itself.
        seed, sets, draws: of the sets and of the latent errors.

    Raises:
        ValueError: no generation has enough deployments.
    """
    chosen = _sets(errors, members, sets, seed)
    generations, generation = np.unique(errors.generation, return_inverse=True)
    names, name = np.unique(errors.belongs, return_inverse=True)
    both = normals(seed, 0, draws, len(generations) + len(names))
    common, own = both[:, : len(generations)], both[:, len(generations) :]
    found = np.empty((len(chosen), 2))
    for s, rows in enumerate(chosen):
        z = shared(common, generation[rows], loading, own[:, name[rows]])
        made = np.log(range_factors(errors.low[rows], errors.high[rows], z))
        found[s] = np.quantile(made.mean(axis=1), LEVELS)
    truth = np.log(errors.ratio)[chosen].mean(axis=1)
    below, above = float(np.mean(truth < found[:, 0])), float(np.mean(truth > found[:, 1]))
    width = np.exp((found[:, 1] - found[:, 0]) / 2) - 1
    return Coverage(len(chosen), below, 1 - below - above, above, float(np.median(width)))


def _sets(errors: Errors, members: int, sets: int, seed: int) -> NDArray[np.intp]:
    """[sets, members] rows: generations in turn, names without repeats, a row of each."""
    rng = np.random.Generator(np.random.Philox(seed))
    rows = {
        generation: [
            np.flatnonzero((errors.generation == generation) & (errors.belongs == name))
            for name in np.unique(errors.belongs[errors.generation == generation])
        ]
        for generation in np.unique(errors.generation)
    }
    enough = [names for names in rows.values() if len(names) >= members]
    if not enough:
        raise ValueError(f"no generation has {members} deployments")
    out = np.empty((sets, members), dtype=np.intp)
    for s in range(sets):
        names = enough[s % len(enough)]
        picked = rng.choice(len(names), members, replace=False)
        out[s] = [rng.choice(names[i]) for i in picked]
    return out

"""From correlations of pairs to a valid matrix, and how far it had to move.

    rank (Spearman) r  ->  correlation of the normals  2 sin(pi r / 6)      (Pearson 1907; exact for normal variables)

Pairs that are not named are independent where that is possible. Where it is not (a with b 0.9 and b with c 0.9 leave no room
for a and c to be independent), those are moved first and as little as possible; the named pairs only where they contradict
each other. Both are the nearest matrix in the Frobenius norm (N. J. Higham, IMA J. Numer. Anal. 22, 329, 2002), found from the
dual problem (J. Malick, SIAM J. Matrix Anal. Appl. 26(1), 272, 2004; Qi and Sun, ibid. 28(2), 360, 2006), which needs tens of
eigenvalue decompositions where alternating projections need thousands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import Problem, Where, unknown_name

Array = NDArray[np.float64]
Measure = Literal["rank", "normal"]
CONTRADICTION = 0.05  # a named correlation that must move by more than this is refused
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Correlation:
    """A valid correlation matrix of the normals behind `names`.

    Attributes:
        matrix: [names, names], positive semi-definite with ones on the diagonal.
        asked: what the named pairs asked for, as correlations of normals, in their order.
        filled: pairs that nobody named and that could not stay independent, with what they became.
    """

    names: tuple[str, ...]
    matrix: Array
    asked: Mapping[tuple[str, str], float]
    filled: Mapping[tuple[str, str], float]

    @property
    def made(self) -> dict[tuple[str, str], float]:
        """What the named pairs became."""
        at = {name: i for i, name in enumerate(self.names)}
        return {pair: float(self.matrix[at[pair[0]], at[pair[1]]]) for pair in self.asked}

    @property
    def moved(self) -> float:
        """Largest move of a named pair."""
        made = self.made
        return max((abs(made[pair] - asked) for pair, asked in self.asked.items()), default=0.0)

    def sentence(self) -> str:
        """What was moved, in words; empty where nothing was."""
        said = []
        if self.moved > 1e-6:
            made = self.made
            far = [p for p, asked in self.asked.items() if abs(made[p] - asked) > 1e-6]
            far.sort(key=lambda p: -round(abs(made[p] - self.asked[p]), 4))
            parts = ", ".join(f"{a} with {b} from {self.asked[a, b]:.2f} to {made[a, b]:.2f}" for a, b in far[:3])
            said.append(f"no variables have all these correlations; the nearest that some have: {parts}")
        if self.filled:
            largest = sorted(self.filled, key=lambda p: -round(abs(self.filled[p]), 4))[:3]
            parts = ", ".join(f"{a} with {b} {self.filled[a, b]:.2f}" for a, b in largest)
            said.append(f"correlations that follow from those given: {parts}")
        return "; ".join(said)

    def problem(self, where: Where | None = None) -> Problem | None:
        """The contradiction, where a named correlation had to move by more than `CONTRADICTION`."""
        if self.moved <= CONTRADICTION:
            return None
        hint = "bring them nearer to each other, or give the pair that matters most and leave another out"
        return Problem("contradiction", self.sentence(), where, (hint,))


def correlation_of(
    names: Sequence[str], pairs: Iterable[tuple[str, str, float]], measure: Measure = "rank"
) -> Correlation:
    """The valid matrix nearest to what the pairs ask for.

    Args:
        names: all variables, in the order of their columns.
        pairs: (a, b, correlation), each pair once.
        measure: of ranks (Spearman), which no change of a law alters, or of the normals themselves.

    Raises:
        ValueError: what `pair_problems` tells.
    """
    given = list(pairs)
    found = pair_problems(names, given)
    if found:
        raise ValueError("; ".join(problem.message for problem in found))
    at = {name: i for i, name in enumerate(names)}
    target, held = np.eye(len(names)), np.eye(len(names), dtype=np.bool_)
    asked = {}
    for a, b, value in given:
        rho = normal_of_rank(value) if measure == "rank" else float(value)
        asked[a, b] = rho
        i, j = at[a], at[b]
        target[i, j] = target[j, i] = rho
        held[i, j] = held[j, i] = True
    matrix = _valid(target, held)
    filled = {
        (names[i], names[j]): float(matrix[i, j])
        for i, j in zip(*np.nonzero(np.triu(~held, 1) & (np.abs(matrix) > 1e-6)), strict=True)
    }
    return Correlation(tuple(names), matrix, asked, filled)


def pair_problems(
    names: Sequence[str], pairs: Iterable[tuple[str, str, float]], where: Where | None = None
) -> list[Problem]:
    """All that is wrong with pairs, each by itself: unknown names, a pair with itself or twice, values outside [-1, 1]."""
    found, seen = [], set()
    for a, b, value in pairs:
        found += [unknown_name("varied input", name, names, where) for name in (a, b) if name not in names]
        if a == b:
            found.append(Problem("contradiction", f"'{a}' is correlated with itself", where, ("name two inputs",)))
        elif frozenset((a, b)) in seen:
            found.append(Problem("contradiction", f"'{a}' with '{b}' is given twice", where, ("keep one of them",)))
        seen.add(frozenset((a, b)))
        if not -1 <= value <= 1:  # a NaN is refused as well
            message = f"the correlation of '{a}' with '{b}' is {value:g}"
            found.append(Problem("out_of_range", message, where, ("correlations lie between -1 and 1",)))
    return found


def normal_of_rank(rank: float) -> float:
    """Correlation of two normals whose ranks have the correlation `rank`: 2 sin(pi rank / 6)."""
    return 2.0 * math.sin(math.pi * rank / 6.0)


def rank_of_normal(rho: ArrayLike) -> Array:
    """The other way: (6 / pi) asin(rho / 2)."""
    return np.asarray(6.0 / math.pi * np.arcsin(np.asarray(rho) / 2.0))


def _valid(target: Array, held: NDArray[np.bool_]) -> Array:
    """The nearest valid matrix that keeps what is held, else the nearest valid matrix."""
    if _least(target) >= -_CLOSE:
        return target
    kept, off = _nearest(target, held)
    return kept if off < _CLOSE else nearest_correlation(target)


def nearest_correlation(target: Array) -> Array:
    """The correlation matrix nearest to a symmetric one with a unit diagonal, in the Frobenius norm."""
    matrix, _ = _nearest(target, np.eye(len(target), dtype=np.bool_))
    return matrix


def _nearest(target: Array, held: NDArray[np.bool_]) -> tuple[Array, float]:
    """The semi-definite matrix nearest to `target` with the held entries of it, and how far it is off at those.

    With Y symmetric and 0 where nothing is held, the dual problem has no constraints:

        min over Y  |(T + Y)+|^2 / 2 - <Y, T>,     gradient  held part of (T + Y)+ - T,     X = (T + Y)+

    ()+ keeps the part with eigenvalues above 0. Where no matrix has the held entries, Y runs away and X stays off.
    """
    from scipy.optimize import minimize

    rows, columns = np.nonzero(np.triu(held))
    # an entry off the diagonal stands twice in the inner product
    twice = np.where(rows == columns, 1.0, 2.0)

    def lifted(y: Array) -> Array:
        whole = target.copy()
        whole[rows, columns] += y
        off = rows != columns
        whole[columns[off], rows[off]] += y[off]
        values, vectors = np.linalg.eigh(whole)
        return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)

    def dual(y: Array) -> tuple[float, Array]:
        x = lifted(y)
        return 0.5 * float((x * x).sum()) - float(twice * y @ target[rows, columns]), twice * (x - target)[
            rows, columns
        ]

    found = minimize(
        dual, np.zeros(len(rows)), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-10, "ftol": 0.0}
    )
    x = lifted(found.x)
    off = float(np.abs((x - target)[rows, columns]).max())
    if off >= _CLOSE:
        return x, off
    # exactly the held entries; what that leaves below 0 is taken away towards the identity
    y = np.where(held, target, 0.5 * (x + x.T))
    low = _least(y)
    return ((y - low * np.eye(len(y))) / (1.0 - low) if low < 0 else y), off


def _least(matrix: Array) -> float:
    return float(np.linalg.eigvalsh(matrix)[0]) if len(matrix) else 1.0


def factor_of(matrix: Array) -> Array:
    """Lower triangular F with F F' = matrix, for semi-definite matrices too: a column without rest is left at 0.

    Row i depends on the first i + 1 variables alone, so that a variable added at the end changes none before it.
    """
    size = len(matrix)
    factor = np.zeros((size, size))
    for j in range(size):
        rest = float(matrix[j, j] - factor[j, :j] @ factor[j, :j])
        if rest > 1e-12:
            factor[j, j] = math.sqrt(rest)
            factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[j, j]
    return factor

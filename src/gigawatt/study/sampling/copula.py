"""Correlated draws: a Gaussian copula over any laws, and one latent factor for each group.

    z = F e,   u = N(z),   x_i = quantile_i(u_i)          e independent normals, F F' the correlation of the normals
    z_i = l_i f_g + sqrt(1 - l_i^2) e_i                   within a group g with its own factor f_g and loadings l_i

Ranks keep their correlation whatever the laws. With loading 1 all of a group move together: what an error of one calibration
does to all that was worked out with it.

Sources: R. B. Nelsen, "An Introduction to Copulas" (2nd ed. 2006); A. J. McNeil, R. Frey, P. Embrechts, "Quantitative Risk
Management" (2015), section 7.3 on factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from gigawatt.study.sampling.correlation import Correlation, factor_of
from gigawatt.study.sampling.laws import Law, NormalLaw
from gigawatt.study.sampling.sequence import normals

Array = NDArray[np.float64]
_BLOCK = 256  # rows that are mixed at once; divides the number of rows that there are


@dataclass(frozen=True, slots=True)
class GroupFactor:
    """Members that share one latent factor; `loading` squared is the correlation of any two of their normals.

    Raises:
        ValueError: no members, one named twice, or a loading outside [0, 1].
    """

    name: str
    members: tuple[str, ...]
    loading: float = 1.0

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise ValueError(f"group '{self.name}' needs members, each once")
        if not 0 <= self.loading <= 1:
            raise ValueError(f"the loading of group '{self.name}' lies between 0 and 1")

    def pairs(self) -> list[tuple[str, str, float]]:
        """The group as correlations of normals, for `correlation_of(..., measure="normal")`."""
        rho = self.loading**2
        return [(a, b, rho) for i, a in enumerate(self.members) for b in self.members[i + 1 :]]


def shared(factor: Array, group: ArrayLike, loading: ArrayLike = 1.0, own: Array | None = None) -> Array:
    """Normals of members from one factor a group: l f + sqrt(1 - l^2) e.

    Args:
        factor: [draws, groups] standard normals.
        group: [members], the number of each member's group.
        loading: of each member, or of all.
        own: [draws, members] independent normals; needed where a loading is below 1.

    Returns:
        [draws, members] standard normals.

    Raises:
        ValueError: a loading below 1 and no normals of one's own.
    """
    loadings, made = np.asarray(loading, dtype=float), factor[:, np.asarray(group, dtype=np.intp)]
    if np.all(loadings == 1):
        return np.asarray(made)
    if own is None:
        raise ValueError("members with a loading below 1 need normals of their own")
    return np.asarray(loadings * made + np.sqrt(1 - loadings**2) * own)


def correlate(independent: Array, correlation: Correlation | Array) -> Array:
    """Correlated normals [draws, variables] from independent ones of the same shape."""
    matrix = correlation.matrix if isinstance(correlation, Correlation) else correlation
    return np.asarray(independent @ factor_of(matrix).T)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Named laws with their correlation: rows by number, columns by name.

    Row d depends on the seed and d alone. A law added at the end changes no column before it, unless it is correlated with them
    in a way that moves their own correlations.

    Attributes:
        laws: in the order of their dimensions.
        seed: of the sequence.
        correlation: over exactly these names in this order, or None where all are independent.
        first: number of the first dimension of the sequence, where others stand before it.

    Raises:
        ValueError: a correlation of other names.
    """

    laws: Mapping[str, Law]
    seed: int
    correlation: Correlation | None = None
    first: int = 0
    _factor: Array | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.correlation is not None and self.correlation.names != tuple(self.laws):
            raise ValueError("the correlation is of other names, or in another order, than the laws")
        object.__setattr__(self, "_factor", None if self.correlation is None else factor_of(self.correlation.matrix))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.laws)

    def normals(self, start: int, stop: int, *, replicate: int = 0) -> Array:
        """Rows `start` to `stop` as correlated standard normals, [stop - start, laws]; the same bytes in chunks of any size.

        A library's matrix product rounds differently for one row and for many: rows are mixed in whole blocks by number.
        """
        numbers = range(self.first, self.first + len(self.laws))
        if self._factor is None or start == stop:
            return normals(self.seed, start, stop, numbers, replicate=replicate)
        first, last = start // _BLOCK * _BLOCK, -(-stop // _BLOCK) * _BLOCK
        z = normals(self.seed, first, last, numbers, replicate=replicate)
        out = np.empty((len(self.laws), last - first))
        for at in range(0, last - first, _BLOCK):
            out[:, at : at + _BLOCK] = self._factor @ np.ascontiguousarray(z[at : at + _BLOCK].T)
        return out[:, start - first : stop - first].T

    def draw(self, start: int, stop: int, *, replicate: int = 0) -> dict[str, Array]:
        """Rows `start` to `stop` as values of the laws, a column a name."""
        return self.columns(self.normals(start, stop, replicate=replicate))

    def columns(self, normal: Array) -> dict[str, Array]:
        """Values from correlated normals [draws, laws]."""
        return columns_of(self.laws, normal)


def columns_of(laws: Mapping[str, Law], normal: Array) -> dict[str, Array]:
    """Values of each law from its column of normals."""
    return {name: _drawn(law, normal[:, k]) for k, (name, law) in enumerate(laws.items())}


def _drawn(law: Law, z: Array) -> Array:
    if isinstance(law, NormalLaw):
        return law.of_normal(z)
    # beyond 8.2 sigma a share rounds to 1, whose inverse is infinite
    return law.quantile(np.clip(ndtr(z), 1e-300, 1 - 2**-53))


def group_pairs(groups: Iterable[GroupFactor]) -> list[tuple[str, str, float]]:
    """Pairs of all groups, as correlations of normals."""
    return [pair for group in groups for pair in group.pairs()]


def rank_correlation(columns: Sequence[Array] | Array) -> Array:
    """Spearman's matrix of columns [draws] each (or of the columns of a matrix): the correlation of their ranks."""
    from scipy.stats import rankdata

    values = columns.T if isinstance(columns, np.ndarray) else columns
    return np.asarray(np.corrcoef([rankdata(column) for column in values]))

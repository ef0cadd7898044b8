"""Draws of what is uncertain: laws, a Sobol' sequence by row number, correlations. Knows no scenario.

law_of("lognormal", {"gsd": 1.2})                       a law by the name a file uses (`DOORS` says what each takes)
law_of_range(value, low, high)                          what a datum with an 80 % range means
uniforms(seed, start, stop, dimensions)                 rows of the sequence; `normals` the same as deviates
correlation_of(names, [("a", "b", 0.6)])                a valid matrix, and how far it had to move
Sampler(laws, seed, correlation).draw(0, 1024)          columns by name
range_factors(low, high, normals)                       two-sided factors of calibrations, all groups at once
"""

from gigawatt.study.sampling.copula import (
    GroupFactor,
    Sampler,
    columns_of,
    correlate,
    group_pairs,
    rank_correlation,
    shared,
)
from gigawatt.study.sampling.correlation import (
    Correlation,
    correlation_of,
    factor_of,
    nearest_correlation,
    normal_of_rank,
    pair_problems,
    rank_of_normal,
)
from gigawatt.study.sampling.laws import (
    Beta,
    Law,
    Lognormal,
    Loguniform,
    Normal,
    Triangular,
    Truncated,
    Uniform,
    mass_outside,
    median,
    pert,
)
from gigawatt.study.sampling.named import DOORS, Door, law_of
from gigawatt.study.sampling.ranges import Known, TwoSidedLognormal, TwoSidedNormal, law_of_range, range_factors
from gigawatt.study.sampling.sequence import MOST_ROWS, SOBOL_DIMENSIONS, normals, uniforms
from gigawatt.study.sampling.tables import Choice, Empirical

__all__ = [
    "DOORS",
    "MOST_ROWS",
    "SOBOL_DIMENSIONS",
    "Beta",
    "Choice",
    "Correlation",
    "Door",
    "Empirical",
    "GroupFactor",
    "Known",
    "Law",
    "Lognormal",
    "Loguniform",
    "Normal",
    "Sampler",
    "Triangular",
    "Truncated",
    "TwoSidedLognormal",
    "TwoSidedNormal",
    "Uniform",
    "columns_of",
    "correlate",
    "correlation_of",
    "factor_of",
    "group_pairs",
    "law_of",
    "law_of_range",
    "mass_outside",
    "median",
    "nearest_correlation",
    "normal_of_rank",
    "normals",
    "pair_problems",
    "pert",
    "range_factors",
    "rank_correlation",
    "rank_of_normal",
    "shared",
    "uniforms",
]

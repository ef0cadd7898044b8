"""How large a model and how many tokens for a compute budget: the parametric scaling law and its best split.

    L(N, D) = E + A / N^alpha + B / D^beta                      loss of N parameters after D tokens
    C = 6 N D,  G = (alpha A / (beta B))^(1 / (alpha + beta))
    N* = G (C / 6)^(beta / (alpha + beta)),   D* = (C / 6) / N*
    over-training k: N = N* / sqrt(k), D = D* sqrt(k)           k times the best ratio of tokens to parameters, same C

Constants: Hoffmann et al. 2022 (arXiv 2203.15556, approach 3) and the re-fit by Besiroglu et al. 2024 (arXiv 2404.10102), which
agrees with approaches 1 and 2 of the first; calibration `training-scaling-law`. `low` and `high` are the answers of all laws:
at budgets of today they differ by more than their stated errors, and both were seen on models below 17 billion parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, unknown_name

RECORD = "training-scaling-law"
DEFAULT_LAW = "besiroglu-2024"
FLOPS_PER_PARAMETER_TOKEN = 6.0  # forward and backward pass, attention left out, as the law was fitted


@dataclass(frozen=True, slots=True)
class Law:
    """Constants of L = E + A / N^alpha + B / D^beta."""

    name: str
    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Cross-entropy, nats a token, of the law's own data."""
        return float(self.e + self.a / parameters**self.alpha + self.b / tokens**self.beta)

    def best_parameters(self, flops: float) -> float:
        """N* of a budget."""
        total = self.alpha + self.beta
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1.0 / total)
        return float(g * (flops / FLOPS_PER_PARAMETER_TOKEN) ** (self.beta / total))

    def best_tokens(self, parameters: float) -> float:
        """D* of a model: the tokens at which its size is the best one for the compute spent."""
        total = self.alpha + self.beta
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1.0 / total)
        product = (parameters / g) ** (total / self.beta)  # N D = C / 6
        return float(product / parameters)


@dataclass(frozen=True, slots=True)
class Sizing:
    """A model and its tokens for a budget. `low_*`, `high_*` are the least and most of all published laws."""

    law: str
    flops: float
    parameters: float
    tokens: float
    loss: float
    over_training: float
    low_parameters: float
    high_parameters: float
    low_tokens: float
    high_tokens: float

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters


@lru_cache(maxsize=1)
def laws() -> dict[str, Law]:
    """The published laws by name."""
    rows = Catalog.load().get("calibration", RECORD).tables["laws"]
    return {
        name: Law(name, *(float(row[key]) for key in ("E", "A", "B", "alpha", "beta"))) for name, row in rows.items()
    }


def compute_optimal(flops: float, *, over_training: float = 1.0, law: str = DEFAULT_LAW) -> Sizing:
    """The size and tokens that a budget of training FLOPs buys the least loss with.

    >>> made = compute_optimal(5.76e23)
    >>> 15 < made.tokens_per_parameter < 30
    True

    Raises:
        InputError: an unknown law, a budget or an over-training factor that is not above zero.
    """
    _check(law, flops=flops, over_training=over_training)
    found = laws()
    sizes = {name: one.best_parameters(flops) / np.sqrt(over_training) for name, one in found.items()}
    budget = flops / FLOPS_PER_PARAMETER_TOKEN
    n = float(sizes[law])
    d = budget / n
    return Sizing(
        law,
        flops,
        n,
        d,
        found[law].loss(n, d),
        over_training,
        float(min(sizes.values())),
        float(max(sizes.values())),
        float(budget / max(sizes.values())),
        float(budget / min(sizes.values())),
    )


def tokens_for(parameters: float, *, over_training: float = 1.0, law: str = DEFAULT_LAW) -> Sizing:
    """The tokens of a model of given size: over_training times those at which the size is the best one.

    Raises:
        InputError: as `compute_optimal`.
    """
    _check(law, parameters=parameters, over_training=over_training)
    found = laws()
    d = {name: one.best_tokens(parameters) * over_training for name, one in found.items()}
    tokens = d[law]
    flops = FLOPS_PER_PARAMETER_TOKEN * parameters * tokens
    return Sizing(
        law,
        flops,
        parameters,
        tokens,
        found[law].loss(parameters, tokens),
        over_training,
        parameters,
        parameters,
        min(d.values()),
        max(d.values()),
    )


def _check(law: str, **values: float) -> None:
    problems = [] if law in laws() else [unknown_name("scaling law", law, laws())]
    for name, value in values.items():
        if not value > 0:
            problems.append(Problem("out_of_range", f"{name.replace('_', ' ')} is {value:g}; it must be above zero"))
    if problems:
        raise InputError(problems)

"""Models with indices known in closed form."""

from itertools import permutations

import numpy as np
from scipy.special import ndtr


def ishigami(normal, a=7.0, b=0.1):
    """sin x1 + a sin^2 x2 + b x3^4 sin x1, x uniform on -pi to pi (Ishigami and Homma 1990)."""
    x = np.pi * (2 * ndtr(normal) - 1)
    return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_parts(a=7.0, b=0.1):
    """Variances of x1, x2 and of x1 with x3, and the whole."""
    one, two = 0.5 * (1 + b * np.pi**4 / 5) ** 2, a * a / 8
    both = b * b * np.pi**8 * (1 / 18 - 1 / 50)
    return one, two, both, one + two + both


def ishigami_theory():
    """First, total and Shapley of the three inputs."""
    one, two, both, whole = ishigami_parts()
    first = np.array([one, two, 0.0])
    return (
        first / whole,
        np.array([one + both, two, both]) / whole,
        (first + np.array([both / 2, 0.0, both / 2])) / whole,
    )


G = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])


def g_function(normal):
    """Product of (|4 x - 2| + a) / (1 + a), x uniform on 0 to 1 (Sobol' 1993)."""
    return np.prod((np.abs(4 * ndtr(normal) - 2) + G) / (1 + G), axis=1)


def g_theory():
    """First, total and Shapley, by all subsets: a product's variances are products."""
    part = 1 / (3 * (1 + G) ** 2)
    whole = np.prod(1 + part) - 1
    first = part / whole
    total = part * np.prod(1 + part) / (1 + part) / whole
    shapley = shapley_of(len(G), lambda subset: np.prod(1 + part[list(subset)]) - 1) / whole
    return first, total, shapley


def linear_theory(beta, matrix):
    """First-order and Shapley of beta z, z normal with this correlation matrix (Owen and Prieur 2017, section 4)."""

    def told(subset):  # Var E(Y | z of the subset)
        at = list(subset)
        pull = matrix[at] @ beta
        return float(pull @ np.linalg.pinv(matrix[np.ix_(at, at)], hermitian=True) @ pull) if at else 0.0

    whole = float(beta @ matrix @ beta)
    first = np.array([told((i,)) for i in range(len(beta))])
    return first / whole, shapley_of(len(beta), told) / whole


def shapley_of(inputs, worth):
    """Mean over all orders of what each input adds."""
    out, orders = np.zeros(inputs), list(permutations(range(inputs)))
    known = {}

    def remembered(subset):
        key = tuple(sorted(subset))
        if key not in known:
            known[key] = worth(key)
        return known[key]

    for order in orders:
        for at, i in enumerate(order):
            out[i] += remembered(order[: at + 1]) - remembered(order[:at])
    return out / len(orders)

"""Indices against theory, within the errors that they state and within what is promised of the sizes used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensitivity_models import g_function, g_theory, ishigami, ishigami_parts, ishigami_theory, linear_theory

from gigawatt.study.sampling import (
    Choice,
    Lognormal,
    Triangular,
    Uniform,
    columns_of,
    correlate,
    correlation_of,
    nearest_correlation,
    normals,
)
from gigawatt.study.sensitivity import (
    first_order,
    shapley_design,
    shapley_effects,
    sobol_design,
    sobol_indices,
    tornado,
    tornado_design,
)

SEED = 20260101
MATRIX = np.array([[1, 0.8, -0.3, 0], [0.8, 1, 0, 0], [-0.3, 0, 1, 0.4], [0, 0, 0.4, 1.0]])
BETA = np.array([1.0, 0.5, 2.0, 0.0])


def near(found, error, theory, most):
    """Within four of the errors told, and within `most`."""
    assert np.all(np.abs(found - theory) <= 4 * error + 1e-12), (found, error, theory)
    np.testing.assert_allclose(found, theory, atol=most)


@pytest.mark.parametrize(
    "model, theory, inputs", [(ishigami, ishigami_theory(), 3), (g_function, g_theory(), 6)], ids=["ishigami", "g"]
)
def test_sobol_indices_match_theory(model, theory, inputs):
    design = sobol_design(inputs, 2**13, SEED)
    assert len(design.normals) == 2**13 * (inputs + 2)
    found = sobol_indices(design, model(design.normals))
    near(found.first, found.first_error, theory[0], 0.01)
    near(found.total, found.total_error, theory[1], 0.01)


def test_mean_and_variance_are_told():
    design = sobol_design(3, 2**13, SEED)
    found = sobol_indices(design, ishigami(design.normals))
    assert found.variance == pytest.approx(ishigami_parts()[3], rel=0.02)
    assert found.mean == pytest.approx(3.5, rel=0.01)


def test_a_large_mean_does_not_drown_the_indices():
    design = sobol_design(3, 2**13, SEED)
    plain = sobol_indices(design, ishigami(design.normals))
    raised = sobol_indices(design, ishigami(design.normals) + 1e6)
    np.testing.assert_allclose(raised.first, plain.first, atol=1e-6)


def test_errors_are_honest():
    """Over 40 scrambles the estimates scatter by no more than they say; of a Sobol' sequence by less."""
    found = [sobol_indices(d := sobol_design(3, 512, seed), ishigami(d.normals)) for seed in range(40)]
    spread = np.std([f.total for f in found], axis=0)
    told = np.mean([f.total_error for f in found], axis=0)
    assert np.all(spread < told) and np.all(told < 6 * spread)
    assert np.abs(np.mean([f.total for f in found], axis=0) - ishigami_theory()[1]).max() < 0.01


@pytest.mark.parametrize("method, rows, most", [("subsets", 2**11, 0.01), ("orders", 2**13, 0.03)])
@pytest.mark.parametrize(
    "model, theory, inputs",
    [(ishigami, ishigami_theory()[2], 3), (g_function, g_theory()[2], 6)],
    ids=["ishigami", "g"],
)
def test_shapley_effects_of_independent_inputs_match_theory(model, theory, inputs, method, rows, most):
    design = shapley_design(inputs, rows, SEED, method=method)
    found = shapley_effects(design, model(design.normals))
    near(found.share, found.error, theory, most)
    assert found.share.sum() == pytest.approx(1)


@pytest.mark.parametrize("method, rows, most", [("subsets", 2**10, 0.01), ("orders", 2**13, 0.03)])
def test_shapley_effects_of_a_correlated_linear_model_match_theory(method, rows, most):
    design = shapley_design(MATRIX, rows, SEED, method=method)
    found = shapley_effects(design, design.normals @ BETA)
    near(found.share, found.error, linear_theory(BETA, MATRIX)[1], most)
    assert found.share[3] > 0.04  # it is not in the model, yet tells of what is
    assert found.variance == pytest.approx(float(BETA @ MATRIX @ BETA), rel=0.06)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 1.0])
def test_two_correlated_inputs_as_owen_and_prieur_give_them(rho):
    """s_1 = (b1^2 (1 - rho^2/2) + rho b1 b2 + b2^2 rho^2/2) / V: written out for two, unlike the helper."""
    b1, b2 = 2.0, 1.0
    whole = b1 * b1 + b2 * b2 + 2 * rho * b1 * b2
    theory = (b1 * b1 * (1 - rho * rho / 2) + rho * b1 * b2 + b2 * b2 * rho * rho / 2) / whole
    for method in ("subsets", "orders"):
        design = shapley_design(np.array([[1.0, rho], [rho, 1.0]]), 2**11, SEED, method=method)
        found = shapley_effects(design, design.normals @ [b1, b2])
        near(found.share[0], found.error[0], theory, 0.02)


def test_many_inputs_cost_an_evaluation_each_and_one():
    matrix = np.full((12, 12), 0.3) + 0.7 * np.eye(12)
    beta = np.arange(12) / 11
    design = shapley_design(matrix, 2**12, SEED)
    assert design.method == "orders" and len(design.normals) == 2**12 * 13
    found = shapley_effects(design, design.normals @ beta)
    # all orders of 12 are too many to enumerate: the rest, given any s of the others, by symmetry of the matrix
    theory = _equicorrelated(beta, 0.3)
    near(found.share, found.error, theory, 0.05)


def _equicorrelated(beta, rho, tried=4000):
    """Shapley of a linear model by random orders of the exact conditional variances; error about 0.003."""
    rng, k = np.random.default_rng(0), len(beta)
    matrix = np.full((k, k), rho) + (1 - rho) * np.eye(k)
    out = np.zeros(k)
    for _ in range(tried):
        order = rng.permutation(k)
        factor = np.linalg.cholesky(matrix[np.ix_(order, order)])
        out[order] += (factor.T @ beta[order]) ** 2
    return out / out.sum()


def test_the_design_draws_from_the_joint_law():
    """Every block has the correlations asked for, whichever inputs were drawn anew."""
    for method in ("subsets", "orders"):
        design = shapley_design(MATRIX, 2**12, SEED, method=method, orders=8)
        blocks = design.normals.reshape(-1, 2**12 if method == "subsets" else 2**9, 4)
        for block in blocks:
            np.testing.assert_allclose(np.corrcoef(block.T), MATRIX, atol=0.03 if method == "subsets" else 0.09)


def test_groups_count_as_one_input():
    groups = [(0, 1), (2,), (3,)]
    design = shapley_design(MATRIX, 2**10, SEED, groups)
    found = shapley_effects(design, design.normals @ BETA)

    def told(subset):
        at = [i for g in subset for i in groups[g]]
        pull = MATRIX[at] @ BETA
        return float(pull @ np.linalg.inv(MATRIX[np.ix_(at, at)]) @ pull) if at else 0.0

    from sensitivity_models import shapley_of

    near(found.share, found.error, shapley_of(3, told) / float(BETA @ MATRIX @ BETA), 0.01)
    both = sobol_design(3, 2**12, SEED, [(0, 2), (1,)])
    indices = sobol_indices(both, ishigami(both.normals))
    theory = ishigami_theory()[0][1]
    near(indices.first, indices.first_error, np.array([1 - theory, theory]), 0.01)
    near(indices.total, indices.total_error, np.array([1 - theory, theory]), 0.01)


def test_effects_under_any_law_follow_the_copula():
    """A sum of two independent pairs: each pair's share is its variance, whatever the laws and the correlation inside."""
    laws = {"a": Lognormal(1.4), "b": Uniform(0.0, 2.0), "c": Triangular(0.0, 0.5, 4.0), "d": Choice((0.0, 1.0, 3.0))}
    correlation = correlation_of(tuple(laws), [("a", "b", 0.7), ("c", "d", -0.5)])
    many = columns_of(laws, correlate(normals(SEED, 0, 2**16, 4), correlation))
    pair = np.array([np.var(many["a"] + many["b"]), np.var(many["c"] + many["d"])])
    design = shapley_design(correlation, 2**11, SEED)
    found = shapley_effects(design, sum(columns_of(laws, design.normals).values()))
    shares = found.share.reshape(2, 2).sum(axis=1)
    np.testing.assert_allclose(shares, pair / pair.sum(), atol=0.02)
    assert found.share.min() > 0


def test_first_order_from_draws_that_exist():
    z = normals(SEED, 0, 2**12, 3)
    found = first_order(z, ishigami(z))
    near(found.first, found.error, ishigami_theory()[0], 0.01)
    correlated = correlate(normals(SEED, 0, 2**12, 4), MATRIX)
    linear = first_order(correlated, correlated @ BETA)
    near(linear.first, linear.error, linear_theory(BETA, MATRIX)[0], 0.01)
    assert linear.first.sum() > 1  # each counts what it tells through the others


def test_first_order_from_random_numbers():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(30):
        z = rng.standard_normal((1024, 4)) @ np.linalg.cholesky(MATRIX).T
        found.append(first_order(z, z @ BETA, independent=True))
    first, told = np.array([f.first for f in found]), np.mean([f.error for f in found], axis=0)
    np.testing.assert_allclose(first.mean(axis=0), linear_theory(BETA, MATRIX)[0], atol=0.015)
    assert np.all((0.6 * told < first.std(axis=0)) & (first.std(axis=0) < 1.5 * told))


def test_first_order_of_long_tails_and_of_choices():
    laws = {"tail": Lognormal(2.5), "one": Choice((1.0, 2.0, 5.0), (1.0, 1.0, 1.0)), "none": Uniform(0.0, 1.0)}
    drawn = columns_of(laws, normals(SEED, 0, 2**12, 3))
    found = first_order(np.stack(list(drawn.values()), axis=1), drawn["tail"] + drawn["one"])
    tail, one = np.exp(np.log(2.5) ** 2) * np.expm1(np.log(2.5) ** 2), np.var([1, 2, 5])
    near(found.first, found.error, np.array([tail, one, 0.0]) / (tail + one), 0.02)


@given(st.integers(0, 2**32), st.permutations(range(3)))
@settings(max_examples=10)
def test_laws_of_shares(seed, order):
    """Shares sum to 1, are not below 0 where the model is additive, and an affine change of the result changes none."""
    matrix = nearest_correlation(np.where(np.eye(3, dtype=bool), 1.0, 0.4))
    design = shapley_design(matrix, 128, seed)
    y = np.exp(0.3 * design.normals[:, order[0]]) + design.normals[:, order[1]]
    found, changed = shapley_effects(design, y), shapley_effects(design, -3 * y + 11)
    assert found.share.sum() == pytest.approx(1)
    np.testing.assert_allclose(changed.share, found.share, atol=1e-8)
    assert changed.variance == pytest.approx(9 * found.variance)


def test_a_model_that_says_always_the_same():
    design = sobol_design(3, 64, SEED)
    found = sobol_indices(design, np.full(len(design.normals), 7.1))
    assert found.variance == 0 and not found.first.any() and not found.total.any()
    shapley = shapley_design(3, 64, SEED)
    assert not shapley_effects(shapley, np.full(len(shapley.normals), 7.1)).share.any()
    z = normals(SEED, 0, 64, 3)
    assert not first_order(z, np.full(64, 7.1)).first.any()
    z[:, 1] = 4.0
    assert first_order(z, z[:, 0]).first[1] == 0


def test_a_tornado_moves_one_at_a_time():
    design = tornado_design(3)
    assert design.normals.shape == (7, 3) and not design.normals[0].any()
    assert np.array_equal((design.normals != 0).sum(axis=1), [0, 1, 1, 1, 1, 1, 1])
    laws = {"a": Uniform(0.0, 10.0), "b": Uniform(0.0, 1.0), "c": Uniform(-2.0, 2.0)}
    drawn = columns_of(laws, design.normals)
    found = tornado(design, drawn["a"] - 20 * drawn["b"] + drawn["c"] ** 2)
    assert found.middle == pytest.approx(5 - 10)
    np.testing.assert_allclose(found.low, [1 - 10, 5 - 2, 5 - 10 + 1.6**2])
    np.testing.assert_allclose(found.high, [9 - 10, 5 - 18, 5 - 10 + 1.6**2])
    np.testing.assert_allclose(found.swing, [8, 16, 1.6**2])
    assert found.order.tolist() == [1, 0, 2]
    grouped = tornado_design(3, [(0, 2), (1,)], (0.05, 0.95))
    assert grouped.normals.shape == (5, 3) and (grouped.normals[1] != 0).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "asked, words",
    [
        (lambda: sobol_design(3, 1, 0), "two rows"),
        (lambda: sobol_design(3, 8, 0, [(0, 1)]), "each of the 3 inputs once"),
        (lambda: sobol_design(2, 8, 0, [(0, 1), ()]), "each of the 2 inputs once"),
        (lambda: sobol_indices(sobol_design(2, 4, 0), np.zeros(3)), "has 16 rows"),
        (lambda: sobol_indices(sobol_design(2, 4, 0), np.full(16, np.nan)), "16 of 16 values are not finite"),
        (lambda: shapley_design(3, 1, 0), "two rows"),
        (lambda: tornado_design(3, levels=(0.9, 0.1)), "levels"),
        (lambda: first_order(np.zeros((9, 2)), np.zeros(9)), "32 rows"),
    ],
)
def test_what_can_not_be_estimated_is_refused(asked, words):
    with pytest.raises(ValueError, match=words):
        asked()

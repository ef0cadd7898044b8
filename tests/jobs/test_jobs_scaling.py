"""Compute-optimal sizing: the published optima, and that they are optima."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.jobs import compute_optimal, laws, tokens_for

budgets = st.floats(1e20, 1e27)


def test_chinchilla_is_near_its_own_budget_in_the_refit_and_not_in_the_original():
    made = compute_optimal(5.76e23)  # Chinchilla: 70 billion parameters, 1.4 trillion tokens
    assert made.parameters == pytest.approx(70e9, rel=0.1)
    assert made.tokens == pytest.approx(1.4e12, rel=0.1)
    original = compute_optimal(5.76e23, law="hoffmann-2022")
    assert original.parameters == pytest.approx(40e9, rel=0.05)  # "40 billion" by approach 3, Hoffmann et al. table 3
    assert made.low_parameters == original.parameters


def test_exponents_of_the_laws():
    for name, a in (("besiroglu-2024", 0.513), ("hoffmann-2022", 0.457)):
        small, large = compute_optimal(1e22, law=name), compute_optimal(1e24, law=name)
        assert large.parameters / small.parameters == pytest.approx(100**a, rel=0.01)


@given(budgets, st.floats(0.2, 5.0), st.sampled_from(sorted(laws())))
def test_no_other_split_of_the_budget_has_less_loss(flops, factor, law):
    made = compute_optimal(flops, law=law)
    assert 6 * made.parameters * made.tokens == pytest.approx(flops)
    other = laws()[law].loss(made.parameters * factor, made.tokens / factor)
    assert other >= made.loss * (1 - 1e-9)


@given(budgets, st.floats(1.0, 50.0))
def test_over_training_multiplies_tokens_per_parameter_and_costs_loss(flops, factor):
    best, more = compute_optimal(flops), compute_optimal(flops, over_training=factor)
    assert more.tokens_per_parameter == pytest.approx(factor * best.tokens_per_parameter)
    assert more.loss >= best.loss * (1 - 1e-12)
    assert 6 * more.parameters * more.tokens == pytest.approx(flops)


@given(budgets)
def test_tokens_of_a_size_invert_the_best_size(flops):
    made = compute_optimal(flops)
    assert tokens_for(made.parameters).tokens == pytest.approx(made.tokens)


def test_wrong_names_and_numbers():
    with pytest.raises(InputError, match="besiroglu"):
        compute_optimal(1e24, law="besiroglu")
    with pytest.raises(InputError, match="over training"):
        tokens_for(7e9, over_training=0)

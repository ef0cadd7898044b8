"""The copula reproduces its correlations, whatever the laws; matrices are valid, and what had to move is told."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.study.sampling import (
    Beta,
    Choice,
    Empirical,
    GroupFactor,
    Lognormal,
    Loguniform,
    Normal,
    Sampler,
    Triangular,
    Uniform,
    correlate,
    correlation_of,
    factor_of,
    group_pairs,
    law_of_range,
    nearest_correlation,
    normal_of_rank,
    normals,
    pair_problems,
    rank_correlation,
    rank_of_normal,
    shared,
)

ROWS = 2**14
# A rank correlation of independent rows has a standard error of at most 1 / sqrt(n - 1); a Sobol' sequence does better.
ERROR = 3 / np.sqrt(ROWS - 1)
LAWS = {
    "lognormal": Lognormal(1.5),
    "uniform": Uniform(0.0, 1.0),
    "triangular": Triangular(0.0, 0.2, 3.0),
    "beta": Beta(0.7, 2.0),
    "loguniform": Loguniform(0.1, 10.0),
    "range": law_of_range(1.0, 0.6, 1.1),
    "measured": Empirical.of_sample([1.0, 2.0, 2.5, 9.0]),
    "normal": Normal(0.0, 1.0),
}


def test_ranks_correlate_as_asked_for_every_law():
    names = tuple(LAWS)
    pairs = [(a, b, 0.8 * (-0.9) ** k) for k, (a, b) in enumerate(itertools.pairwise(names))]
    correlation = correlation_of(names, pairs)
    assert correlation.moved < 1e-6
    drawn = Sampler(LAWS, 7, correlation).draw(0, ROWS)
    made = rank_correlation(list(drawn.values()))
    np.testing.assert_allclose(made, rank_of_normal(correlation.matrix), atol=ERROR)
    for a, b, asked in pairs:
        assert made[names.index(a), names.index(b)] == pytest.approx(asked, abs=ERROR)
    for name, law in LAWS.items():  # and each keeps its own law
        np.testing.assert_allclose(np.mean(law.cdf(drawn[name]) <= 0.3), 0.3, atol=0.005)


def test_normals_correlate_as_asked():
    names, rho = ("a", "b", "c"), {("a", "b"): 0.7, ("a", "c"): -0.4, ("b", "c"): 0.1}
    correlation = correlation_of(names, [(*pair, value) for pair, value in rho.items()], "normal")
    made = np.corrcoef(correlate(normals(1, 0, ROWS, 3), correlation).T)
    np.testing.assert_allclose(made, correlation.matrix, atol=0.003)
    assert correlation.made == rho


def test_lognormals_have_the_correlation_of_theory():
    """Pearson of two lognormals of sigma s, t: (exp(rho s t) - 1) / sqrt((exp(s^2) - 1) (exp(t^2) - 1))."""
    s, t, rho = np.log(1.3), np.log(1.6), 0.6
    laws = {"a": Lognormal(1.3), "b": Lognormal(1.6)}
    drawn = Sampler(laws, 3, correlation_of(("a", "b"), [("a", "b", rho)], "normal")).draw(0, ROWS)
    theory = np.expm1(rho * s * t) / np.sqrt(np.expm1(s * s) * np.expm1(t * t))
    assert np.corrcoef(drawn["a"], drawn["b"])[0, 1] == pytest.approx(theory, abs=0.01)


@given(st.floats(-1, 1))
def test_ranks_and_normals_go_both_ways(rank):
    assert float(rank_of_normal(normal_of_rank(rank))) == pytest.approx(rank, abs=1e-12)


def test_a_group_moves_together():
    group = GroupFactor("chips", ("a", "b", "c"), 0.8)
    laws = {name: Lognormal(1.2) for name in group.members} | {"other": Uniform(0.0, 1.0)}
    drawn = Sampler(laws, 5, correlation_of(tuple(laws), group.pairs(), "normal")).draw(0, ROWS)
    made = rank_correlation(list(drawn.values()))
    assert made[0, 1] == pytest.approx(float(rank_of_normal(0.64)), abs=ERROR)
    assert np.abs(made[3, :3]).max() < ERROR
    assert len(group_pairs([group, GroupFactor("two", ("x", "y"))])) == 4


def test_one_factor_a_group_serves_many_members():
    factor, own = normals(5, 0, ROWS, 2), normals(5, 0, ROWS, range(2, 8))
    group, loading = np.array([0, 0, 0, 1, 1, 1]), np.array([1.0, 0.9, 0.5, 1.0, 0.6, 0.0])
    made = np.corrcoef(shared(factor, group, loading, own).T)
    expected = np.where(group[:, None] == group[None], np.outer(loading, loading), 0.0)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(made, expected, atol=0.01)
    assert np.array_equal(shared(factor, group), factor[:, group])
    with pytest.raises(ValueError, match="own"):
        shared(factor, group, loading)


def test_rows_and_columns_stay_when_there_are_more():
    names = ("a", "b", "c")
    few = Sampler(dict.fromkeys(names[:2], LAWS["lognormal"]), 9, correlation_of(names[:2], [("a", "b", 0.5)])).draw(
        0, 100
    )
    pairs = [("a", "b", 0.5), ("b", "c", -0.3)]
    more = Sampler(dict.fromkeys(names, LAWS["lognormal"]), 9, correlation_of(names, pairs)).draw(0, 100)
    later = Sampler(dict.fromkeys(names, LAWS["lognormal"]), 9, correlation_of(names, pairs)).draw(40, 100)
    for name in few:
        assert np.array_equal(few[name], more[name])
    for name in more:
        assert np.array_equal(later[name], more[name][40:])


@pytest.mark.parametrize("start, stop", [(0, 1), (7, 8), (100, 117), (4095, 4097), (1, 4999), (4999, 5000)])
def test_chunks_of_any_size_give_the_same_bytes(start, stop):
    """Also a single row of many correlated columns, which a library's matrix product rounds in another way."""
    names = [f"x{i}" for i in range(20)]
    pairs = [(a, b, 0.3) for a, b in itertools.combinations(names, 2)]
    sampler = Sampler(dict.fromkeys(names, LAWS["lognormal"]), 3, correlation_of(names, pairs))
    whole, part = sampler.normals(0, 5000), sampler.normals(start, stop)
    assert np.array_equal(part, whole[start:stop])
    drawn = sampler.draw(start, stop)
    assert np.array_equal(drawn["x19"], sampler.draw(0, 5000)["x19"][start:stop])


@st.composite
def symmetric(draw):
    size = draw(st.integers(2, 7))
    matrix = np.eye(size)
    for i in range(size):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = draw(st.floats(-1, 1))
    return matrix


@given(symmetric())
@settings(max_examples=60)
def test_the_nearest_matrix_is_valid_and_no_shrink_is_nearer(target):
    made = nearest_correlation(target)
    assert np.allclose(np.diag(made), 1.0, atol=1e-9)
    assert np.linalg.eigvalsh(made)[0] > -1e-9
    distance = np.linalg.norm(made - target)
    for share in np.linspace(0, 1, 21):  # towards the identity, until it is valid: a simple rival
        rival = (1 - share) * target + share * np.eye(len(target))
        if np.linalg.eigvalsh(rival)[0] >= 0:
            assert distance <= np.linalg.norm(rival - target) + 1e-6
            break


def test_the_nearest_matrix_of_highams_paper():
    """Higham (2002), section 4: [[1,1,0],[1,1,1],[0,1,1]] goes to 0.7607 and 0.1573."""
    made = nearest_correlation(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))
    assert made[0, 1] == pytest.approx(0.7607, abs=5e-5)
    assert made[0, 2] == pytest.approx(0.1573, abs=5e-5)


def test_unnamed_pairs_make_room_before_named_ones_move():
    found = correlation_of(tuple("abc"), [("a", "b", 0.9), ("b", "c", 0.9)])
    assert found.moved < 1e-6 and found.problem() is None
    assert found.filled["a", "c"] == pytest.approx(2 * normal_of_rank(0.9) ** 2 - 1, abs=1e-4)  # the least that fits
    assert "a with c 0.65" in found.sentence()
    untouched = correlation_of(tuple("abc"), [("a", "b", 0.5), ("b", "c", 0.5)])
    assert not untouched.filled and not untouched.sentence()
    names = [f"x{i}" for i in range(20)]
    chain = correlation_of(names, [(a, b, 0.95) for a, b in itertools.pairwise(names)])
    assert chain.moved < 1e-5


def test_a_contradiction_is_told_with_what_would_fit():
    pairs = [("gas", "power", -0.9), ("power", "coal", -0.9), ("gas", "coal", -0.9)]
    found = correlation_of(("gas", "power", "coal"), pairs)
    assert np.allclose(found.matrix[np.triu_indices(3, 1)], -0.5, atol=1e-4)
    problem = found.problem()
    assert problem is not None and problem.code == "contradiction"
    assert "gas with power from -0.91 to -0.50" in problem.message


def test_pairs_that_are_wrong_by_themselves_are_told_at_once():
    pairs = [
        ("gas", "gas", 1.0),
        ("gas", "powr", 0.2),
        ("gas", "power", 1.5),
        ("power", "gas", 0.1),
        ("gas", "coal", float("nan")),
    ]
    found = pair_problems(("gas", "power", "coal"), pairs)
    assert [problem.code for problem in found] == [
        "contradiction", "unknown_name", "out_of_range", "contradiction", "out_of_range",
    ]  # fmt: skip
    assert "did you mean 'power'?" in found[1].hints
    with pytest.raises(ValueError, match="twice"):
        correlation_of(("gas", "power", "coal"), pairs)


def test_a_singular_matrix_has_its_factor():
    matrix = correlation_of(tuple("abc"), [("a", "b", 1.0), ("b", "c", -1.0), ("a", "c", -1.0)]).matrix
    np.testing.assert_allclose(factor_of(matrix) @ factor_of(matrix).T, matrix, atol=1e-12)


def test_a_sampler_wants_its_own_names():
    with pytest.raises(ValueError, match="other names"):
        Sampler({"a": LAWS["beta"]}, 1, correlation_of(("b",), []))


@pytest.mark.parametrize("members, loading", [((), 1.0), (("a", "a"), 1.0), (("a",), 1.5)])
def test_a_group_that_is_none_is_refused(members, loading):
    with pytest.raises(ValueError, match="group 'g'"):
        GroupFactor("g", members, loading)


def test_names_are_chosen_by_number():
    law = Choice((0.0, 1.0, 2.0))
    drawn = Sampler({"vendor": law}, 2).draw(0, 3 * 512)["vendor"]
    assert set(np.unique(drawn)) == {0.0, 1.0, 2.0}

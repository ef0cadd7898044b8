"""Our Sobol' indices and given-data indices against SALib's own estimators, on the same rows where it takes them.

Needs SALib, which `make oracle` installs; skipped elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

pytest.importorskip("SALib")

from SALib.analyze import rbd_fast, sobol
from SALib.sample import sobol as saltelli
from SALib.test_functions import Ishigami, Sobol_G

from gigawatt.study.sensitivity import first_order, sobol_design, sobol_indices

pytestmark = pytest.mark.oracle

ISHIGAMI = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-np.pi, np.pi]] * 3}
G = {"num_vars": 8, "names": list("abcdefgh"), "bounds": [[0, 1]] * 8}


@pytest.mark.parametrize(
    "problem, model", [(ISHIGAMI, Ishigami.evaluate), (G, Sobol_G.evaluate)], ids=["ishigami", "g"]
)
def test_the_same_rows_give_the_same_indices(problem, model):
    """SALib's rows, put into our order of blocks: total indices are one formula, first ones are too but for the centring."""
    k, n = problem["num_vars"], 2048
    rows = saltelli.sample(problem, n, calc_second_order=False, seed=1)
    values = model(rows)
    theirs = sobol.analyze(problem, values, calc_second_order=False, num_resamples=10, seed=1)
    # SALib: row by row A, AB_1 .. AB_k, B; ours: block by block A, B, AB_1 .. AB_k
    blocks = values.reshape(n, k + 2).T
    design = sobol_design(k, n, 0)
    ours = sobol_indices(design, np.concatenate([blocks[0], blocks[-1], *blocks[1:-1]]))
    np.testing.assert_allclose(ours.total, theirs["ST"], atol=2e-3)
    np.testing.assert_allclose(ours.first, theirs["S1"], atol=2e-3)
    # half-widths of 95 % from a bootstrap of independent rows, beside ours from stretches of a sequence
    assert np.all(1.96 * ours.total_error < 3 * np.maximum(theirs["ST_conf"], 1e-3))


@pytest.mark.parametrize(
    "problem, model", [(ISHIGAMI, Ishigami.evaluate), (G, Sobol_G.evaluate)], ids=["ishigami", "g"]
)
def test_the_rows_of_either_give_the_same_indices(problem, model):
    k, n = problem["num_vars"], 4096
    theirs = sobol.analyze(
        problem, model(saltelli.sample(problem, n, calc_second_order=False, seed=1)), calc_second_order=False, seed=1
    )
    design = sobol_design(k, n, 3)
    ours = sobol_indices(design, model(_scaled(problem, design.normals)))
    np.testing.assert_allclose(ours.first, theirs["S1"], atol=0.015)
    np.testing.assert_allclose(ours.total, theirs["ST"], atol=0.015)


def test_given_data_indices_agree():
    rng = np.random.default_rng(2)
    rows = rng.uniform(-np.pi, np.pi, (4000, 3))
    values = Ishigami.evaluate(rows)
    theirs = rbd_fast.analyze(ISHIGAMI, rows, values, M=16, seed=1)
    ours = first_order(rows, values, independent=True)
    np.testing.assert_allclose(ours.first, theirs["S1"], atol=0.02)


def _scaled(problem, normal):
    from scipy.special import ndtr

    low, high = np.array(problem["bounds"]).T
    return low + (high - low) * ndtr(normal)


def test_the_sequence_has_the_balance_of_saltellis():
    """Both come from the same direction numbers: as many points in each interval of each dimension."""
    rows = saltelli.sample(G, 1024, calc_second_order=False, scramble=True, seed=4)[:: 8 + 2]
    design = sobol_design(8, 1024, 4).normals[:1024]
    edges = ndtri(np.arange(1, 16) / 16)
    for d in range(8):
        ours = np.bincount(np.searchsorted(edges, design[:, d]), minlength=16)
        theirs = np.bincount((rows[:, d] * 16).astype(int), minlength=16)
        assert np.array_equal(ours, np.full(16, 64)) and np.array_equal(theirs, ours)

"""Rows by number: prefixes, chunks, any dimension; nets; what SciPy's sequence gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from gigawatt.study.sampling import MOST_ROWS, SOBOL_DIMENSIONS, normals, uniforms
from gigawatt.study.sampling import sequence as module

SEED = 20260101


@given(
    start=st.integers(0, 5000),
    rows=st.integers(0, 3000),
    dimensions=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    seed=st.integers(0, 2**64),
)
def test_a_row_depends_on_seed_number_and_dimension_alone(start, rows, dimensions, seed):
    whole = uniforms(seed, 0, start + rows, 61)
    assert np.array_equal(uniforms(seed, start, start + rows, dimensions), whole[start:][:, dimensions])


def test_chunks_add_up_far_from_the_start():
    start = 3_000_001
    whole = uniforms(SEED, start, start + 5000, 3)
    cuts = [0, 1, 1024, 1999, 5000]
    parts = [uniforms(SEED, start + a, start + b, 3) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("power", [0, 1, 5, 10, 13])
def test_each_power_of_two_fills_every_interval_once(power):
    rows = uniforms(SEED, 0, 2**power, 40)
    assert np.array_equal(
        np.sort(np.floor(rows * 2**power), axis=0), np.repeat(np.arange(2**power)[:, None], 40, axis=1)
    )


def test_without_scramble_it_is_the_sequence_of_scipy(monkeypatch):
    """With L the identity and no shift a prefix of 2^k holds SciPy's points, in another order."""

    class Zeros:
        def random_raw(self, count):
            return np.zeros(count, dtype=np.uint64)

    monkeypatch.setattr(module, "_stream", lambda *_: Zeros())
    module._scrambled.cache_clear()
    ours = uniforms(0, 0, 512, 30) - 2.0**-33
    module._scrambled.cache_clear()
    theirs = qmc.Sobol(30, scramble=False, bits=32).random(512)
    assert np.array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_it_fills_space_as_evenly_as_scipys_scramble():
    ours = [qmc.discrepancy(uniforms(seed, 0, 1024, 6)) for seed in range(8)]
    theirs = [qmc.discrepancy(qmc.Sobol(6, rng=seed).random(1024)) for seed in range(8)]
    random = qmc.discrepancy(np.random.default_rng(0).random((1024, 6)))
    assert np.mean(ours) < 1.1 * np.mean(theirs) < 0.2 * random


def test_an_integral_converges_faster_than_random_numbers():
    """Mean of a product of 1 + (x - 1/2) is 1; root mean square over replicates, at two sizes."""

    def error(rows):
        made = [np.prod(0.5 + uniforms(SEED, 0, rows, 5, replicate=r), axis=1).mean() - 1 for r in range(16)]
        return float(np.sqrt(np.mean(np.square(made))))

    small, large = error(2**8), error(2**12)
    assert large < small / 8  # random numbers: a quarter
    assert large < 0.05 * np.sqrt((13 / 12) ** 5 - 1) / np.sqrt(2**12)


def test_replicates_are_independent_of_each_other():
    """A row over many replicates is uniform, and one replicate's row tells nothing of the next one's."""
    row = np.array([uniforms(SEED, 5, 6, 3, replicate=r)[0] for r in range(600)])
    assert np.abs(row.mean(axis=0) - 0.5).max() < 4 / np.sqrt(12 * 600)
    assert np.abs(np.corrcoef(row[:-1].T, row[1:].T) - np.eye(6))[:3].max() < 0.13
    assert not np.array_equal(uniforms(SEED, 0, 8, 3), uniforms(SEED + 1, 0, 8, 3))


def test_dimensions_beyond_the_limit_are_filled():
    numbers = [0, SOBOL_DIMENSIONS - 1, SOBOL_DIMENSIONS, SOBOL_DIMENSIONS + 7]
    rows = uniforms(SEED, 0, 4096, numbers)
    assert np.abs(np.corrcoef(rows.T) - np.eye(4)).max() < 0.06
    assert np.abs(rows.mean(axis=0) - 0.5).max() < 0.02
    assert np.array_equal(uniforms(SEED, 1001, 1010, numbers), rows[1001:1010])


def test_ends_stay_finite_and_memory_contiguous():
    deviates = normals(SEED, 0, 100_000, 50)
    assert deviates.shape == (100_000, 50)
    assert np.isfinite(deviates).all()
    assert deviates[:, 3].flags.c_contiguous
    assert np.abs(deviates.mean(axis=0)).max() < 0.002
    assert np.abs(deviates.std(axis=0) - 1).max() < 0.002


@pytest.mark.parametrize("bad", [(0, 5, 4, 1), (0, -1, 4, 1), (-1, 0, 4, 1), (0, 0, MOST_ROWS + 1, 1), (0, 0, 4, [-1])])
def test_what_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError):
        uniforms(*bad)


def test_nothing_asked_is_nothing():
    assert uniforms(0, 7, 7, 3).shape == (0, 3)
    assert uniforms(0, 0, 7, 0).shape == (7, 0)


def test_dimensions_are_those_of_the_library():
    from scipy.stats import qmc

    from gigawatt.study.sampling import sequence

    assert qmc.Sobol.MAXDIM == sequence.SOBOL_DIMENSIONS

"""Draws and indices: the sequence beside SciPy's and random numbers, indices beside SALib's where that is at hand."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import qmc

from gigawatt.study.sampling import Lognormal, Sampler, correlation_of, normals, uniforms
from gigawatt.study.sensitivity import first_order, shapley_design, shapley_effects, sobol_design, sobol_indices
from measure import best_of, line

ROWS, INPUTS = 2**17, 50  # a power of two, as SciPy asks for
N = 4096


def ishigami(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.pi * (2 * ndtr(normal) - 1)
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


def draws() -> None:
    rng = np.random.default_rng(1)
    random, _ = best_of(lambda: rng.random((ROWS, INPUTS)), 3)
    ours, _ = best_of(lambda: uniforms(1, 0, ROWS, INPUTS), 3)
    theirs, _ = best_of(lambda: qmc.Sobol(INPUTS, rng=1).random(ROWS), 3)
    line(f"rows of the sequence, {ROWS:,} x {INPUTS}", f"{ours:.3f} s", f"{ours / theirs:.2f} x SciPy's Sobol engine")
    line("", "", f"{ours / random:.2f} x NumPy's random numbers")
    part, _ = best_of(lambda: uniforms(1, ROWS - 1000, ROWS, INPUTS), 3)
    line("the last thousand of them alone", f"{1e3 * part:.2f} ms", f"{part / ours:.4f} x all")
    gauss, _ = best_of(lambda: rng.standard_normal((ROWS, INPUTS)), 3)
    normal, _ = best_of(lambda: normals(1, 0, ROWS, INPUTS), 3)
    line("as normal deviates", f"{normal:.3f} s", f"{normal / gauss:.2f} x NumPy's")
    names = [f"x{i}" for i in range(INPUTS)]
    pairs = [(a, b, 0.5) for a, b in pairwise(names)]
    asked, correlation = best_of(lambda: correlation_of(names, pairs), 3)
    line(f"a valid matrix of {INPUTS}", f"{1e3 * asked:.1f} ms")
    sampler = Sampler({name: Lognormal(1.3) for name in names}, 1, correlation)
    drawn, _ = best_of(lambda: sampler.draw(0, ROWS), 3)
    line("correlated lognormals", f"{drawn:.3f} s", f"{drawn / gauss:.2f} x NumPy's independent normals")


def indices() -> None:
    design = sobol_design(3, N, 1)
    values = ishigami(design.normals)
    made, _ = best_of(lambda: sobol_design(3, N, 1))
    ours, _ = best_of(lambda: sobol_indices(design, values))
    line(f"Saltelli's rows, {N:,} x 5", f"{1e3 * made:.2f} ms")
    line("first and total indices with errors", f"{1e3 * ours:.2f} ms")
    if importlib.util.find_spec("SALib"):
        from SALib.analyze import sobol
        from SALib.sample import sobol as saltelli

        problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3}
        theirs, _ = best_of(lambda: saltelli.sample(problem, N, calc_second_order=False, seed=1), 2)
        analysed, _ = best_of(lambda: sobol.analyze(problem, values, calc_second_order=False, seed=1), 2)
        line("", "", f"rows {made / theirs:.3f} x SALib's, indices {ours / analysed:.3f} x (its errors: bootstrap)")
    matrix = np.full((20, 20), 0.3) + 0.7 * np.eye(20)
    many, shapley = best_of(lambda: shapley_design(matrix, N, 1), 2)
    effects, _ = best_of(lambda: shapley_effects(shapley, shapley.normals.sum(axis=1)), 2)
    line(f"Shapley effects of 20 inputs, {len(shapley.normals):,} rows", f"{many + effects:.3f} s")
    sample = normals(1, 0, 100_000, 20)
    total = sample.sum(axis=1)
    given, _ = best_of(lambda: first_order(sample, total), 2)
    ranked, _ = best_of(lambda: np.argsort(sample, axis=0), 2)
    line("first order of 20 inputs from 100,000 draws", f"{given:.3f} s", f"{given / ranked:.1f} x ranking them")


if __name__ == "__main__":
    draws()
    indices()

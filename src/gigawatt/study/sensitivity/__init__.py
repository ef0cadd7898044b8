"""Which input matters, and are the draws enough: pure functions over columns, which know no scenario.

A design is made, its rows are evaluated in one pass by whoever knows the model, and the estimate is made from the values:

    design = shapley_design(correlation, 256, seed)
    effects = shapley_effects(design, model(columns_of(laws, design.normals)))

    sobol_design, sobol_indices      independent inputs: alone (first) and with all they act with (total)
    shapley_design, shapley_effects  correlated inputs: shares of the variance that sum to 1
    first_order                      what each input tells, from draws that exist already
    tornado_design, tornado          one at a time, P10 and P90
    running, halving, ...            convergence;  expected_shortfall, probability_below: the bad end
"""

from gigawatt.study.sensitivity.convergence import (
    Halving,
    Running,
    halving,
    percentile_band,
    replicate_errors,
    running,
    stretch_errors,
)
from gigawatt.study.sensitivity.given import FirstOrder, first_order
from gigawatt.study.sensitivity.shapley import ShapleyDesign, ShapleyEffects, shapley_design, shapley_effects
from gigawatt.study.sensitivity.sobol import SobolDesign, SobolIndices, sobol_design, sobol_indices
from gigawatt.study.sensitivity.tails import Share, Shortfall, expected_shortfall, probability_below, wilson
from gigawatt.study.sensitivity.tornado import Tornado, TornadoDesign, tornado, tornado_design

__all__ = [
    "FirstOrder",
    "Halving",
    "Running",
    "ShapleyDesign",
    "ShapleyEffects",
    "Share",
    "Shortfall",
    "SobolDesign",
    "SobolIndices",
    "Tornado",
    "TornadoDesign",
    "expected_shortfall",
    "first_order",
    "halving",
    "percentile_band",
    "probability_below",
    "replicate_errors",
    "running",
    "shapley_design",
    "shapley_effects",
    "sobol_design",
    "sobol_indices",
    "stretch_errors",
    "tornado",
    "tornado_design",
    "wilson",
]

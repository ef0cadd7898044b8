"""The searches of training and of serving, remembered: a question that changes prices alone does not search again.

Their answers depend on nothing but their arguments and the packaged calibrations.
"""

from __future__ import annotations

from gigawatt.core.remembered import remembered
from gigawatt.physics.serving import frontier as _frontier
from gigawatt.physics.serving import frontiers as _frontiers
from gigawatt.physics.training import best_mapping as _best_mapping

# Answers kept of each; one of training is some hundred points of fifty numbers, one of serving a few hundred of fourteen.
KEPT = 1024

best_mapping = remembered(KEPT)(_best_mapping)
frontier = remembered(KEPT)(_frontier)
frontiers = remembered(KEPT)(_frontiers)

__all__ = ["best_mapping", "frontier", "frontiers"]

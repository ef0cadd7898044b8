"""A question asked many times with other inputs."""

from gigawatt.study.evaluate.evaluator import Evaluator
from gigawatt.study.evaluate.recipe import SCENARIO_VERBS, VERBS, Changes, Outcome, Recipe

__all__ = ["SCENARIO_VERBS", "VERBS", "Changes", "Evaluator", "Outcome", "Recipe"]

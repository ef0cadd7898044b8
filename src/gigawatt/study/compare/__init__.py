"""Why do two answers differ? Steps from A to B, one group of inputs after another, that sum to the gap."""

from gigawatt.study.compare.answer import compare, compare_sides
from gigawatt.study.compare.made import ENGINE
from gigawatt.study.compare.sides import Side, side_of

__all__ = ["ENGINE", "Side", "compare", "compare_sides", "side_of"]

"""How long a collective takes on a network, what binds it, what the network is made of."""

from gigawatt.study.net.answer import answer
from gigawatt.study.net.check import Check, read_check
from gigawatt.study.net.groups import Groups, groups_of, spread_evenly
from gigawatt.study.net.points import Points, points
from gigawatt.study.net.question import Experts, Overrides, Question
from gigawatt.study.net.sites import Across, read_across
from gigawatt.study.net.wiring import Wired, wire
from gigawatt.study.net.words import read_question

__all__ = [
    "Across",
    "Check",
    "Experts",
    "Groups",
    "Overrides",
    "Points",
    "Question",
    "Wired",
    "answer",
    "groups_of",
    "points",
    "read_across",
    "read_check",
    "read_question",
    "spread_evenly",
    "wire",
]

"""How a model is served on which chips, at a service level: the search, its answer, and what fell out."""

from gigawatt.study.serve.answer import answer
from gigawatt.study.serve.question import Question, Slo
from gigawatt.study.serve.words import read_question

__all__ = ["Question", "Slo", "answer", "read_question"]

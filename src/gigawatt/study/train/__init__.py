"""How a model is trained on which chips: the search over mappings, its answer, and what fell out."""

from gigawatt.study.train.answer import answer
from gigawatt.study.train.question import Degrees, Failures, Question, Value
from gigawatt.study.train.words import read_question

__all__ = ["Degrees", "Failures", "Question", "Value", "answer", "read_question"]

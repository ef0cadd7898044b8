"""Launch settings: a chosen mapping in the words of Megatron-LM, torchtitan or MaxText."""

from gigawatt.study.train.emit.check import check, problems
from gigawatt.study.train.emit.launch import Emitted, emit, write
from gigawatt.study.train.emit.read_back import mapping_of
from gigawatt.study.train.emit.schema import FRAMEWORKS, schema
from gigawatt.study.train.emit.settings import Machine, Predicted, Settings, machine_of, row_of, settings_of

__all__ = [
    "FRAMEWORKS",
    "Emitted",
    "Machine",
    "Predicted",
    "Settings",
    "check",
    "emit",
    "machine_of",
    "mapping_of",
    "problems",
    "row_of",
    "schema",
    "settings_of",
    "write",
]

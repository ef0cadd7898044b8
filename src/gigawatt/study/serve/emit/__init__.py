"""Launch settings: a chosen serving configuration in the words of vLLM, SGLang, TensorRT-LLM or Dynamo."""

from gigawatt.study.serve.emit.check import check, problems
from gigawatt.study.serve.emit.launch import Emitted, emit, write
from gigawatt.study.serve.emit.schema import ENGINES, Schema, schema
from gigawatt.study.serve.emit.settings import (
    Goal,
    Machine,
    ModelFacts,
    Pool,
    Predicted,
    Settings,
    machine_of,
    model_facts,
    parse_layout,
    parse_mapping,
    settings_of,
)

__all__ = [
    "ENGINES",
    "Emitted",
    "Goal",
    "Machine",
    "ModelFacts",
    "Pool",
    "Predicted",
    "Schema",
    "Settings",
    "check",
    "emit",
    "machine_of",
    "model_facts",
    "parse_layout",
    "parse_mapping",
    "problems",
    "schema",
    "settings_of",
    "write",
]

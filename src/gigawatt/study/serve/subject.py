"""The model that is asked about: found by any of its names, and requests that its positions hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.serve.question import Question

# Kinds of models that write token after token; the others are served request by request.
TEXT = ("llm", "moe", "hybrid", "state-space", "vlm", "omni")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model's record and architecture."""

    id: str
    record: Any
    arch: Architecture

    @property
    def writes(self) -> bool:
        """It writes token after token."""
        return self.record.model_kind in TEXT


def subject_of(name: str, catalog: Catalog, told: Problems) -> Subject | None:
    """The model that a name means; None with the problem told."""
    record = catalog.get("model", name) if name in catalog.ids("model") else catalog.find_model(name)
    if record is None:
        told.extend([unknown_name("model", name, catalog.ids("model"))])
        return None
    return Subject(record.id, record, from_config(record.id, record.config))


def check_length(subject: Subject, question: Question, told: Problems) -> None:
    """A request longer than the model's positions."""
    most, tokens = subject.record.max_positions, question.input_tokens + question.output_tokens
    if most and tokens > most:
        named = subject.record.name or subject.id
        said = f"--isl {question.input_tokens:,} and --osl {question.output_tokens:,} are {tokens:,} tokens"
        hint = f"at most {most:,} tokens, input and output together"
        told.add("too_long", f"{said}, but {named} has {most:,} positions", None, hint)

"""The best point of an answer as launch settings of an engine."""

from __future__ import annotations

from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems
from gigawatt.physics.serving import ENGINES
from gigawatt.study.result import RunResult
from gigawatt.study.serve.emit import Goal, Settings, settings_of
from gigawatt.study.serve.question import Question

FRAMEWORKS = ("dynamo",)  # what launches engines of any kind


def engine_for(emit: str, asked: tuple[str, ...], told: Problems) -> tuple[str, ...]:
    """The engines to search where launch settings of `emit` are wanted: its own, or any where it launches any."""
    if not emit or emit in FRAMEWORKS or emit not in ENGINES:
        return asked
    if asked and emit not in asked:
        told.add(
            "contradiction", f"--emit {emit} of a search among --engine {','.join(asked)}", None, f"--engine {emit}"
        )
    return (emit,)


def launch_settings(result: RunResult, question: Question, catalog: Catalog, **changes: Any) -> Settings:
    """Settings of the best point, in whole workers on the chips that were asked for.

    Raises:
        InputError: the chips hold no worker of each pool.
    """
    best = result.manifest["best"]
    row = {
        "mapping": best["mapping"],
        "engine": best["engine"],
        "precision": best["precision"],
        "concurrency": best["concurrency"],
        "chips_per_replica": best["chips_per_replica"] + best["prefill_chips"] / best["replicas"],
        "ttft_s": best["ttft_p99_ms"] / 1e3,
        "tpot_s": best["tpot_ms"] / 1e3,
        "tokens_out_per_s_per_chip": best["tokens_out_per_s_per_chip"],
        "low": best["low"] / best["tokens_out_per_s_per_chip"],
        "high": best["high"] / best["tokens_out_per_s_per_chip"],
    }
    slo = question.slo
    if question.speculation.by == "mtp":
        changes.setdefault("draft_tokens", question.speculation.tokens)
    goal = Goal(float(question.input_tokens), float(question.output_tokens), slo.ttft_p99_s, slo.tpot_s)
    place = result.manifest["places"][best["platform"]]
    return settings_of(
        row, result.manifest["model"], place, goal, fleet_chips=question.chips, catalog=catalog, **changes
    )

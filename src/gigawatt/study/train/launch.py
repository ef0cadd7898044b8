"""The best mapping of an answer as launch settings of a framework, and the search among what that framework can run."""

from __future__ import annotations

import math
from dataclasses import replace

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.physics.training.columns import CORE_ATTENTION, Mapping
from gigawatt.physics.training.releases import release_of
from gigawatt.study.result import RunResult
from gigawatt.study.train.emit import FRAMEWORKS, Predicted, Settings, settings_of
from gigawatt.study.train.emit.settings import machine_of
from gigawatt.study.train.question import Question

NONE, SELECTIVE, FULL = (0.0, 0.0), (0.0, CORE_ATTENTION), (1.0, 0.0)
# What is searched where launch settings of a framework are wanted and the question leaves it open.
RECOMPUTE = {
    "torchtitan": (NONE, (0.25, 0.0), (0.5, 0.0), FULL),
    "maxtext": (NONE, SELECTIVE, FULL),
}
SHARDINGS = {"torchtitan": ("zero2", "fsdp"), "maxtext": ("zero1", "fsdp")}
STACKS = {"torchtitan": "fsdp-compile", "maxtext": "maxtext-gpu"}


def question_for(emit: str, question: Question, catalog: Catalog, told: Problems) -> Question:
    """The question narrowed to what a framework can run, where it leaves that open."""
    if not emit:
        return question
    if emit not in FRAMEWORKS:
        told.extend([unknown_name("training framework", emit, FRAMEWORKS)])
        return question
    made = replace(
        question,
        shardings=question.shardings or SHARDINGS.get(emit, ()),
        recompute=question.recompute or RECOMPUTE.get(emit, ()),
        stack=question.stack or _stack(emit, question, catalog),
    )
    if emit in ("torchtitan", "maxtext") and question.pair is None:
        made = replace(made, pair=False)
    if emit == "maxtext" and not question.schedules:
        made = replace(made, schedules=("gpipe",))
        if not question.degrees.pp:  # XLA's pipelines are rare: sharded weights and tensor ranks come first
            made = replace(made, degrees=replace(made.degrees, pp=1, vp=0))
    return made


def _stack(emit: str, question: Question, catalog: Catalog) -> str:
    """The calibration's stack of a framework; the chip's usual one on its own kind of chip."""
    known = [*catalog.ids("platform"), *catalog.ids("accelerator")]
    first = next((name for name in question.on if name in known), "")
    if not first or machine_of(first, catalog).stack != "cuda":
        return ""
    return STACKS.get(emit, "")


def launch_settings(result: RunResult, question: Question, catalog: Catalog) -> Settings:
    """Settings of the best point of an answer.

    Raises:
        InputError: the answer is of another kind, or its platform is none of the catalog.
    """
    layout = result.manifest.get("layout")
    if not isinstance(layout, dict):
        raise InputError(Problem("no_mapping", f"'{result.name}' holds no mapping: ask with 'gigawatt train'"))
    best = result.manifest["best"]
    kept = result.manifest.get("goodput")
    return settings_of(
        result.manifest["model"],
        result.manifest["places"][best["platform"]],
        Mapping(**layout),
        best["precision"],
        stack=question.stack,
        catalog=catalog,
        release=release_of(question.release).words,
        tokens=question.tokens,
        save_every=int(result.manifest.get("save_every") or 0),
        predicted=Predicted(
            best["step_s"],
            best["step_s_low"],
            best["step_s_high"],
            best["tokens_per_s_per_chip"],
            math.nan if kept is None else float(kept),
        ),
    )

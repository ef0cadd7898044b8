"""`train`: how is this model trained here, and what does the job take?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gigawatt.cli.options import (
    OUT,
    PLACE,
    AsJson,
    Changes,
    Facility,
    FrontPlot,
    Overlays,
    Pareto,
    PowerCap,
    ReportOrLaunch,
    ScaleOut,
)
from gigawatt.cli.output import console, needs, not_beside_a_file, print_json, watched

if TYPE_CHECKING:
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.result import RunResult
    from gigawatt.study.train import Question
    from gigawatt.study.train.file import LoadedTrain

HELP = """How is this model trained here, and what does the job take?

Every degree of parallelism, schedule, recompute, precision and power mode that divides and fits is timed.
Lists are separated by commas. Every number has its 80 % range; assumptions are listed.

Examples:

  gigawatt train llama3-405b --on gb300-nvl72 --gpus 4608 --seq 8192 --tokens 15T

  gigawatt train deepseek-v3 --on gb300-nvl72,hgx-h100 --gpus 2048 --seq 4096 --batch '63M tokens'

  gigawatt train gpt3-175b --on dgx-a100 --gpus 1024 --seq 2048 --batch 1536 --mapping tp8-pp8-vp4-mb1

  gigawatt train llama3-70b --on hgx-h100 --gpus 256 --precision bf16 --objective energy --plot front.html

  gigawatt train llama3-405b --on hgx-b200 --gpus 512 --batch 512 --emit megatron -o launch

  gigawatt train examples/one-gigawatt.yaml --workload pretrain --set fleet.blackwell.platform=gb200-nvl72
"""
ASK, MAP = "What", "How it may be run"


def train(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model of the catalog by any of its names; or a file: one that says 'question: train', or a plan's scenario."
        ),
    ],
    on: Annotated[
        str, typer.Option("--on", help="Platforms or accelerators (default: gb300-nvl72).", rich_help_panel=ASK)
    ] = "",
    gpus: Annotated[str, typer.Option("--gpus", "--chips", help="Of the job (1024).", rich_help_panel=ASK)] = "",
    seq: Annotated[str, typer.Option("--seq", help="Tokens of a sequence (8192).", rich_help_panel=ASK)] = "",
    batch: Annotated[
        str,
        typer.Option("--batch", help="Of a step: sequences, or '16M tokens' (about 16 M tokens).", rich_help_panel=ASK),
    ] = "",
    tokens: Annotated[
        str, typer.Option("--tokens", help="Budget of the job: 15T. Adds days, chip-hours, MWh.", rich_help_panel=ASK)
    ] = "",
    lora: Annotated[bool, typer.Option("--lora", help="Adapters on frozen weights.", rich_help_panel=ASK)] = False,
    objective: Annotated[
        str,
        typer.Option("--objective", help="speed, energy, cost, or 'chip_hour=2.5,kwh=0.08'.", rich_help_panel=ASK),
    ] = "",
    max_step: Annotated[
        str, typer.Option("--max-step", help="The longest step that is taken: '20 s'.", rich_help_panel=ASK)
    ] = "",
    failures: Annotated[
        str,
        typer.Option("--failures", help="llama3-h100, 'factor=2,checkpoint=sync', none.", rich_help_panel=ASK),
    ] = "",
    precision: Annotated[str, typer.Option("--precision", help="nvfp4, mxfp8, fp8, bf16.", rich_help_panel=MAP)] = "",
    mapping: Annotated[
        str,
        typer.Option("--mapping", help="Degrees that are fixed: tp8-pp16-vp4-cp2-ep8-mb1.", rich_help_panel=MAP),
    ] = "",
    schedule: Annotated[
        str, typer.Option("--schedule", help="gpipe, 1f1b, zb-h1, zb-v, dualpipe.", rich_help_panel=MAP)
    ] = "",
    context_kind: Annotated[
        str, typer.Option("--context", help="ring, all-gather, ulysses.", rich_help_panel=MAP)
    ] = "",
    sharding: Annotated[str, typer.Option("--sharding", help="none, zero1, zero2, fsdp.", rich_help_panel=MAP)] = "",
    recompute: Annotated[
        str, typer.Option("--recompute", help="none, selective, full, or a share of layers.", rich_help_panel=MAP)
    ] = "",
    offload: Annotated[
        str,
        typer.Option("--offload", help="What may live in host memory: optimizer,activations.", rich_help_panel=MAP),
    ] = "",
    pair: Annotated[
        bool | None,
        typer.Option("--pair/--no-pair", help="Forward beside backward passes (experts).", rich_help_panel=MAP),
    ] = None,
    stack: Annotated[
        str, typer.Option("--stack", help="Software: megatron-tuned, fsdp-compile, maxtext ...", rich_help_panel=MAP)
    ] = "",
    release: Annotated[
        str, typer.Option("--release", help="Of that software: 26.02, or a date 2026-03 (newest).", rich_help_panel=MAP)
    ] = "",
    maturity: Annotated[
        str, typer.Option("--maturity", help="Speed of the software over the one fitted.", rich_help_panel=MAP)
    ] = "",
    sites: Annotated[
        str, typer.Option("--sites", help="Places that data-parallel ranks are spread over.", rich_help_panel=PLACE)
    ] = "",
    link: Annotated[
        str, typer.Option("--link", help="To the next site: '1000 km, 40 Tb/s'.", rich_help_panel=PLACE)
    ] = "",
    local_steps: Annotated[
        str, typer.Option("--local-steps", help="Steps between two exchanges of sites.", rich_help_panel=PLACE)
    ] = "",
    imbalance: Annotated[
        str, typer.Option("--imbalance", help="Busiest expert rank over the mean (1).", rich_help_panel=MAP)
    ] = "",
    power_cap: PowerCap = "",
    fabric: ScaleOut = "",
    facility: Facility = "",
    workload: Annotated[
        str, typer.Option("--workload", help="Of a plan's scenario: which training workload.", rich_help_panel=OUT)
    ] = "",
    pareto: Pareto = None,
    plot: FrontPlot = None,
    emit: Annotated[
        str,
        typer.Option("--emit", help="Launch settings into -o DIR: megatron, torchtitan, maxtext.", rich_help_panel=OUT),
    ] = "",
    output: ReportOrLaunch = None,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:
    """Answer a question about training; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.train import answer, read_question

    told = Problems()
    catalog = Catalog.load(tuple(overlay))
    if model.endswith((".yaml", ".yml")):
        not_beside_a_file(context, BESIDE, told)
        told.raise_if_any()
        from gigawatt.study.train.file import run_train

        loaded = _of_file(Path(model), workload, set_, catalog, gpus)
        question = _for_launch(loaded.question, catalog, emit, output, told)
        told.raise_if_any()
        loaded = replace(loaded, question=question)
        found = watched(lambda say: run_train(loaded, say), as_json, overlay)
        _finish(found, question, catalog, plot, emit, output, as_json)
        return
    needs({"--set": set_, "--workload": workload}, "a file", told)
    words = {
        "on": on, "gpus": gpus, "seq": seq, "batch": batch, "tokens": tokens, "precision": precision, "stack": stack,
        "release": release, "maturity": maturity, "mapping": mapping, "schedule": schedule, "context": context_kind,
        "sharding": sharding, "recompute": recompute, "offload": offload, "sites": sites, "link": link,
        "local_steps": local_steps, "imbalance": imbalance,
        "power_cap": power_cap, "fabric": fabric, "facility": facility, "objective": objective, "max_step": max_step,
        "failures": failures,
    }  # fmt: skip
    question = read_question(model, lora=lora, pair=pair, pareto=pareto, told=told, **words)
    question = _for_launch(question, catalog, emit, output, told)
    given = tuple(name for name, value in {**words, "lora": lora}.items() if value)
    found = watched(lambda say: answer(question, catalog, given=given, told=told, say=say), as_json, overlay)
    _finish(found, question, catalog, plot, emit, output, as_json)


Made = Callable[[Callable[[str], Any]], "RunResult"]
# What may stand beside a file: the rest is the file's own. The GPUs of a plan's workload may be open.
BESIDE = {"model", "workload", "gpus", "set_", "plot", "emit", "output", "overlay", "as_json"}


def _of_file(file: Path, workload: str, overrides: list[str], catalog: Catalog, gpus: str) -> LoadedTrain:
    """A training question, or a training workload of a plan."""
    from gigawatt.core.errors import InputError, Problem, Problems
    from gigawatt.study.questions import refuse_other
    from gigawatt.study.train.file import load_train, load_workload

    if refuse_other(file, "train", ("train", "plan")) == "plan":
        loaded = load_workload(file, workload, overrides, catalog)
        if not gpus:
            return loaded
        from gigawatt.study.train.words import MOST_CHIPS
        from gigawatt.study.words import read_count

        told = Problems()
        chips = read_count("--gpus", gpus, told, loaded.question.chips, MOST_CHIPS)
        told.raise_if_any()
        return replace(loaded, question=replace(loaded.question, chips=chips), given=(*loaded.given, "gpus"))
    found = []
    if workload:
        said = f"--workload {workload}: '{file}' asks about one model, and has no workloads"
        found.append(Problem("contradiction", said))
    if gpus:
        said = "--gpus can not stand beside a file, which says it itself"
        found.append(Problem("contradiction", said, None, ("--set gpus=...",)))
    if found:
        raise InputError(found)
    return load_train(file, overrides, catalog)


def _for_launch(question: Question, catalog: Catalog, emit: str, output: Path | None, told: Problems) -> Question:
    """The question as launch settings of a framework need it."""
    if not emit:
        return question
    from gigawatt.study.train.launch import question_for

    if output is None:
        told.add("contradiction", "--emit does nothing without -o DIR")
    return question_for(emit, question, catalog, told)


def _finish(
    found: RunResult,
    question: Question,
    catalog: Catalog,
    plot: Path | None,
    emit: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Files, then the answer itself."""
    more: dict[str, Any] = {}
    folder = None
    if plot is not None:
        from gigawatt.report.train_page import write_train_chart

        more["plot"] = str(write_train_chart(found, plot))
    if emit and output is not None:
        from gigawatt.study.train.emit import schema, write
        from gigawatt.study.train.launch import launch_settings

        files = write(launch_settings(found, question, catalog), emit, output)
        more["emit"] = {"framework": emit, "release": schema(emit).release, "files": [str(file) for file in files]}
    elif output is not None:
        from gigawatt.report.files import write_run

        folder = write_run(found, output)
        more["folder"] = str(folder)
    if as_json:
        print_json(found.as_json() | more)
        return
    from gigawatt.report.train_terminal import render_train

    render_train(found, console(), folder)
    said = [f"chart: {more['plot']}"] if "plot" in more else []
    if "emit" in more:
        said += [f"launch settings of {emit} {more['emit']['release']}: {', '.join(more['emit']['files'])}"]
    for line in said:
        console().print(line, soft_wrap=True, markup=False)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("train", help=HELP)(train)

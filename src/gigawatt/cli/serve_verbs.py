"""`serve`: how is this model served here, at my SLO?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    from gigawatt.study.serve import Question
    from gigawatt.study.serve.file import LoadedServe
    from gigawatt.study.serve.own import Own

HELP = """How is this model served here, at my SLO?

Every layout, precision, engine, power mode and concurrency is tried, aggregated and in pools.
Lists are separated by commas. Every number has its 80 % range; assumptions are listed.

Examples:

  gigawatt serve deepseek-v3 --on gb300-nvl72 --isl 4096 --osl 1024 --slo 'ttft=2s,tpot=30ms' --chips 64

  gigawatt serve llama3-70b --on hgx-h100,hgx-b200,mi355x-8 --isl 1024 --osl 1024 --slo 'ttft_mean=500ms,tpot=20ms'

  gigawatt serve gpt-oss-120b --on hgx-b200 --mapping tp2,tp4,tp8 --engine vllm --concurrency 1,8,64

  gigawatt serve qwen3-32b --on hgx-h100 --power-cap '500 W,full' --objective mw --plot front.html

  gigawatt serve llama3-70b --on hgx-h200 --chips 16 --emit vllm -o launch

  gigawatt serve llama3-8b --on hgx-h100 --trace AzureLLMInferenceTrace_conv.csv --trace-with factor=4

  gigawatt serve llama3-8b --on hgx-h100 --mapping tp1 --engine vllm --precision fp8 --anchor concurrency=64,tpot=15ms

  gigawatt serve flux-1-dev --on hgx-b200,hgx-h100 --slo latency=10s --with steps=20

  gigawatt serve gpt-oss-120b --on hgx-h200 --as agents --with calls=40,hit=0.9

  gigawatt serve examples/one-gigawatt.yaml --workload chat --set workloads.chat.slo.tpot_p99='30 ms'
"""
ASK, ENGINE = "What", "How it may be run"
TRACE = "A trace, one's own deployment"


def serve(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model of the catalog by any of its names; or a file: one that says 'question: serve', or a plan's scenario."
        ),
    ],
    on: Annotated[
        str, typer.Option("--on", help="Platforms or accelerators (default: gb300-nvl72).", rich_help_panel=ASK)
    ] = "",
    isl: Annotated[str, typer.Option("--isl", help="Input tokens of a request (1024).", rich_help_panel=ASK)] = "",
    osl: Annotated[str, typer.Option("--osl", help="Output tokens of a request (1024).", rich_help_panel=ASK)] = "",
    cached: Annotated[
        str, typer.Option("--cached", help="Share of the input found in the cache: '50 %'.", rich_help_panel=ASK)
    ] = "",
    slo: Annotated[
        str,
        typer.Option(
            "--slo",
            help="'ttft=1s,tpot=30ms': of TTFT the p99, of TPOT the mean; or ttft_mean, tpot_p99, latency.",
            rich_help_panel=ASK,
        ),
    ] = "",
    concurrency: Annotated[
        str,
        typer.Option("--concurrency", help="Users of a replica who ask again at once: 1,8,64.", rich_help_panel=ASK),
    ] = "",
    rate: Annotated[
        str, typer.Option("--rate", help="Requests that come in a second: 20, '3e6/day'.", rich_help_panel=ASK)
    ] = "",
    objective: Annotated[
        str, typer.Option("--objective", help="Most tokens of a chip, or of a MW: chip, mw.", rich_help_panel=ASK)
    ] = "",
    as_service: Annotated[
        str,
        typer.Option(
            "--as",
            help="Beside chat: agents, batch, embeddings, synthesis (images, speech, robots: the model's own).",
            rich_help_panel=ASK,
        ),
    ] = "",
    options: Annotated[
        list[str],
        typer.Option("--with", metavar="NAME=VALUE", help="Of that service: steps=4,width=1024.", rich_help_panel=ASK),
    ] = [],
    precision: Annotated[str, typer.Option("--precision", help="fp4, fp8, bf16.", rich_help_panel=ENGINE)] = "",
    engine: Annotated[str, typer.Option("--engine", help="trtllm, vllm, sglang.", rich_help_panel=ENGINE)] = "",
    mapping: Annotated[
        str, typer.Option("--mapping", help="tp8, tp8-ep8, dp8-ep8: of a replica.", rich_help_panel=ENGINE)
    ] = "",
    disaggregate: Annotated[
        bool | None,
        typer.Option("--disaggregate/--no-disaggregate", help="Prefill and decode apart.", rich_help_panel=ENGINE),
    ] = None,
    speculation: Annotated[
        str,
        typer.Option(
            "--speculation",
            help="mtp, eagle ('mtp,tokens=2,accepted=80 %'), or a factor on the speed of decoding.",
            rich_help_panel=ENGINE,
        ),
    ] = "",
    maturity: Annotated[
        str, typer.Option("--maturity", help="Speed of the software over the one fitted.", rich_help_panel=ENGINE)
    ] = "",
    release: Annotated[
        str, typer.Option("--release", help="A month, 2026-03, or a version of --engine.", rich_help_panel=ENGINE)
    ] = "",
    derate: Annotated[
        str,
        typer.Option(
            "--derate",
            help="Kept in production: 0.8, decode=0.8,prefill=0.51, profile-to-production.",
            rich_help_panel=ENGINE,
        ),
    ] = "",
    chips: Annotated[
        str, typer.Option("--chips", help="All there are: whole replicas (none: a fleet).", rich_help_panel=PLACE)
    ] = "",
    replica_chips: Annotated[
        str,
        typer.Option("--replica-chips", help="A replica may span domains, up to this many.", rich_help_panel=PLACE),
    ] = "",
    stages: Annotated[
        str, typer.Option("--stages", help="Pipelines of up to so many stages.", rich_help_panel=PLACE)
    ] = "",
    power_cap: PowerCap = "",
    fabric: ScaleOut = "",
    facility: Facility = "",
    workload: Annotated[
        str, typer.Option("--workload", help="Of a plan's scenario: which serving workload.", rich_help_panel=OUT)
    ] = "",
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="Requests to simulate, CSV or JSONL.", rich_help_panel=TRACE),
    ] = None,
    trace_format: Annotated[
        str,
        typer.Option(
            "--trace-format", help="azure, mooncake, vidur, burstgpt, vllm, csv, jsonl.", rich_help_panel=TRACE
        ),
    ] = "",
    trace_with: Annotated[
        list[str],
        typer.Option(
            "--trace-with",
            metavar="NAME=VALUE",
            help="first=1000,factor=2,routing=prefix,arrival=ts",
            rich_help_panel=TRACE,
        ),
    ] = [],
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", metavar="FILE", help="A log of one's own deployment.", rich_help_panel=TRACE),
    ] = None,
    calibrate_with: Annotated[
        list[str],
        typer.Option(
            "--calibrate-with", metavar="NAME=VALUE", help="max_num_seqs=128,token_budget=2048", rich_help_panel=TRACE
        ),
    ] = [],
    anchor: Annotated[
        str,
        typer.Option(
            "--anchor", help="One measured point: concurrency=64,tpot=30ms,ttft=400ms.", rich_help_panel=TRACE
        ),
    ] = "",
    pareto: Pareto = None,
    plot: FrontPlot = None,
    emit: Annotated[
        str,
        typer.Option("--emit", help="Launch settings into -o DIR: vllm, sglang, trtllm, dynamo.", rich_help_panel=OUT),
    ] = "",
    output: ReportOrLaunch = None,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:
    """Answer a question about serving; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.serve import answer, read_question

    told = Problems()
    catalog = Catalog.load(tuple(overlay))
    if model.endswith((".yaml", ".yml")):
        not_beside_a_file(context, BESIDE, told)
        told.raise_if_any()
        loaded = _of_file(Path(model), workload, set_, catalog)
        question = _for_launch(loaded.question, emit, output, told)
        told.raise_if_any()
        from gigawatt.study.serve.file import run_serve

        loaded = replace(loaded, question=question)
        _finish(
            _shown(lambda say: run_serve(loaded, say), as_json, overlay), question, catalog, plot, emit, output, as_json
        )
        return
    needs({"--set": set_, "--workload": workload}, "a file", told)
    words = {
        "on": on, "isl": isl, "osl": osl, "cached": cached, "slo": slo, "rate": rate, "concurrency": concurrency,
        "stages": stages, "precision": precision, "engine": engine, "mapping": mapping, "chips": chips,
        "replica_chips": replica_chips, "speculation": speculation, "power_cap": power_cap, "maturity": maturity,
        "release": release, "fabric": fabric, "facility": facility, "derate": derate, "objective": objective,
    }  # fmt: skip
    question = read_question(model, disaggregate=disaggregate, pareto=pareto, told=told, **words)
    question = _for_launch(question, emit, output, told)
    given = tuple(name for name, value in {**words, "disaggregate": disaggregate}.items() if value not in ("", None))
    if trace is None:
        needs({"--trace-format": trace_format, "--trace-with": trace_with}, "--trace FILE", told)
    if as_service and (trace is not None or calibrate is not None or anchor or emit):
        told.add("contradiction", f"--as {as_service}: traces, measurements and launch settings are of chat alone")
    own = _own(calibrate, calibrate_with, anchor, question, catalog, told)
    if own is not None:
        question, given = own.question, (*given, "derate")
    if trace is not None:
        found = _shown(
            _replayed(trace, trace_format, trace_with, question, catalog, given, own, told), as_json, overlay
        )
    else:
        found = _shown(
            lambda say: answer(
                question, catalog, given=given, as_service=as_service, options=options, told=told, say=say
            ),
            as_json,
            overlay,
        )
    if own is not None:
        from gigawatt.study.serve.own import with_own

        found = with_own(found, own)
    _finish(found, question, catalog, plot, emit, output, as_json)


def _own(
    calibrate: Path | None, words: list[str], anchor: str, question: Question, catalog: Catalog, told: Problems
) -> Own | None:
    """The deployment that was measured, if any was."""
    if calibrate is None and not words and not anchor:
        return None
    from gigawatt.study.serve.own import own_of, read_measured

    measured = read_measured(calibrate, words, anchor, told)
    told.raise_if_any()
    return None if measured is None else own_of(measured, question, catalog)


def _replayed(
    trace: Path,
    form: str,
    words: list[str],
    question: Question,
    catalog: Catalog,
    given: tuple[str, ...],
    own: Own | None,
    told: Problems,
) -> Made:
    """The answer with a trace simulated."""
    from gigawatt.study.serve.replay import replay
    from gigawatt.study.serve.replay_words import read_replay

    asked = read_replay(trace, form, words, question.rate_per_s, told)
    fitted = own.calibrated if own is not None else None
    return lambda say: replay(asked, question, catalog, given=given, calibrated=fitted, told=told, say=say)


Made = Callable[[Callable[[str], Any]], "RunResult"]
# What may stand beside a file: the rest is the file's own.
BESIDE = {"model", "workload", "set_", "plot", "emit", "output", "overlay", "as_json"}


def _for_launch(question: Question, emit: str, output: Path | None, told: Problems) -> Question:
    """The question as launch settings of an engine need it."""
    from gigawatt.core.errors import unknown_name
    from gigawatt.study.serve.emit import ENGINES
    from gigawatt.study.serve.launch import engine_for

    if not emit:
        return question
    if emit not in ENGINES:
        told.extend([unknown_name("engine to launch", emit, ENGINES)])
    if output is None:
        told.add("contradiction", "--emit does nothing without -o DIR")
    # Both pools of a launch store their weights alike: one partner, of the decoders' own kin.
    return replace(question, engines=engine_for(emit, question.engines, told), partners=1)


def _of_file(file: Path, workload: str, overrides: list[str], catalog: Catalog) -> LoadedServe:
    """A serving question, or a serving workload of a plan."""
    from gigawatt.core.errors import InputError, Problem
    from gigawatt.study.questions import refuse_other
    from gigawatt.study.serve.file import load_serve, load_workload

    if refuse_other(file, "serve", ("serve", "plan")) == "plan":
        return load_workload(file, workload, overrides, catalog)
    if workload:
        said = f"--workload {workload}: '{file}' asks about one model, and has no workloads"
        raise InputError(Problem("contradiction", said))
    return load_serve(file, overrides, catalog)


def _shown(made: Made, as_json: bool, overlays: Sequence[Path]) -> RunResult:
    """The answer with measured points beside it; progress only where somebody looks at it."""
    from gigawatt.validation.serve_measured import with_measured

    return with_measured(watched(made, as_json, overlays))


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
    from gigawatt.core.errors import InputError, Problem

    more: dict[str, Any] = {}
    folder = None
    if plot is not None:
        from gigawatt.report.serve_page import write_serve_chart

        more["plot"] = str(write_serve_chart(found, plot))
    if emit and output is not None:
        if "service" in found.manifest:
            why = f"--emit {emit}: launch settings are of chat, and this serves {found.manifest['service']}"
            raise InputError(Problem("contradiction", why))
        from gigawatt.study.serve.emit import schema, write
        from gigawatt.study.serve.launch import launch_settings

        files = write(launch_settings(found, question, catalog), emit, output)
        more["emit"] = {"engine": emit, "release": schema(emit).release, "files": [str(file) for file in files]}
    elif output is not None:
        from gigawatt.report.files import write_run

        folder = write_run(found, output)
        more["folder"] = str(folder)
    if as_json:
        print_json(found.as_json() | more)
        return
    from gigawatt.report.serve_terminal import render_serve

    render_serve(found, console(), folder)
    said = [f"chart: {more['plot']}"] if "plot" in more else []
    if "emit" in more:
        said += [f"launch settings of {emit} {more['emit']['release']}: {', '.join(more['emit']['files'])}"]
    for line in said:
        console().print(line, soft_wrap=True, markup=False)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("serve", help=HELP)(serve)

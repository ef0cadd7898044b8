"""`serve`: how is this model served here, at my SLO?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gigawatt.cli.output import console, print_json

if TYPE_CHECKING:
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.result import RunResult

HELP = """How is this model served here, at my SLO?

Every layout, precision, engine, power mode and concurrency is tried, aggregated and with prefill and decode apart. Lists are
separated by commas. Every number has its 80 % range; what was assumed and what fell out is listed.

Examples:

  gigawatt serve deepseek-v3 --on gb300-nvl72 --isl 4096 --osl 1024 --slo 'ttft=2s,tpot=30ms' --chips 64

  gigawatt serve llama3-70b --on hgx-h100,hgx-b200,mi355x-8 --isl 1024 --osl 1024 --slo 'ttft_mean=500ms,tpot=20ms'

  gigawatt serve gpt-oss-120b --on hgx-b200 --mapping tp2,tp4,tp8 --engine vllm --concurrency 1,8,64

  gigawatt serve qwen3-32b --on hgx-h100 --power-cap '500 W,full' --objective mw --plot front.html

  gigawatt serve examples/one-gigawatt.yaml --workload chat --set workloads.chat.slo.tpot_p99='30 ms'
"""
ASK, ENGINE, PLACE, OUT = "What", "How it may be run", "Where", "Results"


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
    slo: Annotated[
        str,
        typer.Option(
            "--slo",
            help="'ttft=1s,tpot=30ms': ttft is its p99, ttft_mean the mean; tpot a request's own mean.",
            rich_help_panel=ASK,
        ),
    ] = "",
    concurrency: Annotated[
        str,
        typer.Option("--concurrency", help="Users of a replica who ask again at once: 1,8,64.", rich_help_panel=ASK),
    ] = "",
    objective: Annotated[
        str, typer.Option("--objective", help="Most tokens of a chip, or of a MW: chip, mw.", rich_help_panel=ASK)
    ] = "",
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
        typer.Option("--speculation", help="mtp, or a factor on the speed of decoding.", rich_help_panel=ENGINE),
    ] = "",
    maturity: Annotated[
        str, typer.Option("--maturity", help="Speed of the software over the one fitted.", rich_help_panel=ENGINE)
    ] = "",
    release: Annotated[
        str, typer.Option("--release", help="Month of the engine's release: 2026-03.", rich_help_panel=ENGINE)
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
    power_cap: Annotated[
        str,
        typer.Option("--power-cap", help="Modes of the platform, '80 %' or '700 W' of a chip.", rich_help_panel=PLACE),
    ] = "",
    fabric: Annotated[
        str, typer.Option("--fabric", help="Scale-out network (default: the platform's).", rich_help_panel=PLACE)
    ] = "",
    facility: Annotated[
        str, typer.Option("--facility", help="Whose PUE is between rack and meter.", rich_help_panel=PLACE)
    ] = "",
    workload: Annotated[
        str, typer.Option("--workload", help="Of a plan's scenario: which serving workload.", rich_help_panel=OUT)
    ] = "",
    pareto: Annotated[int | None, typer.Option("--pareto", help="Points of a front (12).", rich_help_panel=OUT)] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.html", help="The front as a chart.", rich_help_panel=OUT)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A run folder with report.", rich_help_panel=OUT)
    ] = None,
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="PATH=VALUE", help="Change an input of a file. Repeatable.", rich_help_panel=OUT),
    ] = [],
    overlay: Annotated[
        list[Path], typer.Option("--overlay", help="A folder with your own records. Repeatable.", rich_help_panel=OUT)
    ] = [],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel=OUT)] = False,
) -> None:
    """Answer a question about serving; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.serve import answer, read_question

    told = Problems()
    catalog = Catalog.load(tuple(overlay))
    if model.endswith((".yaml", ".yml")):
        _not_beside_a_file(context, told)
        told.raise_if_any()
        made = _of_file(Path(model), workload, set_, catalog)
        _finish(_shown(made, as_json), plot, output, as_json)
        return
    for option, value in {"--set": set_, "--workload": workload}.items():
        if value:
            told.add("contradiction", f"{option} does nothing without a file")
    words = {
        "on": on, "isl": isl, "osl": osl, "slo": slo, "concurrency": concurrency, "precision": precision, "engine": engine,
        "mapping": mapping, "chips": chips, "replica_chips": replica_chips, "speculation": speculation,
        "power_cap": power_cap, "maturity": maturity, "release": release, "fabric": fabric, "facility": facility,
        "derate": derate, "objective": objective,
    }  # fmt: skip
    question = read_question(model, disaggregate=disaggregate, pareto=pareto, told=told, **words)
    given = tuple(name for name, value in words.items() if value)
    _finish(
        _shown(lambda say: answer(question, catalog, given=given, told=told, say=say), as_json), plot, output, as_json
    )


Made = Callable[[Callable[[str], Any]], "RunResult"]
# What may stand beside a file: the rest is the file's own.
BESIDE = {"model", "workload", "set_", "plot", "output", "overlay", "as_json"}


def _not_beside_a_file(context: typer.Context, told: Problems) -> None:
    """Options whose place is in the file."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in BESIDE and source is not None and source.name == "COMMANDLINE":
            said = f"{parameter.opts[0]} can not stand beside a file, which says it itself"
            told.add("contradiction", said, None, "--set PATH=VALUE changes any input of a file")


def _of_file(file: Path, workload: str, overrides: list[str], catalog: Catalog) -> Made:
    """The answer of a serving question, or of a serving workload of a plan."""
    from gigawatt.core.errors import InputError, Problem
    from gigawatt.study.questions import refuse_other
    from gigawatt.study.serve.file import load_serve, load_workload, run_serve

    if refuse_other(file, "serve", ("serve", "plan")) == "plan":
        loaded = load_workload(file, workload, overrides, catalog)
    elif workload:
        said = f"--workload {workload}: '{file}' asks about one model, and has no workloads"
        raise InputError(Problem("contradiction", said))
    else:
        loaded = load_serve(file, overrides, catalog)
    return lambda say: run_serve(loaded, say)


def _shown(made: Made, as_json: bool) -> RunResult:
    """The answer with measured points beside it; progress only where somebody looks at it."""
    from gigawatt.validation.serve_measured import with_measured

    if sys.stderr.isatty() and not as_json:
        with console(stderr=True).status("reading") as status:
            return with_measured(made(status.update))
    return with_measured(made(lambda _: None))


def _finish(found: RunResult, plot: Path | None, output: Path | None, as_json: bool) -> None:
    """Files, then the answer itself."""
    more: dict[str, Any] = {}
    folder = None
    if plot is not None:
        from gigawatt.report.serve_page import write_serve_chart

        more["plot"] = str(write_serve_chart(found, plot))
    if output is not None:
        from gigawatt.report.files import write_run

        folder = write_run(found, output)
        more["folder"] = str(folder)
    if as_json:
        print_json(found.as_json() | more)
        return
    from gigawatt.report.serve_terminal import render_serve

    render_serve(found, console(), folder)
    if plot is not None:
        console().print(f"chart: {plot}", soft_wrap=True, markup=False)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("serve", help=HELP)(serve)

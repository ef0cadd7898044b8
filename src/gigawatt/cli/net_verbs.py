"""`net`: how long does this collective take, and what binds it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gigawatt.cli.options import OUT, AsJson, Changes, Overlays
from gigawatt.cli.output import console, needs, not_beside_a_file, print_json, watched

if TYPE_CHECKING:
    from gigawatt.catalog import Catalog
    from gigawatt.study.net import Across, Check, Question
    from gigawatt.study.net.export import Written
    from gigawatt.study.result import RunResult

HELP = """How long does this collective take, and what binds it?

Sizes and bus bandwidth are those of nccl-tests. Lists are separated by commas; 1KiB..16GiB are powers of two.
Every time has its 80 % range, and what was assumed is listed.

Examples:

  gigawatt net all_reduce --on gb300-nvl72 --chips 144 --size 1GiB

  gigawatt net all_to_all --on gb300-nvl72,hgx-b300 --chips 72 --size 1MiB..8GiB --plot a2a.html

  gigawatt net all_gather --on hgx-h100 --layout tp=8,pp=4,dp=16 --group dp --size 512MiB

  gigawatt net all_reduce --on hgx-h100 --fabric tomahawk5-roce-2tier --chips 2048 --flows --routing ecmp --queue-pairs 1,4,16

  gigawatt net moe_dispatch --on gb300-nvl72 --chips 64 --tokens 128 --style low_latency

  gigawatt net all_reduce --on hgx-b200 --chips 16384 --fabric quantum2-ndr-3tier --parts

  gigawatt net examples/networks/domains.yaml --set networks.boxes-of-8.nic='3200 Gb/s'

  gigawatt net --across '1000 km' --wan '400 Gb/s' --parameters 405e9 --step '26 s' --sync-every 1,10,100
"""
ASK, NET, CHECK, SITES = "What", "Network", "Flow by flow", "Over sites"


def net(
    context: typer.Context,
    collective: Annotated[
        str,
        typer.Argument(
            help="all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, send_recv, moe_dispatch, moe_combine; "
            "several, or all (default: all_reduce, none with --across); or a file that says 'question: network'."
        ),
    ] = "",
    on: Annotated[
        str, typer.Option("--on", help="Platforms or accelerators of the catalog.", rich_help_panel=ASK)
    ] = "gb300-nvl72",
    chips: Annotated[
        str, typer.Option("--chips", help="16,64,256 or 8..1024 (default: a rack).", rich_help_panel=ASK)
    ] = "",
    size: Annotated[str, typer.Option("--size", help="1GiB, 512MiB, bytes, or 1KiB..16GiB.", rich_help_panel=ASK)] = "",
    algorithm: Annotated[
        str,
        typer.Option(
            "--algorithm", help="ring, tree, NVLS, SHARP, hierarchical, auto: each has rows.", rich_help_panel=ASK
        ),
    ] = "",
    per_domain: Annotated[
        int | None, typer.Option("--per-domain", help="Ranks of the group in a scale-up domain.", rich_help_panel=ASK)
    ] = None,
    layout: Annotated[str, typer.Option("--layout", help="tp=8,pp=4,dp=16,ep=8,cp=1.", rich_help_panel=ASK)] = "",
    group: Annotated[
        str, typer.Option("--group", help="Of the layout: tp, cp, ep, dp, edp, pp.", rich_help_panel=ASK)
    ] = "",
    tokens: Annotated[
        str, typer.Option("--tokens", help="Experts: tokens of a rank (4096; 128 in low latency).", rich_help_panel=ASK)
    ] = "",
    hidden: Annotated[int, typer.Option("--hidden", help="Experts: values of a token.", rich_help_panel=ASK)] = 7168,
    topk: Annotated[int, typer.Option("--topk", help="Experts that a token is sent to.", rich_help_panel=ASK)] = 8,
    width: Annotated[
        float,
        typer.Option("--bytes-per-value", help="Experts (default: 1 in dispatch, 2 in combine).", rich_help_panel=ASK),
    ] = 0.0,
    style: Annotated[
        str, typer.Option("--style", help="Experts: normal or low_latency.", rich_help_panel=ASK)
    ] = "normal",
    fabric: Annotated[
        str, typer.Option("--fabric", help="Fabrics of the catalog (default: the platform's).", rich_help_panel=NET)
    ] = "",
    domain: Annotated[
        int | None,
        typer.Option("--domain", help="Chips of a scale-up domain in use (4: rack NVLink off).", rich_help_panel=NET),
    ] = None,
    nic: Annotated[
        str, typer.Option("--nic", help="NIC rate of a chip, one way: '400 Gb/s'.", rich_help_panel=NET)
    ] = "",
    ports_per_pair: Annotated[
        int | None, typer.Option("--ports-per-pair", help="NIC ports that two chips use.", rich_help_panel=NET)
    ] = None,
    oversubscription: Annotated[
        float | None, typer.Option("--oversubscription", help="Down to up; 7 is 1:7.", rich_help_panel=NET)
    ] = None,
    tiers: Annotated[int | None, typer.Option("--tiers", help="Of switches, 1 to 3.", rich_help_panel=NET)] = None,
    planes: Annotated[int | None, typer.Option("--planes", help="Parallel networks.", rich_help_panel=NET)] = None,
    sharp: Annotated[
        bool | None, typer.Option("--sharp/--no-sharp", help="Scale-out switches reduce.", rich_help_panel=NET)
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="The network's parts, watts, price.", rich_help_panel=NET)
    ] = False,
    flows: Annotated[bool, typer.Option("--flows", help="Check on the explicit graph.", rich_help_panel=CHECK)] = False,
    routing: Annotated[
        str, typer.Option("--routing", help="ecmp, adaptive, spray (default: the fabric's).", rich_help_panel=CHECK)
    ] = "",
    queue_pairs: Annotated[
        str, typer.Option("--queue-pairs", help="Flows between two chips, 1,4,16.", rich_help_panel=CHECK)
    ] = "",
    split: Annotated[
        str, typer.Option("--split", help="Queue pairs share work: dynamic, equal.", rich_help_panel=CHECK)
    ] = "dynamic",
    placement: Annotated[str, typer.Option("--placement", help="packed or random.", rich_help_panel=CHECK)] = "packed",
    failed_links: Annotated[
        str, typer.Option("--failed-links", help="Share of cables between switches: '1 %'.", rich_help_panel=CHECK)
    ] = "",
    failed_switches: Annotated[
        str, typer.Option("--failed-switches", help="By name: 'leaf 3,spine 0'.", rich_help_panel=CHECK)
    ] = "",
    jobs: Annotated[int, typer.Option("--jobs", help="Such groups at once.", rich_help_panel=CHECK)] = 1,
    straggler: Annotated[
        str, typer.Option("--straggler", help="Share of its rate that one chip has: '50 %'.", rich_help_panel=CHECK)
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of paths, placement, failures.", rich_help_panel=CHECK)] = 0,
    across: Annotated[
        str, typer.Option("--across", help="Training over sites this far apart: '1000 km'.", rich_help_panel=SITES)
    ] = "",
    wan: Annotated[str, typer.Option("--wan", help="Rate of a link, one way: '400 Gb/s'.", rich_help_panel=SITES)] = "",
    sites: Annotated[int, typer.Option("--sites", help="In a ring.", rich_help_panel=SITES)] = 2,
    parameters: Annotated[
        str, typer.Option("--parameters", help="Values exchanged: 405e9.", rich_help_panel=SITES)
    ] = "",
    step: Annotated[str, typer.Option("--step", help="A step alone: '26 s'.", rich_help_panel=SITES)] = "",
    sync_every: Annotated[
        str, typer.Option("--sync-every", help="Steps between exchanges (1,100).", rich_help_panel=SITES)
    ] = "",
    bits: Annotated[float, typer.Option("--bits", help="Of a value between sites.", rich_help_panel=SITES)] = 16.0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.html", help="Bus bandwidth as a chart.", rich_help_panel=OUT)
    ] = None,
    export: Annotated[
        str, typer.Option("--export", help="chakra or htsim: the messages, into -o DIR.", rich_help_panel=OUT)
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A run folder with report, or the export's.", rich_help_panel=OUT),
    ] = None,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:
    """Answer a question about a network; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.net import read_across, read_check, read_question, wire

    told = Problems()
    catalog = Catalog.load(tuple(overlay))
    if collective.endswith((".yaml", ".yml")):
        not_beside_a_file(context, BESIDE, told)
        told.raise_if_any()
        _finish(_answer_file(Path(collective), set_, catalog, as_json), None, catalog, plot, "", output, as_json)
        return
    needs({"--set": set_}, "a file", told)
    over = asked = None
    if across:
        over = read_across(
            across, wan, sites=sites, parameters=parameters, step=step, sync_every=sync_every, bits=bits, told=told
        )
    if collective or not across:
        asked = read_question(
            collective or "all_reduce",
            on=on,
            fabric=fabric,
            chips=chips,
            size=size,
            algorithm=algorithm,
            per_domain=per_domain,
            layout=layout,
            group=group,
            tokens=tokens,
            hidden=hidden,
            topk=topk,
            width=width,
            style=style,
            domain=domain,
            nic=nic,
            ports_per_pair=ports_per_pair,
            oversubscription=oversubscription,
            tiers=tiers,
            planes=planes,
            sharp=sharp,
            sweep=plot is not None,
            told=told,
        )
        wire(asked, catalog, told)
    tested = read_check(
        routing=routing,
        queue_pairs=queue_pairs,
        split=split,
        placement=placement,
        failed_links=failed_links,
        failed_switches=failed_switches,
        jobs=jobs,
        straggler=straggler,
        seed=seed,
        told=told,
    )
    of_sites = {"--wan": wan, "--parameters": parameters, "--step": step, "--sync-every": sync_every}
    needs(of_sites if not across else {}, "--across '1000 km'", told)
    of_flows: dict[str, object] = {"--routing": routing, "--queue-pairs": queue_pairs, "--failed-links": failed_links}
    of_flows |= {"--failed-switches": failed_switches, "--straggler": straggler, "--jobs": jobs > 1}
    needs(of_flows if not flows else {}, "--flows", told)
    needs({"--export": export} if output is None else {}, "-o DIR", told)
    needs({"--export": export} if asked is None else {}, "a collective", told)
    told.raise_if_any()
    found = _answer(asked, catalog, tested if flows else None, parts, over, as_json)
    _finish(found, asked, catalog, plot, export, output, as_json)


# What may stand beside a file: the rest is the file's own.
BESIDE = {"collective", "set_", "plot", "output", "overlay", "as_json"}


def _answer_file(file: Path, overrides: list[str], catalog: Catalog, as_json: bool) -> RunResult:
    """The answer of a file, with published points beside it."""
    from gigawatt.study.net.file import load_net, run_net
    from gigawatt.study.questions import refuse_other
    from gigawatt.validation.network_points import with_measured

    refuse_other(file, "net", ("network",))
    loaded = load_net(file, overrides, catalog)
    return with_measured(watched(lambda say: run_net(loaded, say), as_json, catalog.overlays))


def _answer(
    asked: Question | None, catalog: Catalog, check: Check | None, parts: bool, over: Across | None, as_json: bool
) -> RunResult:
    """The answer with published points beside it; progress only where somebody looks at it."""
    from gigawatt.study.net import answer
    from gigawatt.validation.network_points import with_measured

    return with_measured(
        watched(
            lambda say: answer(asked, catalog, check=check, parts=parts, across=over, say=say),
            as_json,
            catalog.overlays,
        )
    )


def _finish(
    found: RunResult,
    asked: Question | None,
    catalog: Catalog,
    plot: Path | None,
    export: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Files, then the answer itself; exit code 1 where failures cut something off."""
    more: dict[str, Any] = {}
    folder = None
    if plot is not None:
        from gigawatt.report.net_page import write_net_chart

        more["plot"] = str(write_net_chart(found, plot))
    if export and output is not None and asked is not None:
        from gigawatt.study.net.export import export_first

        written = export_first(asked, catalog, export, output)
        more["export"] = _as_json(written)
    elif output is not None:
        from gigawatt.report.files import write_run

        folder = write_run(found, output)
        more["folder"] = str(folder)
    if as_json:
        print_json(found.as_json() | more)
    else:
        from gigawatt.report.net_terminal import render_net

        render_net(found, console(), folder)
        if plot is not None:
            console().print(f"chart: {plot}", soft_wrap=True, markup=False)
        if "export" in more:
            _say_export(written)
    if found.manifest.get("cut"):
        raise typer.Exit(1)


def _as_json(written: Written) -> dict[str, Any]:
    return {
        "folder": str(written.folder),
        "files": written.files,
        "messages": written.messages,
        "run": written.run,
        "trap": written.trap,
    }


def _say_export(written: Written) -> None:
    count = (
        f"{written.messages:,} messages"
        if written.messages
        else "the collective by name, its messages are the simulator's"
    )
    for line in (
        f"wrote {written.files:,} files into {written.folder}: {count}",
        f"run: {written.run}",
        f"mind: {written.trap}",
    ):
        console().print(line, soft_wrap=True, markup=False)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("net", help=HELP)(net)

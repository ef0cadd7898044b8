"""The answer of `gigawatt net`: tables, what was assumed, sentences, as one result that prints, draws and writes itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.study.explained.kept import kept
from gigawatt.study.net.bill import check_reach, list_parts
from gigawatt.study.net.check import Check, check_flows
from gigawatt.study.net.explained import trees
from gigawatt.study.net.groups import groups_of
from gigawatt.study.net.points import points
from gigawatt.study.net.question import MOE, Question, refuse_too_many
from gigawatt.study.net.sites import Across, across_tables
from gigawatt.study.net.tables import assumed_table, compare_table, rows_table
from gigawatt.study.net.wiring import Wired, wire
from gigawatt.study.result import RunResult

Say = Callable[[str], None]


def answer(
    question: Question | None,
    catalog: Catalog | None = None,
    *,
    wired: Sequence[Wired] | None = None,
    check: Check | None = None,
    parts: bool = False,
    across: Across | None = None,
    say: Say = lambda _: None,
) -> RunResult:
    """Answer a question about a network.

    Args:
        question: collectives on networks; None asks about sites alone.
        catalog: where platforms and fabrics are.
        wired: the networks, those of the question's names where None.
        check: also flow by flow.
        parts: also what the networks are made of.
        across: training over sites.
        say: told what is being worked on.

    Raises:
        InputError: unknown names, facts that are missing, contradictions: all of them.
        Infeasible: more chips than a fabric's tiers reach; says what would.
    """
    cat = catalog or Catalog.load()
    tables: dict[str, Table] = {}
    texts: dict[str, list[str]] = {"answer": [], "notes": []}
    manifest: dict[str, Any] = {"question": "network"}
    name, title = "net-sites", "Training over sites"
    if question is not None:
        wired = wire(question, cat) if wired is None else wired
        refuse_too_many(question, len(wired))
        groups, defaults = groups_of(question, wired)
        check_reach(wired, groups)
        say("collectives")
        found = points(
            [w.fabric for w in wired],
            question.collectives,
            question.nbytes,
            groups,
            algorithms=question.algorithms,
            experts=question.experts,
        )
        rows = rows_table(found, wired, question)
        if not len(rows):
            names = ", ".join(question.algorithms)
            said = f"{names} does not apply to {', '.join(question.collectives)} here"
            raise InputError(Problem("does_not_apply", said, None, ("--algorithm auto takes the fastest that does",)))
        tables["rows"] = rows
        compared = compare_table(rows, question)
        if compared is not None:
            tables["compare"] = compared
        if check is not None:
            say("flow by flow")
            checked = check_flows(wired, groups, question, check)
            tables["flows"] = checked.flows
            if checked.jobs is not None:
                tables["jobs"] = checked.jobs
            if checked.cut:
                manifest["cut"] = checked.cut
        if parts:
            say("parts")
            listed = list_parts(wired, groups, cat)
            tables |= {t.name: t for t in (listed.totals, listed.parts) if len(t)}
            texts["notes"] += [f"The design of {n}'s network is not published: no parts list." for n in listed.untold]
        tables["assumed"] = assumed_table(wired, question, found, defaults)
        texts["answer"] += sentences(tables, manifest)
        manifest["accelerators"] = {w.label: w.chip.name for w in wired}
        name = f"net-{question.collectives[0]}-{question.on[0]}"
        kinds = ", ".join(words_of_kind(kind) for kind in question.collectives)
        title = f"{kinds[:1].upper()}{kinds[1:]} on {', '.join(w.label for w in wired)}"
    if across is not None:
        say("over sites")
        over, step = across_tables(across)
        tables |= {"across": over, "across_step": step}
        texts["answer"] += _over_sites(over, step)
    if question is None:
        tables = {"rows": Table.from_rows("rows", [], ("collective",)), **tables}
    headline = texts["answer"][0]
    row = _headline_row(tables)
    metrics = _metrics(row)
    if question is not None and wired and row is not None:
        of = next(w for w in wired if w.label == row["network"])
        manifest |= kept(trees(row, question, of, cat, metrics), cat, None)
    return RunResult(name, title, headline, tables, metrics, texts, manifest)


def sentences(tables: dict[str, Table], manifest: dict[str, Any]) -> list[str]:
    """What the tables say, in a few lines."""
    rows = list(tables["rows"].rows())
    out = []
    last = [row for row in rows if row["network"] == rows[0]["network"] and row["algorithm"] == rows[0]["algorithm"]]
    for kind in dict.fromkeys(row["collective"] for row in rows):
        row = max((r for r in last if r["collective"] == kind), key=lambda r: (r["n"], r["nbytes"]), default=None)
        if row is not None:
            out.append(_point(row))
    compared = tables.get("compare")
    if compared is not None:
        out += [_fastest(row) for row in compared.rows()][:6]
    if manifest.get("cut"):
        out.append(f"Cut off by the failures: {manifest['cut']}.")
    return out[:12]


def words_of_kind(kind: str) -> str:
    """A collective as people say it.

    >>> words_of_kind("all_reduce"), words_of_kind("moe_dispatch")
    ('all-reduce', 'MoE dispatch')
    """
    return kind.replace("moe_", "MoE ").replace("_", "-")


def _point(row: dict[str, Any]) -> str:
    kind = words_of_kind(row["collective"])
    where = "in one scale-up domain" if row["domains"] == 1 else f"over {row['domains']:,} scale-up domains"
    time, low, high = (_micros(row[name]) for name in ("time_us", "low", "high"))
    rate = f", {row['busbw_gb_per_s']:,.4g} GB/s of bus bandwidth" if row["collective"] not in MOE else ""
    return (
        f"{kind} of {row['size']} among {row['n']:,} chips of {row['network']}, {where}: {time} [{low} to {high}]{rate}; "
        f"{row['bound']}."
    )


def _micros(micros: float) -> str:
    if micros >= 1e6:
        return f"{micros / 1e6:.3g} s"
    return f"{micros / 1e3:.3g} ms" if micros >= 1e3 else f"{micros:.3g} us"


def _fastest(row: dict[str, Any]) -> str:
    sizes = row["from_size"] if row["from_size"] == row["to_size"] else f"{row['from_size']} to {row['to_size']}"
    sure = "" if row["clear"] else ", within the ranges"
    kind = words_of_kind(row["collective"])
    times = f"{row['over_next']:.3g} times as fast as {row['next']}{sure}"
    return f"{kind} of {sizes} among {row['n']:,}: {row['fastest']}, {times}."


def _over_sites(over: Table, step: Table) -> list[str]:
    out = []
    for row in over.rows():
        every = "every step" if row["sync_every"] == 1 else f"every {row['sync_every']} steps"
        link = f"{row['need_90']:,.3g} Gb/s" if row["need_90"] < float("inf") else "no link"
        need = f"{link} would keep it 90 % busy"
        out.append(f"Exchanging {every}: {100 * row['utilisation']:.3g} % busy on this link; {need}.")
    (one,) = step.rows()
    out.append(
        f"A synchronous exchange takes {one['transfer_s'] + one['latency_s']:.3g} s as {one['algorithm']}; {one['bound']}."
    )
    return out


def _headline_row(tables: dict[str, Table]) -> dict[str, Any] | None:
    """The first network's largest point of the first collective; None where sites alone were asked about."""
    rows = list(tables["rows"].rows())
    first = [row for row in rows if (row["network"], row["collective"]) == (rows[0]["network"], rows[0]["collective"])]
    return max(first, key=lambda r: (r["n"], r["nbytes"])) if first else None


def _metrics(row: dict[str, Any] | None) -> Table:
    """The headline numbers: time and bus bandwidth of a point."""
    out = []
    if row is not None:
        for name, unit, keys, scale in (
            ("collective_time", "s", ("time_us", "low", "high"), 1e-6),
            ("bus_bandwidth", "byte/s", ("busbw_gb_per_s", "busbw_low", "busbw_high"), 1e9),
        ):
            value, low, high = (row[key] * scale for key in keys)
            of = f"{words_of_kind(row['collective'])} of {row['size']} among {row['n']:,} chips of {row['network']}"
            out.append({"name": name, "value": value, "unit": unit, "low": low, "high": high, "formula": of})
    columns = ("name", "value", "unit", "low", "p50", "high", "formula", "inputs")
    return Table.from_rows("metrics", out, columns)

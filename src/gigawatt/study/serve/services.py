"""What is served beside chat: images, clips, embeddings, speech, agents, batches, control loops, on each platform.

One row a point: units/s a chip and a MW, latency, watts at three boundaries, joules a unit, what binds. Which units, and what
its latency is of, the service says (`physics.serving.services`). Options of a service are words: `steps=4,width=1024`.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core import units
from gigawatt.core.errors import Infeasible, Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.chip import PowerMode
from gigawatt.physics.serving.search.frontier import Rejected
from gigawatt.physics.serving.services import ServiceFrontier, options_of, services_of, usual_service
from gigawatt.physics.serving.services import answer as service_points
from gigawatt.physics.serving.services.answer import PARTS, SERVICES
from gigawatt.physics.workload import from_config
from gigawatt.study.explained.kept import kept
from gigawatt.study.hosts import Assumed, Host, assumed_table
from gigawatt.study.result import RunResult
from gigawatt.study.serve.explained import service_trees
from gigawatt.study.serve.question import Question, seconds
from gigawatt.study.serve.subject import Subject

COLUMNS = (
    "platform", "precision", "mode", "chips", "batch", "latency_ms", "latency_ms_low", "latency_ms_high",
    "units_per_s_per_chip", "low", "high", "units_per_s_per_mw", "units_per_s_per_mw_low",
    "units_per_s_per_mw_high", "chip_w", "it_w_per_chip", "meter_w_per_chip", "pue", "joules_per_unit",
    "joules_per_unit_low", "joules_per_unit_high", "chip_joules_per_unit", "memory_gb", "bound",
)  # fmt: skip
# Which option a limit or a length of the command line is, by service, where a service knows it under another name.
LATENCY = ("latency_s", "task_s", "first_sound_s")
INPUT, OUTPUT = ("tokens", "input_tokens", "text_tokens"), ("output_tokens",)


@dataclass(frozen=True, slots=True)
class Asked:
    """A service by name with its options, each as the service takes it."""

    service: str
    options: Mapping[str, Any]


def asked_service(
    subject: Subject, as_service: str, words: Sequence[str], question: Question, given: Sequence[str], told: Problems
) -> Asked | None:
    """The service that is asked for and its options; None for chat, and where something is told."""
    offered = services_of(subject.arch)
    name = as_service or usual_service(subject.arch)
    named = subject.record.name or subject.id
    if name == "chat":
        if words:
            told.add("contradiction", "--with does nothing for chat", None, f"--as {', '.join(offered)}")
        return None
    if not offered:
        hint = "an image decoder is a companion of an image or video model"
        told.add("no_service", f"{named} serves nothing on its own", None, hint)
        return None
    if name not in offered:
        told.extend(
            [unknown_name(f"service of {named}", name, (*offered, *(() if subject.writes is False else ("chat",))))]
        )
        return None
    options = _of_question(name, question, given, told)
    for word in (part for text in words for part in text.split(",") if part.strip()):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals:
            told.add(
                "bad_option", f"--with {word}: an option is name=value", None, f"options: {', '.join(_words(name))}"
            )
        elif key not in _words(name):
            told.extend([unknown_name(f"option of {name}", key, _words(name))])
        else:
            options[key] = _value(name, key, value, told)
    for option in (option for option in _needed(name) if option not in options):
        options[option] = float(question.input_tokens if option in INPUT else question.output_tokens)
    return Asked(name, {key: value for key, value in options.items() if value is not None})


def _of_question(name: str, question: Question, given: Sequence[str], told: Problems) -> dict[str, Any]:
    """What the question says in the service's own words; what does not apply is told."""
    known = options_of(name)
    out: dict[str, Any] = {}

    def put(option: str, value: Any, *choices: str) -> None:
        choice = next((c for c in choices if c in known), None)
        if choice is None:
            told.add("contradiction", f"--{option.replace('_', '-')} does not apply to {name}")
        else:
            out[choice] = value

    if "isl" in given:
        put("isl", float(question.input_tokens), *INPUT)
    if "osl" in given:
        put("osl", float(question.output_tokens), *OUTPUT)
    if "precision" in given:
        put("precision", question.precisions, "precisions")
    if "engine" in given and question.engines:
        many = "engines" in known
        put("engine", question.engines if many else question.engines[0], "engines" if many else "engine")
    if "maturity" in given:
        put("maturity", question.maturity, "maturity")
    if "slo" in given:
        slo = question.slo
        for words, limit, choices in (
            ("latency", slo.latency_s, LATENCY),
            ("ttft", slo.ttft_p99_s, ("ttft_s", "first_sound_s")),
            ("tpot", slo.tpot_s, ("tpot_s",)),
        ):
            choice = next((c for c in choices if c in known), None)
            if limit < math.inf and choice is None:
                hint = "--slo latency=..." if any(c in known for c in LATENCY) else ""
                told.add("contradiction", f"--slo {words} does not apply to {name}", None, *([hint] if hint else []))
            elif limit < math.inf and choice is not None:
                out[choice] = limit
    for option in (
        "concurrency",
        "mapping",
        "chips",
        "replica_chips",
        "speculation",
        "release",
        "derate",
        "disaggregate",
    ):
        if option in given:
            told.add("contradiction", f"--{option.replace('_', '-')} does not apply to {name}")
    return out


def _kinds(name: str) -> dict[str, tuple[str, Any]]:
    """Option -> (annotation, default) of a service, single fields included."""
    out = {
        p.name: (str(p.annotation), p.default)
        for p in inspect.signature(SERVICES[name]).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if name in PARTS:
        out |= {f.name: (str(f.type), f.default) for f in fields(PARTS[name][2])}
    return out


def _words(name: str) -> tuple[str, ...]:
    """Options that words can say."""
    own = PARTS[name][0] if name in PARTS else ""
    return tuple(key for key in _kinds(name) if key not in (own, "batches", "ladder", "splits", "fabric", "mode"))


def _needed(name: str) -> list[str]:
    signature = inspect.signature(SERVICES[name]).parameters.values()
    return [
        p.name for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
    ]


def _value(name: str, key: str, text: str, told: Problems) -> Any:
    """A value as its option takes it; None with the problem told."""
    kind = _kinds(name)[key][0]
    try:
        if "Architecture" in kind:
            catalog = Catalog.load()
            records = [(part, catalog.find_model(part)) for part in text.split("+")]
            told.extend(unknown_name("model", part, catalog.ids("model")) for part, record in records if record is None)
            return tuple(from_config(record.id, record.config) for _, record in records if record is not None)
        if "bool" in kind:
            return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
        if "Sequence[str]" in kind:
            return tuple(text.split("+"))
        if "str" in kind:
            return text
        if key.endswith("_s") and not key.endswith("per_s"):
            return units.parse(text, "time") if any(c.isalpha() for c in text) else float(text)
        value = units.parse(text, "share") if "%" in text else float(text)
        return int(value) if kind == "int" and value == int(value) else value
    except (ValueError, KeyError):
        hint = (
            "yes or no" if "bool" in kind else "a number" + (", or a time such as '2 s'" if key.endswith("_s") else "")
        )
        told.add("bad_option", f"--with {key}={text}: '{text}' is not what {key} takes", None, hint)
        return None


def service_answer(
    asked: Asked,
    question: Question,
    subject: Subject,
    hosts: Sequence[Host],
    say: Callable[[str], Any],
    catalog: Catalog,
    given: Sequence[str] = (),
) -> RunResult:
    """The operating points of a service on every host; `given` are the options of the question that were stated.

    Raises:
        InputError: what the service refuses.
        Infeasible: nothing meets the limit on any host; says the nearest fix.
    """
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    found: list[ServiceFrontier] = []
    with_mode = "mode" in options_of(asked.service)
    for host in hosts:
        say(host.label)
        if host.refusal is not None:
            refused.append(_refused(host, Rejected(host.refusal[0], 0, host.refusal[1])))
            continue
        fallen: dict[str, dict[str, Any]] = {}
        for mode in host.modes if with_mode else host.modes[:1]:
            made = _points(asked, subject, host, mode if with_mode else None)
            found.append(made)
            rows += point_rows(made, host, mode.name if with_mode else "full")
            for one in made.rejected:
                row = fallen.setdefault(one.reason, _refused(host, one) | {"count": 0})
                row["count"] += one.count
        refused += fallen.values()
    if not rows:
        raise _nothing(asked, subject, hosts, refused)
    wall_s = time.perf_counter() - started
    made_of = _result(asked, question, subject, hosts, found, rows, refused, wall_s)
    chosen_host = next(host for host in hosts if host.label == made_of.manifest["best"]["platform"])
    trees = service_trees(made_of, asked.options, chosen_host, question, catalog, given)
    return replace(made_of, manifest={**made_of.manifest, **kept(trees, catalog, None)})


def _points(asked: Asked, subject: Subject, host: Host, mode: PowerMode | None) -> ServiceFrontier:
    known, more = options_of(asked.service), dict(asked.options)
    if "fabric" in known:
        more.setdefault("fabric", host.fabric)
    if "maturity" in known:
        more.setdefault("maturity", host.speed)
    if mode is not None:
        more["mode"] = mode
    config = subject.record.config if asked.service == "images" else None
    return service_points(subject.arch, host.chip, config=config, as_service=asked.service, **more)


def _refused(host: Host, why: Rejected) -> dict[str, Any]:
    return {"platform": host.label, "reason": why.reason, "count": why.count, "nearest_fix": why.nearest_fix}


def point_rows(made: ServiceFrontier, host: Host, mode: str) -> list[dict[str, Any]]:
    """One row a point of a service."""
    rate, meter, watts = made.units_per_s_per_chip, host.meter_w(made.chip_w), made.chip_w
    columns: dict[str, Any] = {
        "platform": [host.label] * len(made),
        "precision": made.precision,
        "mode": [mode] * len(made),
        "chips": made.chips,
        "batch": made.batch,
        "latency_ms": made.latency_s * 1e3,
        "latency_ms_low": made.latency_s * 1e3 / made.high,
        "latency_ms_high": made.latency_s * 1e3 / made.low,
        "units_per_s_per_chip": rate,
        "low": rate * made.low,
        "high": rate * made.high,
        "units_per_s_per_mw": rate / meter * 1e6,
        "chip_w": watts,
        "it_w_per_chip": host.it_w(watts),
        "meter_w_per_chip": meter,
        "pue": np.full(len(made), host.pue if host.beside_w is not None else np.nan),
        "joules_per_unit": meter / rate,
        "chip_joules_per_unit": watts / rate,
        "memory_gb": made.memory_bytes / 1e9,
        "bound": made.bound,
    }
    for name, inverse in (("units_per_s_per_mw", False), ("joules_per_unit", True)):
        ends = (1 / made.high, 1 / made.low) if inverse else (made.low, made.high)
        columns |= {f"{name}_low": columns[name] * ends[0], f"{name}_high": columns[name] * ends[1]}
    details = {name: list(values) for name, values in made.details.items() if name not in columns}
    table = Table("points", {name: list(columns[name]) for name in COLUMNS} | details)
    return list(table.rows())


def _nothing(asked: Asked, subject: Subject, hosts: Sequence[Host], refused: Sequence[dict[str, Any]]) -> Infeasible:
    lines = [
        f"{row['platform']}: {row['reason']} ({row['count']:,} candidates); {row['nearest_fix']}" for row in refused
    ]
    names = ", ".join(host.label for host in hosts)
    return Infeasible(f"{asked.service} of {subject.id} meets no limit on {names}", list(dict.fromkeys(lines)))


def _result(
    asked: Asked,
    question: Question,
    subject: Subject,
    hosts: Sequence[Host],
    found: Sequence[ServiceFrontier],
    rows: list[dict[str, Any]],
    refused: Sequence[dict[str, Any]],
    wall_s: float,
) -> RunResult:
    unit = found[0].unit
    column = "units_per_s_per_mw" if question.objective == "mw" else "units_per_s_per_chip"
    names = list(dict.fromkeys(row["platform"] for row in rows))
    best = [max((r for r in rows if r["platform"] == name), key=lambda r: r[column] or 0.0) for name in names]
    best.sort(key=lambda row: -(row[column] or 0.0))
    fronts = [row for name in names for row in _front([r for r in rows if r["platform"] == name], question.pareto)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = {f"{stem}{end}": u for stem, u in _units(unit).items() for end in ("", "_low", "_high")}
    shown |= {"low": f"{unit}/s", "high": f"{unit}/s"}
    named = subject.record.name or subject.id
    notes = list(dict.fromkeys(note for one in found for note in (*one.notes, one.band) if note))
    given = [Assumed(key, str(value), "as asked") for key, value in asked.options.items() if key not in ("companions",)]
    note = f"Units are {unit}s; low and high hold 80 %. MW and J are at the meter, rack input and chip apart."
    tables = {
        "points_best": Table.from_rows("points_best", best, columns, shown, "The best of each platform", note),
        "pareto": Table.from_rows("pareto", fronts, columns, shown, "Latency against rate", note),
        "rejected": Table.from_rows(
            "rejected",
            list(refused),
            ("platform", "reason", "count", "nearest_fix"),
            {},
            "What fell out, and the nearest fix",
        ),
        "assumed": assumed_table(question.facility, hosts, given),
    }
    what = f"{asked.service[:1].upper()}{asked.service[1:]}"
    lines = [f"{what} with {named} on {row['platform']}: {_said(row, unit)}" for row in best]
    manifest = {
        "question": "service",
        "service": asked.service,
        "unit": unit,
        "model": subject.id,
        "best": best[0],
        "candidates": sum(one.candidates for one in found),
        "search_s": wall_s,
    }
    title = f"{what} with {named} on {', '.join(host.label for host in hosts)}"
    name = f"serve-{subject.id}-{asked.service}-{hosts[0].label}"
    return RunResult(
        name, title, lines[0], tables, _metrics(best[0], unit), {"answer": lines, "notes": notes}, manifest
    )


def _front(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Points that none beats in latency and rate, by rising latency."""
    out: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: (r["latency_ms"], -r["units_per_s_per_chip"])):
        if not out or row["units_per_s_per_chip"] > out[-1]["units_per_s_per_chip"] * (1 + 1e-9):
            out.append(row)
    if len(out) <= most:
        return out
    steps = {round(at * (len(out) - 1) / max(most - 1, 1)) for at in range(most)}
    return [row for at, row in enumerate(out) if at in steps]


def _units(unit: str) -> dict[str, str]:
    return {
        "latency_ms": "ms", "units_per_s_per_chip": f"{unit}/s", "units_per_s_per_mw": f"{unit}/s/MW", "chip_w": "W",
        "it_w_per_chip": "W", "meter_w_per_chip": "W", "joules_per_unit": f"J/{unit}", "chip_joules_per_unit": f"J/{unit}",
        "memory_gb": "GB",
    }  # fmt: skip


def _said(row: dict[str, Any], unit: str) -> str:
    chips = f"{row['chips']:.0f} chip{'s' if row['chips'] > 1 else ''}"
    power = "" if row["joules_per_unit"] is None else f", {_number(row['joules_per_unit'])} J each at the meter"
    low, high = _number(row["low"]), _number(row["high"])
    rate = f"{_number(row['units_per_s_per_chip'])} {unit}s/s a chip [{low} to {high}]"
    return (
        f"a batch of {_number(row['batch'])} in {row['precision']} on {chips}: {rate}{power}; "
        f"{seconds(row['latency_ms'] / 1e3)}; bound by {row['bound']}."
    )


def _number(value: float) -> str:
    """Three digits, never in powers of ten.

    >>> _number(28912.3), _number(0.0382)
    ('28,912', '0.0382')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _metrics(row: dict[str, Any], unit: str) -> Table:
    kinds = (
        ("rate_per_chip", f"{unit}/s", "units_per_s_per_chip", "low", "high", 1.0),
        ("latency", "s", "latency_ms", "latency_ms_low", "latency_ms_high", 1e-3),
        ("energy_per_unit", "J", "joules_per_unit", "joules_per_unit_low", "joules_per_unit_high", 1.0),
    )
    rows = [
        {"name": n, "value": row[v] * f, "unit": u, "low": row[lo] * f, "high": row[hi] * f, "formula": row["platform"]}
        for n, u, v, lo, hi, f in kinds
        if row[v] is not None
    ]
    return Table.from_rows("metrics", rows, ("name", "value", "unit", "low", "p50", "high", "formula", "inputs"))

"""The parts of a report on serving in reading order, for the page and for the terminal, and tables made shorter for reading."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.numbers import canonical, number, scaled
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

LABELS = {
    "chips_per_replica": "chips",
    "users": "at once",
    "interactivity": "a user",
    "ttft_mean_ms": "mean TTFT",
    "ttft_p99_ms": "p99 TTFT",
    "tpot_ms": "TPOT",
    "tokens_out_per_s_per_chip": "output a chip",
    "tokens_in_per_s_per_chip": "input a chip",
    "tokens_out_per_s_per_mw": "output a MW",
    "tokens_in_per_s_per_mw": "input a MW",
    "tokens_out_per_s_per_it_mw": "output an IT MW",
    "chip_w": "chip",
    "it_w_per_chip": "rack input",
    "meter_w_per_chip": "meter",
    "joules_per_token": "output token",
    "kv_share": "KV full",
    "meets_slo": "in SLO",
    "nearest_fix": "nearest fix",
    "prefill_chips": "of them prefill",
    "ttft_ms": "TTFT",
    "request_ms": "a request",
    "measured_ms": "measured",
    "mean_share": "mean",
    "p50_share": "p50",
    "p99_share": "p99",
    "sigma_share": "sigma",
    "prior_share": "before the log",
}
POINT = (
    "platform", "mapping", "precision", "engine", "mode", "chips_per_replica", "users", "ttft_mean_ms", "ttft_p99_ms",
    "tpot_ms", "interactivity", "tokens_in_per_s_per_chip", "tokens_out_per_s_per_chip", "tokens_out_per_s_per_mw", "chip_w",
    "it_w_per_chip", "meter_w_per_chip", "joules_per_token", "kv_share", "bound", "meets_slo",
)  # fmt: skip
ENGINES = {"trtllm": "TRT-LLM", "vllm": "vLLM", "sglang": "SGLang"}


def short_mapping(name: str) -> str:
    """A layout in few words.

    >>> short_mapping("tp2-ep2 prefill + dp32-ep32 decode"), short_mapping("tp8")
    ('tp2-ep2 + dp32-ep32', 'tp8')
    """
    return name.replace(" prefill + ", " + ").removesuffix(" decode")


def banded(result: RunResult, name: str, columns: tuple[str, ...]) -> Table:
    """Points with the ends of each band beside its value; what is the same in all rows is left out."""
    table = result.tables[name]
    rows = rows_of(result, name)
    for row in rows:
        row["tokens_out_per_s_per_chip_low"], row["tokens_out_per_s_per_chip_high"] = row["low"], row["high"]
        row["engine"] = ENGINES.get(row["engine"], row["engine"])
        row["mapping"] = short_mapping(row["mapping"])
        row["meets_slo"] = "yes" if row["meets_slo"] else "no"
    kept: list[str] = []
    for column in columns:
        same = column in ("platform", "precision", "engine", "mode") and len({row[column] for row in rows}) == 1
        if len(rows) > 1 and same:
            continue
        kept.append(column)
        kept += [f"{column}_{end}" for end in ("low", "high") if rows and f"{column}_{end}" in rows[0]]
    units = dict(table.units)
    units |= {f"tokens_out_per_s_per_chip_{end}": "token/s/chip" for end in ("low", "high")}
    return Table.from_rows(name, rows, kept, units, table.title, table.note)


# What is told of each best point: column, its unit, words.
SIDES: tuple[tuple[str, str, str], ...] = (
    ("mapping", "", "layout"),
    ("precision", "", "precision"),
    ("engine", "", "engine"),
    ("mode", "", "power mode"),
    ("replicas", "", "replicas"),
    ("users", "", "requests at once"),
    ("load_share", "share", "load"),
    ("most_requests_per_s", "1/s", "most within the SLO"),
    ("interactivity", "token/s", "output a user"),
    ("ttft_mean_ms", "ms", "TTFT, mean"),
    ("ttft_p99_ms", "ms", "TTFT, p99"),
    ("tpot_ms", "ms", "TPOT"),
    ("tokens_in_per_s_per_chip", "token/s", "input a chip"),
    ("tokens_out_per_s_per_chip", "token/s", "output a chip"),
    ("tokens_out_per_s_per_mw", "token/s", "output a meter MW"),
    ("tokens_out_per_s_per_it_mw", "token/s", "output an IT MW"),
    ("chip_w", "W", "chip power"),
    ("it_w_per_chip", "W", "rack input a chip"),
    ("meter_w_per_chip", "W", "meter a chip"),
    ("joules_per_token", "J", "output token, meter"),
    ("kv_share", "share", "KV cache in use"),
    ("bound", "", "bound by"),
)


def side_by_side(result: RunResult, most: int = 3) -> Table:
    """The best points as columns, a row a quantity with its unit and its 80 % range; at most `most` platforms."""
    rows = rows_of(result, "platforms")[:most]
    out = []
    for column, unit, words in SIDES:
        values = [row[column] for row in rows]
        if all(value is None for value in values) or (column == "replicas" and max(values) <= 1):
            continue
        if column == "most_requests_per_s" and all(row["load_share"] is None for row in rows):
            continue
        made: dict[str, Any] = {"what": words}
        if unit:
            factor, shown = scaled(canonical(unit), max(abs(value) for value in values if value is not None))
            made["what"] = f"{words} [{shown}]"
            low, high = (
                ("low", "high") if column == "tokens_out_per_s_per_chip" else (f"{column}_low", f"{column}_high")
            )
            for row in rows:
                made[row["platform"]] = _with_range([row.get(name) for name in (column, low, high)], factor)
        else:
            for row in rows:
                value = short_mapping(row[column]) if column == "mapping" else ENGINES.get(row[column], row[column])
                made[row["platform"]] = number(round(value)) if isinstance(value, float) else str(value)
        out.append(made)
    table = result.tables["platforms"]
    return Table.from_rows("best", out, ("what", *(row["platform"] for row in rows)), {}, table.title, table.note)


def _with_range(values: list[Any], factor: float) -> str:
    value, low, high = values
    if value is None:
        return ""
    ends = f" ({number(low * factor)}-{number(high * factor)})" if low is not None and high is not None else ""
    return f"{number(value * factor)}{ends}"


def few_of_front(result: RunResult, most: int = 15) -> Table:
    """The front of the terminal: of several platforms as many points each as leave `most` in all, ends kept."""
    table = shown_front(result)
    rows = list(table.rows())
    names = [row["platform"] for row in rows_of(result, "pareto")]
    each = max(most // max(len(set(names)), 1), 3)
    kept = []
    for name in dict.fromkeys(names):
        mine = [row for row, of in zip(rows, names, strict=True) if of == name]
        steps = {round(at * (len(mine) - 1) / (each - 1)) for at in range(each)}
        kept += [row for at, row in enumerate(mine) if at in steps]
    return Table.from_rows(table.name, kept, list(table.columns), table.units, table.title, table.note)


def shown_front(result: RunResult) -> Table:
    """The front; bands are in the chart and in the run folder."""
    made = banded(result, "pareto", POINT)
    kept = {name: values for name, values in made.columns.items() if not name.endswith(("_low", "_high"))}
    return Table(made.name, kept, made.units, made.title, made.note)


def shown_assumed(result: RunResult) -> Table:
    """What was assumed, a line a thing: its value where all platforms have the same, else each platform's."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(result, "assumed"):
        found.setdefault(row["what"], []).append(row)
    out = []
    for what, rows in found.items():
        values = dict.fromkeys(row["value"] for row in rows)
        each = len(values) > 1
        value = "; ".join(f"{row['platform']}: {row['value']}" for row in rows) if each else rows[0]["value"]
        why = rows[0]["why"].replace(rows[0]["platform"], "the platform") if each else rows[0]["why"]
        out.append({"what": what, "value": value, "why": why})
    return Table.from_rows("assumed", out, ("what", "value", "why"))


def shown_measured(result: RunResult) -> Table:
    """Measured points, without what a chart's hover says."""
    table = result.tables["measured"]
    kept = [name for name in table.columns if name not in ("source", "interactivity", "pools")]
    columns = {name: table.columns[name] for name in kept}
    columns["mapping"] = [short_mapping(name) for name in columns["mapping"]]
    return Table(table.name, columns, table.units, table.title, table.note)


SERVICE_LABELS = {
    "latency_ms": "latency",
    "units_per_s_per_chip": "a chip",
    "units_per_s_per_mw": "a MW",
    "chip_w": "chip",
    "it_w_per_chip": "rack input",
    "meter_w_per_chip": "meter",
    "joules_per_unit": "each, meter",
    "chip_joules_per_unit": "each, chip",
    "memory_gb": "memory",
    "nearest_fix": "nearest fix",
}
SERVICE_POINT = (
    "platform", "precision", "mode", "chips", "batch", "latency_ms", "units_per_s_per_chip", "units_per_s_per_mw",
    "joules_per_unit", "chip_w", "meter_w_per_chip", "memory_gb", "bound",
)  # fmt: skip


def service_points(result: RunResult, name: str) -> Table:
    """Points of a service with the ends of each band beside its value; the service's own columns at the end."""
    table = result.tables[name]
    rows = rows_of(result, name)
    for row in rows:
        row["units_per_s_per_chip_low"], row["units_per_s_per_chip_high"] = row["low"], row["high"]
    kept: list[str] = []
    for column in SERVICE_POINT:
        told = column in ("platform", "precision", "mode", "chips") and len(rows) > 1
        if told and len({row[column] for row in rows}) == 1:
            continue
        kept.append(column)
        kept += [f"{column}_{end}" for end in ("low", "high") if rows and f"{column}_{end}" in rows[0]]
    units = dict(table.units)
    units |= {f"units_per_s_per_chip_{end}": units["units_per_s_per_chip"] for end in ("low", "high")}
    return Table.from_rows(name, rows, kept, units, table.title, table.note)


def service_best(result: RunResult) -> Table:
    """The best of each platform."""
    return service_points(result, "points_best")


def service_front(result: RunResult) -> Table:
    """The front of each platform, without its bands."""
    made = service_points(result, "pareto")
    kept = {name: values for name, values in made.columns.items() if not name.endswith(("_low", "_high"))}
    return Table(made.name, kept, made.units, made.title, made.note)


SERVICE: tuple[Section, ...] = (
    Section("points_best", "The best of each platform", labels=SERVICE_LABELS, shows=service_best),
    Section("pareto", "Latency against rate", labels=SERVICE_LABELS, shows=service_front),
    Section("rejected", "What fell out, and the nearest fix", labels=SERVICE_LABELS),
    Section("metrics", "Headline numbers", columns=("name", "value", "unit", "low", "high", "formula")),
    Section("assumed", "Assumed for you", shows=shown_assumed),
)

SERVE: tuple[Section, ...] = (
    Section("anchor", "One measured point"),
    Section("calibration", "Factors on the step's terms"),
    Section("calibration_errors", "How wrong it still is"),
    Section("limits", "Limits of the engine"),
    Section("trace", "The trace"),
    Section(
        "simulated",
        "The trace, simulated",
        "Share of requests that are faster; shaded: 80 % range. Near saturation a high percentile is its range, and no point.",
        labels=LABELS,
        charts=("simulated_tpot",),
    ),
    Section("platforms", "The best within the SLO", labels=LABELS, shows=lambda result: side_by_side(result, 6)),
    Section(
        "pareto",
        "Interactivity against throughput",
        "Shaded: 80 % range. Full dots meet the SLO, empty ones only its TTFT; crosses were measured on the same chip.",
        labels=LABELS,
        shows=shown_front,
        charts=("pareto_mw", "spent", "room"),
        folded=("pareto_mw",),
        fold_words="The front of a MW",
    ),
    Section("measured", "Measured points", labels=LABELS, shows=shown_measured),
    Section("rejected", "What fell out, and the nearest fix", labels=LABELS),
    Section("metrics", "Headline numbers", columns=("name", "value", "unit", "low", "high", "formula")),
    Section("assumed", "Assumed for you", shows=shown_assumed),
)

"""An analysis of risk as tables: metrics with their bands, causes, promises, how still it holds, the draws themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.study.risk.analyse import Found
from gigawatt.study.risk.model import Asked, Metric, Model, Promise

BINS = 48
KEPT = 65_536  # draws that a run folder keeps, single precision: about 150 bytes a draw packed
MOST_INPUTS = 40  # of which the draws keep the values: those that move the metric most
NPV = "_npv"
METRICS = ("name", "value", "unit", "low", "p50", "high", "p10", "p90", "mean", "p10_error", "p50_error", "p90_error",
           "below_zero", "below_zero_low", "below_zero_high", "shortfall_5", "shortfall_10", "without", "held", "formula",
           "inputs")  # fmt: skip


def metrics_table(model: Model, asked: Asked, found: Found, more: Sequence[tuple[Metric, str]] = ()) -> Table:
    """The metric asked for first, then all others; what no draw moves has no band.

    `more`: further metrics that were drawn besides (the fleet chosen anew), with what a draw leaves as it is.
    """
    listed = [(one, model.held) for one in model.metrics] + list(more)
    listed.sort(key=lambda pair: pair[0].name != asked.metric)
    return Table.from_rows(
        "metrics", [_metric_row(one, held, found) for one, held in listed], METRICS,
        {"below_zero": "share", "below_zero_low": "share", "below_zero_high": "share", "without": "share"}, "How sure",
        "As it stands: the plan before anything is drawn. P10, P50, P90: a tenth, half, nine tenths of the draws lie below. "
        "Mean of the worst: of the lowest 5 and 10 % of the draws. Standard errors are in the folder's metrics.",
    )  # fmt: skip


def _metric_row(one: Metric, held: str, found: Found) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": one.name,
        "value": one.value,
        "unit": one.unit,
        "formula": one.formula,
        "inputs": one.inputs,
    }
    spread = found.spreads.get(one.name)
    if spread is None or np.isnan(spread.p50):
        return row
    low = {
        "low": spread.p10,
        "p50": spread.p50,
        "high": spread.p90,
        "p10": spread.p10,
        "p90": spread.p90,
        "mean": spread.mean,
    }
    errors = dict(zip(("p10_error", "p50_error", "p90_error"), map(float, spread.errors), strict=True))
    row |= low | errors | {"without": spread.without, "held": held}
    row |= {"shortfall_5": spread.shortfall_5, "shortfall_10": spread.shortfall_10}
    if spread.below_zero is not None and (one.name.endswith(NPV) or spread.below_zero.count):
        share = spread.below_zero
        row |= {"below_zero": share.share, "below_zero_low": share.low, "below_zero_high": share.high}
    return row


def sensitivity_table(model: Model, asked: Asked, found: Found) -> Table:
    """One row an input that moves the metric, the widest bar first."""
    rows = []
    inputs = model.inputs
    unit = next(one.unit for one in model.metrics if one.name == asked.metric)
    for cause in found.causes:
        one = inputs[cause.at]
        low, high = (float(one.law.quantile(u)) * one.times for u in (0.1, 0.9))
        rows.append(
            {"input": one.name, "words": one.words, "kind": one.kind, "at_p10": low, "at_p90": high, "input_unit": one.unit,
             "metric_at_p10": cause.low, "metric_at_p90": cause.high, "swing": cause.swing, "first": cause.first,
             "first_error": cause.first_error, "total": cause.total, "total_error": cause.total_error,
             "shapley": cause.shapley, "shapley_error": cause.shapley_error, "narrower_if_known": cause.known,
             "source": one.source}
        )  # fmt: skip
    columns = ["input", "words", "kind", "at_p10", "at_p90", "input_unit", "metric_at_p10", "metric_at_p90", "swing", "first",
               "first_error", "total", "total_error", "shapley", "shapley_error", "narrower_if_known", "source"]  # fmt: skip
    units = dict.fromkeys(("metric_at_p10", "metric_at_p90", "swing"), unit)
    units |= dict.fromkeys(columns[9:16], "share")
    note = (
        f"Of {asked.metric}, {model.held}. Bars move one input from its P10 to its P90, all others at their medians. First and "
        "total are Sobol' indices (shares of the variance, alone and with all it acts with); where inputs are correlated "
        "Shapley effects stand in their place, which sum to 1; narrower: what P10 to P90 would lose were the input known to be "
        "its median."
    )
    return Table.from_rows("sensitivity", rows, columns, units, "What matters", note)


def covenants_table(model: Model, promises: Sequence[Promise], found: Found) -> Table | None:
    """How often each promise is broken."""
    if not promises:
        return None
    units = {one.name: one.unit for one in model.metrics}
    values = {one.name: one.value for one in model.metrics}
    rows = []
    for promise, share in zip(promises, found.broken, strict=True):
        spread = found.spreads[promise.metric]
        rows.append(
            {"covenant": promise.id, "metric": promise.metric, "bound": "at least" if promise.at_least else "at most",
             "level": promise.level, "unit": units.get(promise.metric, ""), "value": values.get(promise.metric),
             "p10": spread.p10, "p50": spread.p50, "p90": spread.p90,
             "probability": share.share, "low": share.low, "high": share.high, "draws_broken": share.count}
        )  # fmt: skip
    note = "Probability that a draw breaks it, with a 90 % interval (Wilson); a draw without a value counts as broken."
    columns = list(rows[0])
    return Table.from_rows(
        "covenants", rows, columns, dict.fromkeys(("probability", "low", "high"), "share"), "Covenants", note
    )


def convergence_table(asked: Asked, found: Found, unit: str) -> Table | None:
    """Percentiles of the metric as draws are added."""
    if found.path is None:
        return None
    rows = []
    for n, values, errors in zip(found.path.count, found.path.percentiles, found.path.errors, strict=True):
        row: dict[str, Any] = {"draws": int(n)}
        for name, value, error in zip(("p10", "p50", "p90"), values, errors, strict=True):
            row |= {name: float(value), f"{name}_error": float(error)}
        rows.append(row)
    columns = ["draws", "p10", "p10_error", "p50", "p50_error", "p90", "p90_error"]
    note = f"Of {asked.metric}; errors are standard errors from eight stretches of rows."
    return Table.from_rows("convergence", rows, columns, dict.fromkeys(columns[1:], unit), "Does it hold still", note)


def histogram_table(asked: Asked, found: Found, unit: str) -> Table:
    """The metric's draws in bins, from the least to the largest 0.2 % in between; the ends hold all beyond them."""
    values = found.drawn[asked.metric]
    kept = values[np.isfinite(values)]
    low, high = np.quantile(kept, [0.002, 0.998]) if len(kept) else (0.0, 0.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(np.clip(kept, low, high), edges)
    share = counts / max(len(values), 1)
    columns = {
        "from": edges[:-1].tolist(),
        "to": edges[1:].tolist(),
        "share": share.tolist(),
        "below": np.cumsum(share).tolist(),
    }
    units = {"from": unit, "to": unit, "share": "share", "below": "share"}
    return Table(
        "histogram",
        columns,
        units,
        f"{asked.metric} over the draws",
        "The first and the last bin hold what lies beyond.",
    )


def draws_table(model: Model, asked: Asked, found: Found) -> Table:
    """Each draw: what the inputs that matter were, and every metric; single precision."""
    rows = min(asked.samples, KEPT)
    inputs = model.inputs
    kept = [cause.at for cause in found.causes[:MOST_INPUTS]]
    drawn = model.sampler.columns(found.normal[:rows])
    columns: dict[str, Any] = {"draw": np.arange(rows, dtype=np.int32)}
    units: dict[str, str] = {}
    for at in kept:
        columns[inputs[at].name] = np.asarray(drawn[inputs[at].name] * inputs[at].times, dtype=np.float32)
        units[inputs[at].name] = "" if inputs[at].unit == "x" else inputs[at].unit
    for name, unit in _told(model):
        if name in found.drawn:
            columns[name] = found.drawn[name][:rows].astype(np.float32)
            units[name] = unit
    more = "" if rows == asked.samples else f" of {asked.samples:,}"
    return Table("draws", columns, units, "Draws", f"The first {rows:,} draws{more}, single precision; {model.held}.")


def _told(model: Model) -> Iterator[tuple[str, str]]:
    yield from ((one.name, one.unit) for one in model.metrics)

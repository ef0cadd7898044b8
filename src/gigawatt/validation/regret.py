"""Regret: what a user loses who trusts the prediction.

Among the measured configurations of one model on one system at one shape take the one that the prediction
would pick under an SLO:

    regret = 1 - measured throughput of the pick / best measured throughput of those that keep the SLO

A pick that breaks the SLO by more than 10 % as measured loses all. Serving: aggregated rows, TPOT SLOs of 10, 20, 30, 50 ms,
output throughput per chip; training: tokens per second per chip, no SLO. Groups of four configurations or more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gigawatt.validation.base import Prediction
from gigawatt.validation.serving_points import layout_of, source_field
from gigawatt.validation.serving_points import number as stated

SLOS_MS = (10.0, 20.0, 30.0, 50.0)
BREACH = 1.10
SMALLEST = 4
QUANTILE_80 = 1.2816  # standard deviations on either side of a normal variable that hold 80 %
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Row = Mapping[str, str]
Values = Mapping[tuple[str, str], float | None]


def regret(
    rows: Sequence[Row], predictions: Sequence[Prediction], measured: Values, kind: str
) -> dict[str, float | int | None]:
    """Median and 90th percentile of regret over groups (and SLOs): keys regret_median, regret_p90, groups.

    Of serving also regret_point_median and regret_point_p90, of who sees the predictions without their bands.
    """
    made: Values = {(p.id, p.metric): p.predicted for p in predictions}
    if kind != "serving":
        losses = _training(rows, made, measured)
        return {**_summed("regret", losses), "groups": len(losses)}
    losses, bare = _serving(rows, predictions, made, measured)
    return {**_summed("regret", losses), **_summed("regret_point", bare), "groups": len(losses)}


def _summed(name: str, losses: Sequence[float]) -> dict[str, float | int | None]:
    return {
        f"{name}_median": float(np.median(losses)) if losses else None,
        f"{name}_p90": float(np.quantile(losses, 0.9)) if losses else None,
    }


def _grouped(rows: Sequence[Row], key: Callable[[Row], Any]) -> list[list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [members for members in groups.values() if len(members) >= SMALLEST]


def pick_loss(worth: Floats, measured: Floats, keeps: Mask, broke: Mask) -> float | None:
    """Regret of the configuration of most `worth`; `keeps` and `broke` (by over a tenth) the SLO as measured.

    None where no configuration keeps the SLO: there is nothing to lose.
    """
    if not keeps.any():
        return None
    pick = int(np.argmax(worth))
    return 1.0 if broke[pick] else float(max(0.0, 1.0 - measured[pick] / measured[keeps].max()))


def chance(times_ms: Floats, sigma: Floats, slo_ms: float) -> Floats:
    """Probability that a time is within the SLO and its tolerance, its logarithm being normal around the prediction."""
    found: Floats = ndtr(np.log(slo_ms * BREACH / times_ms) / sigma)
    return found


def throughput(row: Row, ttft_ms: float, tpot_ms: float) -> float:
    """Output tokens/s per chip of a closed loop: C / (TTFT / output + TPOT) / chips."""
    gpus, dp, _ = layout_of(row)
    users = float(source_field(row, "silicon_concurrency") or 0) or stated(row, "batch_size", 1.0) * dp
    output = max(stated(row, "osl", 1024.0), 1.0)
    return users / ((ttft_ms / output + tpot_ms) * 1e-3) / max(gpus, 1)


def _serving(
    rows: Sequence[Row], predictions: Sequence[Prediction], made: Values, measured: Values
) -> tuple[list[float], list[float]]:
    """Losses of two picks: of most throughput times the chance of keeping the SLO, which the prediction's own band gives,

    and of most throughput among those that are predicted to keep it (the fastest where none is).
    """
    sigma = {
        p.id: float(np.log(p.high / p.low)) / 2.0 / QUANTILE_80
        for p in predictions
        if p.metric == "tpot_ms" and p.low and p.high
    }
    names = ("ttft_ms", "tpot_ms")
    whole = [r for r in rows if r.get("mode") == "agg" and all(_known(r, made, measured, m) for m in names)]
    losses: list[float] = []
    bare: list[float] = []
    for members in _grouped(whole, lambda r: (r["model_path"], r["system"], r["isl"], r["osl"])):
        guess, truth = _times(members, made), _times(members, measured)
        rates = np.array([throughput(r, *t) for r, t in zip(members, guess, strict=True)])
        best = np.array([throughput(r, *t) for r, t in zip(members, truth, strict=True)])
        spread = np.array([sigma.get(r["id"], 0.2) for r in members])
        tpot, real = (np.array([t[1] for t in times]) for times in (guess, truth))
        for slo in SLOS_MS:
            for found, worth in (
                (losses, rates * chance(tpot, spread, slo)),
                (bare, np.where(tpot <= slo, rates, -tpot)),
            ):
                loss = pick_loss(worth, best, real <= slo, real > slo * BREACH)
                if loss is not None:
                    found.append(loss)
    return losses, bare


def _known(row: Row, made: Values, measured: Values, metric: str) -> bool:
    return made.get((row["id"], metric)) is not None and bool(measured.get((row["id"], metric)))


def _times(members: Sequence[Row], values: Values) -> list[tuple[float, float]]:
    return [(float(values[r["id"], "ttft_ms"] or 0), float(values[r["id"], "tpot_ms"] or 0)) for r in members]


# Rates of work per chip by which training configurations rank; times rank the other way round.
RATES = ("tokens_per_s_per_gpu", "tflops_per_gpu", "mfu")
GROUP = ("model", "gpu", "n_gpus", "seq_len", "global_batch")


def _training(rows: Sequence[Row], made: Values, measured: Values) -> list[float]:
    known = [r for r in rows if _known(r, made, measured, r.get("measured_metric") or "")]
    losses: list[float] = []
    for members in _grouped(known, lambda r: (*(r.get(name) for name in GROUP), r["measured_metric"])):
        metric = members[0]["measured_metric"]
        sign = 1.0 if any(name in metric.lower() for name in RATES) or "per_s" in metric else -1.0
        guess = np.array([float(made[r["id"], metric] or 0) ** sign for r in members])
        truth = np.array([float(measured[r["id"], metric] or 0) ** sign for r in members])
        every = np.ones(len(members), dtype=bool)
        loss = pick_loss(guess, truth, every, ~every)
        if loss is not None:
            losses.append(loss)
    return losses

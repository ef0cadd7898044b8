"""One prediction of one published value, and how a set of them is scored.

Formulas (errors over rows that carry a measured value):

    ape = |predicted / measured - 1| ;  bias = median(predicted / measured - 1)
    coverage80 = share of rows with low <= measured <= high ;  band width = (high - low) / 2 / predicted
    null_mape = error of the median of the measured values of the row's group
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the engine says of one row, before it sees the measured value.

    `predicted` is None where the row was skipped, with its `reason`. `group` names the kin it is scored with,
    `strata` further groups;
    `defaulted` says that blanks of the row were filled in, and `note` with what. `kin` and `unit` serve the null model
    (see `_null`): which rows it takes the median of, and the metric of this row at one unit of work a second; `falls`
    says that the metric is a time.
    """

    id: str
    metric: str
    predicted: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    reason: str = ""
    group: str = ""
    defaulted: bool = False
    strata: tuple[str, ...] = ()
    kin: str = ""
    unit: float = 0.0
    falls: bool = False


def number(text: str | None) -> float | None:
    """A measured value as a float; blank or text is None."""
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _ape(predicted: float, measured: float) -> float:
    if measured == 0:
        return 0.0 if abs(predicted) < 1e-12 else 1.0
    return abs(predicted / measured - 1)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def score(predictions: Iterable[Prediction], measured: Mapping[tuple[str, str], float | None]) -> dict[str, Any]:
    """Rows, errors, bias, coverage, width, null model of a table. Skipped rows are counted, not scored."""
    rows = list(predictions)
    done = [p for p in rows if p.predicted is not None]
    pairs = [(p, measured.get((p.id, p.metric))) for p in done]
    known = [(p, m) for p, m in pairs if m is not None]
    errors = [_ape(_value(p), m) for p, m in known]
    signed = [_value(p) / m - 1 for p, m in known if m]
    banded = [(p, m) for p, m in known if p.low is not None and p.high is not None]
    covered = [p.low <= m <= p.high for p, m in banded if p.low is not None and p.high is not None]
    widths = [
        (p.high - p.low) / 2 / abs(_value(p))
        for p, _ in banded
        if p.low is not None and p.high is not None and _value(p)
    ]
    return {
        "rows": len(rows),
        "predicted": len(done),
        "skipped": len(rows) - len(done),
        "mape": float(np.mean(errors)) if errors else None,
        "median_ape": _median(errors),
        "p90_ape": float(np.quantile(errors, 0.9)) if errors else None,
        "bias": _median(signed),
        "coverage80": float(np.mean(covered)) if covered else None,
        "median_band_width": _median(widths),
        "regret_median": None,
        "regret_p90": None,
        "null_mape": _null(known),
    }


def _value(prediction: Prediction) -> float:
    assert prediction.predicted is not None
    return prediction.predicted


def _null(known: Sequence[tuple[Prediction, float]]) -> float | None:
    """Mean error of the median of a row's kin: what a model must beat.

    The kin is the row's group and metric, and the median that of measured values; where a row gives its `unit`, it is the
    rows of `kin`, whatever their metric, and the median that of their speeds.
    """
    if not known:
        return None
    kin: dict[tuple[str, str], list[float]] = {}
    for prediction, value in known:
        kin.setdefault(_key(prediction), []).append(_speed(prediction, value))
    middle = {key: float(np.median(values)) for key, values in kin.items()}
    return float(np.mean([_ape(_metric(p, middle[_key(p)]), m) for p, m in known]))


def _key(prediction: Prediction) -> tuple[str, str]:
    return (prediction.kin, "speed") if prediction.unit else (prediction.group, prediction.metric)


def _speed(prediction: Prediction, value: float) -> float:
    if not prediction.unit or not value:
        return value
    return prediction.unit / value if prediction.falls else value / prediction.unit


def _metric(prediction: Prediction, speed: float) -> float:
    if not prediction.unit or not speed:
        return speed
    return prediction.unit / speed if prediction.falls else speed * prediction.unit

"""Dynamic batching: a server that takes all who wait as soon as it is free. Arrivals are Poisson.

    a = X s(n),  n = a + exp(-a)           a arrivals in a batch, n the mean batch (an empty queue waits for one)
    busy = a / (a + exp(-a))               share of the time, and of the arrivals that find a batch in service
    load = X s'(n)                         over what batches without end would reach
    v  = s'^2 a / (1 - load^2)             variance of a batch's seconds: a long batch begets a long one
    s1 = s + v / s,  v1 = v (1 + v / s^2)  the batch that an arrival meets is longer than the mean (a gamma, length-biased)
    mean T = busy s1 / 2 + s(1 + busy X s1)
    T_p    = mean + hypot(residual_p, chance_p)

residual_p: the rest of the batch in service, uniform, for those who find one. chance_p: a gamma of variance
s'^2 busy X s1 + (busy/2 + load)^2 v1. The bulk queue M/D/1 with unlimited batches (N. T. J. Bailey 1954 limits them);
against a simulation the 99th percentile is at most 8 % low where batching pays and 14 % where it does
not, up to a load of 0.8. Beyond `MAX_LOAD` a percentile is no number, and services refuse to state one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.serving.engine.model import Floats

QUANTILE = {0.5: 0.0, 0.9: 1.2816, 0.95: 1.6449, 0.99: 2.3263}  # of the standard normal
MAX_LOAD = 0.85
FEW = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7])  # arrivals in a batch: a server that mostly waits


@dataclass(frozen=True, slots=True)
class Stream:
    """Columns (..., arrivals): requests/s of a server, mean batch, its seconds, latency at the percentile, busy share, load."""

    rate: Floats
    batch: Floats
    service_s: Floats
    latency_s: Floats
    busy: Floats
    load: Floats


def arrivals_of(batches: Floats) -> Floats:
    """Mean arrivals in a batch to try, such that chance seldom exceeds the largest batch known."""
    return np.concatenate([FEW, batches[batches + 3.0 * np.sqrt(batches) <= max(float(batches[-1]), 4.0)]])


def stream(arrivals: Floats, batches: Floats, service_s: Floats, percentile: float = 0.99) -> Stream:
    """Requests that come at random, batched as they come.

    Args:
        arrivals: mean arrivals during one batch.
        batches: rising batches, from 1.
        service_s: seconds of a batch of each size, shape (..., batches), never falling.
        percentile: of the requests' latency: 0.5, 0.9, 0.95, 0.99.

    Raises:
        InputError: another percentile.
    """
    if percentile not in QUANTILE:
        known = [f"{100 * p:g}" for p in QUANTILE]
        raise InputError(unknown_name("percentile", f"{100 * percentile:g}", known))
    empty = np.exp(-arrivals)
    mean = arrivals + empty
    service, slope = between(mean, batches, service_s)
    rate, busy = arrivals / service, arrivals / (arrivals + empty)
    load = rate * slope
    held = np.minimum(load, 0.999)
    var = slope**2 * arrivals / (1.0 - held**2)
    met = service + var / service
    own, _ = between(1.0 + busy * rate * met, batches, service_s)
    average = 0.5 * busy * met + own
    spread = var * (1.0 + var / service**2)
    chance = slope**2 * busy * rate * met + (0.5 * busy + held) ** 2 * spread
    shape = average**2 / np.maximum(chance, 1e-30)
    gamma = average * ((1.0 - 1.0 / (9.0 * shape) + QUANTILE[percentile] / np.sqrt(9.0 * shape)) ** 3 - 1.0)
    residual = np.maximum((percentile - 1.0 + busy) / busy, 0.0) * met - 0.5 * busy * met
    extra = np.hypot(residual, gamma) if percentile > 0.5 else residual
    latency = average + np.where(residual < 0.0, np.minimum(residual, 0.0) + np.maximum(gamma, 0.0), extra)
    shared = np.broadcast_to(mean, service.shape), np.broadcast_to(busy, service.shape)
    return Stream(rate, np.asarray(shared[0]), service, np.maximum(latency, own), np.asarray(shared[1]), load)


def between(at: Floats, batches: Floats, column: Floats) -> tuple[Floats, Floats]:
    """(value, slope) of a column at other sizes: linear between rungs, beyond the last along its slope."""
    if len(batches) == 1:
        return column * at / batches, column / batches + 0.0 * at
    i = np.clip(np.searchsorted(batches, at, side="right") - 1, 0, len(batches) - 2)
    low = np.take_along_axis(column, np.broadcast_to(i, (*column.shape[:-1], i.shape[-1])), -1)
    high = np.take_along_axis(column, np.broadcast_to(i + 1, (*column.shape[:-1], i.shape[-1])), -1)
    slope = (high - low) / (batches[i + 1] - batches[i])
    return np.asarray(low + slope * (at - batches[i])), np.asarray(slope)


def streamed(
    columns: Mapping[str, NDArray[Any]], batches: Floats, percentile: float, idle_w: float
) -> dict[str, NDArray[Any]]:
    """Columns by batch, shape (groups, batches), as columns of an open stream, shape (groups, arrivals).

    `columns` hold at least `service_s`, `chip_w`, `memory_bytes`; numbers are taken at the mean batch, memory at the largest
    that chance brings, words at the nearest rung. Adds `latency_s`, `rate` (requests/s of the server), `load`, `batch`.
    """
    arrivals = arrivals_of(batches)
    found = stream(arrivals, batches, columns["service_s"], percentile)
    mean = found.batch[0]
    out: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if column.dtype.kind in "US":
            out[name] = column[:, np.abs(batches[None] - mean[:, None]).argmin(axis=1)]
        else:
            out[name] = between(mean, batches, column)[0]
    worst = mean + QUANTILE[0.99] * np.sqrt(mean)
    out["memory_bytes"] = between(worst, batches, columns["memory_bytes"])[0]
    out["chip_w"] = found.busy * out["chip_w"] + (1.0 - found.busy) * idle_w
    return out | {
        "latency_s": found.latency_s,
        "rate": found.rate,
        "load": found.load,
        "batch": found.batch,
        "service_s": found.service_s,
    }


def closed(columns: Mapping[str, NDArray[Any]], batches: Floats) -> dict[str, NDArray[Any]]:
    """The same columns where full batches follow each other: the latency is the batch's own seconds."""
    batch = np.broadcast_to(batches, columns["service_s"].shape)
    service = columns["service_s"]
    loaded = {"rate": batch / service, "load": np.zeros(service.shape), "batch": batch, "latency_s": service}
    return dict(columns) | loaded


def saturated(load: Floats) -> tuple[NDArray[np.bool_], str, str]:
    """Points too near saturation for a percentile, as a refusal of `frontier.choose`."""
    fix = f"a load of at most {MAX_LOAD:.0%}: more chips for the same stream"
    return load > MAX_LOAD, "too near saturation for a percentile", fix


def latency_name(percentile: float, open_stream: bool) -> str:
    """What a limit on the latency is held at."""
    return f"latency (p{percentile * 100:g})" if open_stream else "latency"

"""Training with few synchronisations: DiLoCo, its streaming form, its decoupled form, and data parallel as H = 1.

Every worker (a site) steps alone H times of c seconds, then the outer gradients are exchanged: F fragments, each of P/F values
of b bits, take k b P/(8 F W) seconds over W bytes/s plus the latency L of the exchange, and hide behind o steps:

    u = H c / (H c + F max(0, k b P/(8 F W) + L - o c))
    W = k b P / 8 / (H c (1/u - 1) + F (o c - L))

with the overlap o = phi of one step for blocking DiLoCo and data parallel (F = 1), the window tau for streaming, H/F for
decoupled. k and phi are fitted to table 6 of arXiv 2503.09799 (`Method.k`, `Method.overlap_steps`). An exchange must be done
before the next begins, so o is at most H/F: then no two share the link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.across.constants import packaged

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Method:
    """How workers exchange: numbers or columns that broadcast.

    `sync_every` steps between exchanges of the same value (H), `fragments` F, `overlap_steps` an exchange may hide behind,
    `bits` of a value on the wire, `k` bytes through the link over one copy of the gradient.
    """

    sync_every: ArrayLike = 1.0
    fragments: ArrayLike = 1.0
    overlap_steps: ArrayLike = 0.0
    bits: ArrayLike = 16.0
    k: ArrayLike = 1.0

    def __post_init__(self) -> None:
        rules = (
            ("sync_every", self.sync_every, 1.0),
            ("fragments", self.fragments, 1.0),
            ("overlap_steps", self.overlap_steps, 0.0),
            ("bits", self.bits, 1.0),
        )
        problems = [
            Problem("out_of_range", f"{name} must be {least:g} or more")
            for name, value, least in rules
            if not bool(np.all(np.asarray(value, dtype=np.float64) >= least))
        ]
        if not bool(np.all(np.asarray(self.k, dtype=np.float64) > 0)):
            problems.append(Problem("out_of_range", "k must be above 0"))
        if not problems:
            h, f, o, *_ = _columns(self)
            if not bool(np.all(o <= h / f * (1 + 1e-12))):
                hint = ("an exchange is over before the next fragment is due",)
                text = "overlap_steps must be at most sync_every / fragments"
                problems.append(Problem("out_of_range", text, hints=hint))
        if problems:
            raise InputError(problems)


def blocking(sync_every: ArrayLike = 1.0, *, bits: ArrayLike = 16.0, fit: Mapping[str, float] | None = None) -> Method:
    """DiLoCo that waits for its exchange; data parallel with `sync_every` 1. k and phi as fitted, or those of `fit`."""
    fit = packaged().fit if fit is None else fit
    return Method(sync_every=sync_every, overlap_steps=fit["phi"], bits=bits, k=fit["k"])


def streaming(
    sync_every: ArrayLike, fragments: ArrayLike, overlap_steps: ArrayLike, *, bits: ArrayLike = 4.0, k: ArrayLike = 1.0
) -> Method:
    """Streaming DiLoCo: a fragment at a time, in few bits, while `overlap_steps` more steps are computed."""
    return Method(sync_every, fragments, overlap_steps, bits, k)


def decoupled(
    sync_every: ArrayLike, *, fragments: ArrayLike = 1.0, bits: ArrayLike = 16.0, k: ArrayLike = 1.0
) -> Method:
    """Asynchronous: nobody waits until the next exchange of a fragment is due, H/F steps later.

    What staleness costs in quality is no question of the network and not in here.
    """
    window = np.asarray(sync_every, dtype=np.float64) / np.asarray(fragments, dtype=np.float64)
    return Method(sync_every, fragments, window, bits, k)


def _columns(method: Method, *others: ArrayLike) -> list[Array]:
    fields = (method.sync_every, method.fragments, method.overlap_steps, method.bits, method.k)
    return [np.asarray(x, dtype=np.float64) for x in (*fields, *others)]


def _check(parameters: ArrayLike, step_s: ArrayLike, latency_s: ArrayLike) -> list[Problem]:
    rules = (
        ("parameters", parameters, True),
        ("step_s", step_s, True),
        ("latency_s", latency_s, False),
    )
    return [
        Problem("out_of_range", f"{name} must {'be above 0' if strict else 'not be negative'}")
        for name, value, strict in rules
        if not bool(np.all((x := np.asarray(value, dtype=np.float64)) >= 0) and (not strict or np.all(x > 0)))
    ]


def _share(name: str, value: ArrayLike) -> list[Problem]:
    x = np.asarray(value, dtype=np.float64)
    if bool(np.all((x > 0) & (x <= 1))):
        return []
    return [Problem("out_of_range", f"{name} must lie above 0 and be at most 1", hints=("90 % is 0.9",))]


def required_bytes_per_s(
    parameters: ArrayLike,
    step_s: ArrayLike,
    utilisation: ArrayLike,
    method: Method,
    *,
    latency_s: ArrayLike = 0.0,
) -> Array:
    """Bandwidth of a worker's link, one way, that keeps it computing for a share `utilisation` of the time.

    inf where the latency alone takes more. Arguments broadcast.

    >>> round(float(required_bytes_per_s(405e9, 26.0, 0.9, blocking(100))) * 8 / 1e9, 2)   # Gb/s; table 6 says 16.0
    15.17

    Args:
        parameters: values that are exchanged.
        step_s: seconds of one step without any exchange.
        utilisation: computing over all time, above 0, at most 1.
        method: of exchange, `blocking`, `streaming` or `decoupled`.
        latency_s: of one exchange, over and above its bytes.

    Raises:
        InputError: what is out of range.
    """
    problems = [*_check(parameters, step_s, latency_s), *_share("utilisation", utilisation)]
    if problems:
        raise InputError(problems)
    h, f, o, bits, k, p, c, u, latency = _columns(method, parameters, step_s, utilisation, latency_s)
    allowed = h * c * (1.0 / u - 1.0) + f * (o * c - latency)
    needed = k * bits / 8 * p
    possible = allowed > 0
    return np.asarray(np.where(possible, needed / np.where(possible, allowed, 1.0), np.inf), dtype=np.float64)


def utilisation(
    parameters: ArrayLike,
    step_s: ArrayLike,
    bytes_per_s: ArrayLike,
    method: Method,
    *,
    latency_s: ArrayLike = 0.0,
) -> Array:
    """Share of time a worker computes on a link of `bytes_per_s`; the inverse of `required_bytes_per_s`.

    Raises:
        InputError: what is out of range.
    """
    problems = _check(parameters, step_s, latency_s)
    h, f, o, bits, k, p, c, w, latency = _columns(method, parameters, step_s, bytes_per_s, latency_s)
    if not bool(np.all(w > 0)):
        problems.append(Problem("zero_bandwidth", "bytes_per_s must be above 0"))
    if problems:
        raise InputError(problems)
    waits = f * np.maximum(0.0, k * bits / 8 * p / (f * w) + latency - o * c)
    return np.asarray(h * c / (h * c + waits), dtype=np.float64)


def largest_latency_s(
    parameters: ArrayLike, step_s: ArrayLike, target: ArrayLike, bytes_per_s: ArrayLike, method: Method
) -> Array:
    """Latency of an exchange at which a worker still reaches the `target` utilisation; negative where none does.

    Raises:
        InputError: what is out of range.
    """
    problems = [*_check(parameters, step_s, 0.0), *_share("target", target)]
    h, f, o, bits, k, p, c, u, w = _columns(method, parameters, step_s, target, bytes_per_s)
    if not bool(np.all(w > 0)):
        problems.append(Problem("zero_bandwidth", "bytes_per_s must be above 0"))
    if problems:
        raise InputError(problems)
    return np.asarray(h * c * (1.0 / u - 1.0) / f + o * c - k * bits / 8 * p / (f * w), dtype=np.float64)


def largest_distance_km(
    parameters: ArrayLike,
    step_s: ArrayLike,
    target: ArrayLike,
    bytes_per_s: ArrayLike,
    method: Method,
    *,
    hops: ArrayLike = 2.0,
    fibre_s_per_km: ArrayLike | None = None,
    switch_s: ArrayLike | None = None,
) -> Array:
    """Longest cable between neighbours at which a worker still reaches `target`; negative where no distance does.

    Args:
        parameters: values that are exchanged.
        step_s: seconds of one step without any exchange.
        target: utilisation.
        bytes_per_s: of a worker's link, one way.
        method: of exchange.
        hops: one after the other in an exchange, 2 (s-1) in a ring of s.
        fibre_s_per_km: standard fibre where None.
        switch_s: of a site that is passed; the package's assumption where None.
    """
    known = packaged()
    delay = known.fibre_s_per_km["standard"].value if fibre_s_per_km is None else fibre_s_per_km
    switch = known.switch_s.value if switch_s is None else switch_s
    latency = largest_latency_s(parameters, step_s, target, bytes_per_s, method)
    hop = latency / np.asarray(hops, dtype=np.float64) - np.asarray(switch, dtype=np.float64)
    return np.asarray(hop / np.asarray(delay, dtype=np.float64), dtype=np.float64)


def smallest_sync_every(
    parameters: ArrayLike,
    step_s: ArrayLike,
    target: ArrayLike,
    bytes_per_s: ArrayLike,
    method: Method,
    *,
    latency_s: ArrayLike = 0.0,
) -> Array:
    """Fewest steps between exchanges that reach `target` (the method's own `sync_every` is not looked at).

    The overlap stays what the method says, so a decoupled one, whose overlap grows with H, has no place here. inf where no H
    does: a target of 1 that the overlap does not carry.

    Raises:
        InputError: what is out of range.
    """
    spare = largest_latency_s(parameters, step_s, 1.0, bytes_per_s, method)
    problems = _share("target", target)
    if problems:
        raise InputError(problems)
    _, f, _, _, _, c, u, latency = _columns(method, step_s, target, latency_s)
    waits = f * np.maximum(0.0, latency - spare)
    slack = c * (1.0 / u - 1.0)
    # A hair of rounding must not cost a step.
    steps = np.ceil(waits / np.where(slack > 0, slack, 1.0) * (1 - 1e-12))
    return np.asarray(np.where(waits <= 0, 1.0, np.where(slack > 0, np.maximum(1.0, steps), np.inf)), dtype=np.float64)


def bytes_per_step(parameters: ArrayLike, method: Method) -> Array:
    """Mean bytes that a step sends through a worker's link: k b P/(8 H)."""
    h, _, _, bits, k, p = _columns(method, parameters)
    return np.asarray(k * bits / 8 * p / h, dtype=np.float64)


def peak_bytes_per_s(parameters: ArrayLike, step_s: ArrayLike, method: Method) -> Array:
    """Rate that hides every exchange: k b P/(8 F o c); F times less than all at once."""
    return required_bytes_per_s(parameters, step_s, 1.0, method)


def streaming_hours(ideal_hours: ArrayLike, terabytes: ArrayLike, gigabits_per_s: ArrayLike = 1.0) -> Array:
    """Hours of a run whose exchanges do not overlap: ideal + terabytes x hours a terabyte / rate.

    `terabytes` are those of arXiv 2501.18512 table 1, which count all workers; hours a terabyte come from its rows at 1 Gb/s.
    """
    ideal, total, rate = (np.asarray(x, dtype=np.float64) for x in (ideal_hours, terabytes, gigabits_per_s))
    return np.asarray(ideal + packaged().fit["streaming_hours_per_terabyte"] * total / rate, dtype=np.float64)


def on_published_grid(bytes_per_s: ArrayLike) -> Array:
    """The next point up of the grid on which table 6 of arXiv 2503.09799 reports, for comparing with that table only.

    50 points evenly spaced in the logarithm from 0.1 to 1000 Gb/s, a step of 20.7 %; the last point is also all beyond it.
    """
    grid = packaged().grid
    first, last, points = grid["first_bytes_per_s"], grid["last_bytes_per_s"], int(grid["points"])
    step = np.log(last / first) / (points - 1)
    place = np.ceil(np.log(np.asarray(bytes_per_s, dtype=np.float64) / first) / step - 1e-9)
    return np.asarray(first * np.exp(step * np.clip(place, 0, points - 1)), dtype=np.float64)


def band(bytes_per_s: ArrayLike) -> tuple[Array, Array]:
    """80 % range of what table 6 would print for an answer of `required_bytes_per_s`."""
    low, high = packaged().bands
    value = np.asarray(bytes_per_s, dtype=np.float64)
    return np.asarray(value * low), np.asarray(value * high)


def physical(method: Method) -> Method:
    """The same with k and phi guessed from physics instead of fitted: nothing in it has seen the table."""
    fit = packaged().fit
    return replace(method, k=fit["k_physical"], overlap_steps=fit["phi_physical"])


def textbook(method: Method) -> Method:
    """The same without overlap and with one copy of the gradient: what most papers write, the null to beat."""
    return replace(method, k=1.0, overlap_steps=0.0)

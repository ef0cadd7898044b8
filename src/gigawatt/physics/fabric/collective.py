"""Seconds of a collective on a fabric, what binds it, and the 80 % band.

The answer is the fastest of the lines that apply, joined with the floor F that machines have: (t^4 + F^4)^(1/4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric import constants, lines
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.design import NET_CLASS, NVLS_GENERATION, Fabric
from gigawatt.physics.fabric.lines import Array, Bools, Columns, Line

Fabrics = Fabric | Sequence[Fabric]
SIZES = ("small", "middle", "large")
# Most scale-up domains of any measured all-reduce that the constants were fitted to.
FITTED_DOMAINS = 3.0
_BINDS = ("latency-bound", "scale-up-bound at tier 1", "NIC-bound at tier 2")


@dataclass(frozen=True, slots=True)
class Answer:
    """One row per call: seconds with an 80 % range, and what binds.

    `code` indexes `texts`; `bound` spells it out, such as 'NIC-bound at tier 2, ring, simple'.
    """

    seconds: Array
    low: Array
    high: Array
    code: NDArray[np.intp]
    texts: tuple[str, ...]

    @property
    def bound(self) -> NDArray[np.str_]:
        """What binds each call, in words."""
        words: NDArray[np.str_] = np.asarray(self.texts)[self.code]
        return words


def _all_reduce(c: Columns, fit: Constants) -> list[Line]:
    rings = [lines.ring(c, 2.0, protocol, fit) for protocol in (lines.LL, lines.SIMPLE)]
    trees = [lines.tree(c, protocol, fit) for protocol in (lines.LL, lines.SIMPLE)]
    return [*rings, *trees, lines.in_switch(c, fit)]


def _gather(c: Columns, fit: Constants) -> list[Line]:
    return [lines.ring(c, 1.0, protocol, fit) for protocol in (lines.LL, lines.SIMPLE)]


# Collective -> its lines. Sizes are those of nccl-tests: all-gather counts the gathered whole, reduce-scatter what is
# scattered, all-to-all what one rank sends, send-receive the message.
LINES: dict[str, Callable[[Columns, Constants], list[Line]]] = {
    "all_reduce": _all_reduce,
    "all_gather": _gather,
    "reduce_scatter": _gather,
    "all_to_all": lambda c, fit: [lines.direct(c, fit)],
    "broadcast": lambda c, fit: [lines.pipeline(c, fit)],
    "reduce": lambda c, fit: [lines.pipeline(c, fit)],
    "send_recv": lambda c, fit: [lines.point_to_point(c, fit)],
}


def bus_factor(kind: str, ranks: ArrayLike) -> Array:
    """Bus bandwidth over algorithm bandwidth (bytes/seconds), as nccl-tests defines it."""
    n = np.asarray(ranks, dtype=np.float64)
    if kind in ("broadcast", "reduce", "send_recv"):
        return np.ones_like(n)
    factor: Array = (2.0 if kind == "all_reduce" else 1.0) * (n - 1.0) / n
    return factor


def _each(fabrics: Fabrics, rows: int, get: Callable[[Fabric], float]) -> Array:
    if isinstance(fabrics, Fabric):
        return np.full(rows, get(fabrics), dtype=np.float64)
    return np.array([get(fabric) for fabric in fabrics], dtype=np.float64)


def _mesh_share(fabrics: Fabrics, ranks: Array) -> Array:
    """In a full mesh a group of n reaches n - 1 of the domain's links."""
    domain = _each(fabrics, len(ranks), lambda f: f.domain if f.scaleup == "mesh" else 0)
    share: Array = np.where(domain > 1, np.minimum(1.0, (ranks - 1.0) / np.maximum(domain - 1.0, 1.0)), 1.0)
    return share


def columns(
    nbytes: ArrayLike,
    ranks: ArrayLike,
    fabrics: Fabrics,
    fit: Constants,
    per_domain: ArrayLike | None = None,
) -> Columns:
    """The columns that the lines need, one row per call.

    Args:
        nbytes: bytes, in nccl-tests' meaning.
        ranks: ranks of the group.
        fabrics: one for all rows, or one a row.
        fit: constants.
        per_domain: ranks of the group in one scale-up domain; as many as fit where None. A data-parallel group with one
            rank a domain has 1.
    """
    size, n = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in np.broadcast_arrays(nbytes, ranks))
    rows = len(n)

    def flag(test: Callable[[Fabric], bool]) -> Bools:
        return _each(fabrics, rows, lambda f: float(test(f))) > 0

    domain = _each(fabrics, rows, lambda f: f.domain)
    inside = np.minimum(n, domain if per_domain is None else np.minimum(domain, np.asarray(per_domain, np.float64)))
    net = _each(fabrics, rows, lambda f: fit["net_" + NET_CLASS[f.technology]])
    lat = _each(fabrics, rows, lambda f: fit["lat_" + NET_CLASS[f.technology]])
    node = _each(fabrics, rows, lambda f: f.node)
    nvls = _each(fabrics, rows, lambda f: _nvls(f, fit))
    mesh = flag(lambda f: f.scaleup == "mesh")
    # A torus is entered by its side: 64 chips are 4 x 4 x 4.
    torus = flag(lambda f: f.scaleup == "torus")
    pod = _each(fabrics, rows, lambda f: float(f.pod))
    over = _each(fabrics, rows, lambda f: f.oversubscription)
    leaving = np.maximum(0.0, 1.0 - pod / n)
    return Columns(
        nbytes=size,
        ranks=n,
        per_domain=inside,
        scaleup=np.maximum(_each(fabrics, rows, lambda f: f.scaleup_bytes_per_s), 1.0) * _mesh_share(fabrics, n),
        nic=_each(fabrics, rows, lambda f: f.nic_bytes_per_s),
        pair=_each(fabrics, rows, lambda f: min(f.nic_bytes_per_s, f.ports_per_pair * f.port_bytes_per_s)),
        net=net,
        lat=lat,
        extra=np.where(inside > node, fit["lat_mnnvl"], 0.0),
        nvls=nvls,
        simple=fit["e_simple"] * np.where(mesh, fit["xgmi"], 1.0),
        pcie=flag(lambda f: f.scaleup == "pcie" or f.technology == "pcie"),
        proxy=flag(lambda f: f.technology == "tcpx"),
        torus_side=np.where(torus, np.round(inside ** (1 / 3), 6), 0.0),
        cross=np.maximum(1.0, leaving * over),
    )


def _nvls(fabric: Fabric, fit: Constants) -> float:
    if fabric.scaleup != "switched" or fabric.generation not in NVLS_GENERATION:
        return 0.0
    return fit["nvls_" + NVLS_GENERATION[fabric.generation]]


def collective_seconds(
    kind: str,
    nbytes: ArrayLike,
    ranks: ArrayLike,
    fabric: Fabrics,
    *,
    per_domain: ArrayLike | None = None,
    algorithms: Sequence[str] | None = None,
    fit: Constants | None = None,
) -> Answer:
    """Seconds of a collective.

    Args:
        kind: all_reduce, reduce_scatter, all_gather, all_to_all, broadcast, reduce, send_recv.
        nbytes: bytes in nccl-tests' meaning (see `LINES`), any shape that broadcasts to one dimension.
        ranks: ranks of the group; 1 takes no time.
        fabric: one fabric, or one a row.
        per_domain: ranks of the group in one scale-up domain (1 for a data-parallel group over domains).
        algorithms: only lines whose name begins so ('NVLS', 'ring'), for machines that pin one.
        fit: constants, the packaged ones where None.

    Raises:
        InputError: unknown kind, negative size, fewer than one rank, or no line of that name.
    """
    if kind not in LINES:
        raise InputError(unknown_name("collective", kind, LINES))
    fit = constants.packaged() if fit is None else fit
    c = columns(nbytes, ranks, fabric, fit, per_domain)
    if bool(np.any(c.nbytes < 0)) or bool(np.any(c.ranks < 1)):
        raise InputError(Problem("out_of_range", f"{kind}: bytes must not be negative and ranks be at least 1"))
    found = LINES[kind](c, fit)
    if algorithms is not None:
        found = [line for line in found if line.name.startswith(tuple(algorithms))]
        if not found:
            names = [line.name for line in LINES[kind](c, fit)]
            raise InputError(unknown_name(f"algorithm of {kind}", ", ".join(algorithms), names))
    return _fastest(kind, found, c, fabric, fit)


def _fastest(kind: str, found: Sequence[Line], c: Columns, fabric: Fabrics, fit: Constants) -> Answer:
    times = np.stack([line.seconds for line in found])
    best = np.argmin(times, axis=0)
    row = np.arange(len(best))
    raw = times[best, row]
    latency = np.stack([line.latency for line in found])[best, row]
    network = np.stack([line.network_binds for line in found])[best, row]
    floor = 0.0 if kind == "send_recv" else fit["floor"]
    seconds = np.where(c.ranks > 1, (raw**4 + floor**4) ** 0.25, 0.0)
    binds = np.where(latency > 0.5 * raw, 0, np.where(network, 2, 1))
    texts = tuple(f"{bind}, {line.name}" for line in found for bind in _BINDS)
    low, high = band(c, _each(fabric, len(row), lambda f: float(f.nic_stated)) > 0, fit)
    return Answer(seconds, seconds * low, seconds * high, best * len(_BINDS) + binds, texts)


def band(c: Columns, nic_stated: Bools, fit: Constants) -> tuple[Array, Array]:
    """80 % factors on seconds: by where the bytes go and how many; wider where less is known.

    A power above 1 stretches the band: a NIC rate that is a guess, a proxy transport, more domains than were measured.
    """
    limits, stretch = fit.bands, fit.bands["stretch"]
    crosses = c.domains > 1
    size = np.where(c.nbytes <= limits["small_bytes"], 0, np.where(c.nbytes < limits["large_bytes"], 1, 2))
    power = np.where(crosses & ~nic_stated, float(stretch["defaulted"]), 1.0)
    power = np.maximum(power, np.where(crosses & c.proxy, float(stretch["tcpx"]), 1.0))
    deeper = np.maximum(c.domains / FITTED_DOMAINS, 1.0) ** float(limits["more_domains"])

    def pick(side: str) -> Array:
        table = np.array([[float(limits[where][name][side]) for name in SIZES] for where in ("inside", "network")])
        picked: Array = table[crosses.astype(np.intp), size] ** power
        return picked

    return pick("low"), pick("high") * deeper

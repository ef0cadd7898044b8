"""Fitted constants of collectives, in seconds and shares, read once from the calibration `fabric-collectives`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog

CALIBRATION = "fabric-collectives"
PROTOCOLS = ("ll", "ll128", "simple")
_TO_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "MB": 1e6, "": 1.0}


@dataclass(frozen=True, slots=True)
class Latencies:
    """NCCL's latencies of one algorithm in seconds, one number per protocol (LL, LL128, simple)."""

    base: tuple[float, ...]
    hop: tuple[float, ...]
    pcie: tuple[float, ...]
    net: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Constants:
    """`value[name]` in seconds, bytes or as a share; `ring` and `tree` latencies; `bands` by size of message.

    `beyond_two[generation]` is a tree's rate over more than two domains over its rate over two, a number a protocol;
    `tree_shares[protocol]` its share of that by message size, from 64 B by powers of two.
    """

    value: Mapping[str, float]
    ring: Latencies
    tree: Latencies
    beyond_two: Mapping[str, tuple[float, ...]]
    tree_shares: tuple[tuple[float, ...], ...]
    bands: Mapping[str, Any]

    def __getitem__(self, name: str) -> float:
        return self.value[name]


def _latencies(row: Mapping[str, Any]) -> Latencies:
    def each(name: str) -> tuple[float, ...]:
        return tuple(float(us) * 1e-6 for us in row[name])

    return Latencies(each("base"), each("hop"), each("pcie"), each("net"))


def from_record(record: Any) -> Constants:
    """The constants of a calibration record."""
    value = {name: float(fit.value) * _TO_SECONDS[fit.unit] for name, fit in record.parameters.items()}
    nccl = record.tables["nccl"]
    beyond = {
        generation: tuple(float(rates[name][1]) / float(rates[name][0]) for name in PROTOCOLS)
        for generation, rates in nccl["tree_rates"].items()
    }
    shares = tuple(tuple(float(share) for share in nccl["tree_shares"][name]) for name in PROTOCOLS)
    return Constants(value, _latencies(nccl["ring"]), _latencies(nccl["tree"]), beyond, shares, record.tables["bands"])


@lru_cache(maxsize=1)
def packaged() -> Constants:
    """The constants that ship."""
    return from_record(Catalog.load().get("calibration", CALIBRATION))


def ideal() -> Constants:
    """Wires and nothing else: no latency, every share 1, no filling of pipelines; what the exact cases are checked with."""
    real = packaged()
    in_seconds = (
        "m_",
        "l_",
        "lat_",
        "chunk_",
        "nvls_chunk",
        "a2a_base",
        "a2a_peer",
        "message",
        "floor",
        "ll_base",
        "ibrc",
        "ll_efa",
    )
    value = {name: 0.0 if name.startswith(in_seconds) else 1.0 for name in real.value}
    none = Latencies(*((0.0, 0.0, 0.0) for _ in range(4)))
    whole = dict.fromkeys(real.beyond_two, (1.0, 1.0, 1.0))
    return Constants(value, none, none, whole, ((1.0,), (1.0,), (1.0,)), real.bands)

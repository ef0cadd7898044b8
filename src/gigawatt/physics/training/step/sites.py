"""Data parallelism over sites: gradients are summed in each site as ever, then among the sites over fibre.

    exchange = G / efficiency x seconds a byte + latency,   G = 16 bits x parameters: one sum of a site
    exposed  = max(exchange - window, latency + last bucket) / H

The window is what the last micro-batch still computes of its backward pass; the last bucket is ready when that ends. With
H = `local_steps` above 1 each site steps alone and weights are averaged every H steps (DiLoCo, arXiv 2311.08105, blocking:
`fabric.across.diloco`); what that costs in quality is no question of time and not in here. All sites are alike, on a ring of
equal cables (`even_exchange`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.across import even_exchange, fibre, packaged
from gigawatt.physics.fabric.across.sync import exposed_seconds
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.shape import Shape

BUCKETS = 32.0  # pieces of a site's sum: the last shows (assumed; a layer or two each)


@dataclass(frozen=True, slots=True)
class Between:
    """The cables between neighbouring sites: length, rate each way, kind of fibre; bits of a value on them."""

    fibre_km: float
    bytes_per_s: float
    kind: str = "standard"
    algorithm: str = "ring"
    bits: float = 16.0

    @property
    def hop_s(self) -> float:
        """Delay to the next site, one way."""
        return self.fibre_km * fibre(self.kind).fibre_s_per_km + packaged().switch_s.value


def site_seconds(shape: Shape, mapping: Mapping, between: Between | None, window_s: Any) -> Any:
    """Seconds that a step waits for the other sites; 0 with one site.

    Args:
        shape: the model.
        mapping: columns; sites, local_steps and lora matter.
        between: the cables; may be None where all rows have one site.
        window_s: compute that an exchange may hide behind.

    Raises:
        InputError: more than one site and no cables.
    """
    if between is None:
        hint = ("say how far apart they are and how wide the cables: sites.Between(fibre_km, bytes_per_s)",)
        raise InputError(Problem("missing", "a mapping over several sites needs the cables between them", None, hint))
    each, latency = even_exchange(mapping.sites, between.hop_s, between.bytes_per_s, between.algorithm)
    sent = shape.parameters * (1.0 - np.asarray(mapping.lora)) * between.bits / 8.0 / packaged().efficiency.value
    shown = exposed_seconds(window_s, sent * each, latency, 1.0, BUCKETS)
    several = (np.asarray(mapping.sites) > 1) & (np.asarray(sent) > 0)
    return np.where(several, shown, 0.0) / np.maximum(mapping.local_steps, 1.0)

"""Seconds that saving and loading a model's state takes, on each tier of storage, and what each tier outlives.

    state    = bytes a parameter (by recipe, 8 to 16) x parameters
    seconds  = state of a chip / bytes per second a chip + what a snapshot or a save takes beside the bytes
               each chip holds its share, state / chips: data-parallel copies write their own part
    remote   = also no faster than the whole store

Tiers, from near to far:

    host     a chip's copy in its host's memory: outlives a crashed process, not a lost node
    peer     a copy in the memory of a host of another rack: outlives a node and a rack, not corruption or the site
    disk     NVMe of the node: outlives a reboot, not a lost node
    remote   a store of its own: outlives all

Data: calibration `training-failures`; bandwidths are assumed where nobody published them, with their spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.reliability.failures import parameter, table

TIERS = ("host", "peer", "disk", "remote")
# What a copy on a tier outlives, of: process, node, rack, corruption, site.
OUTLIVES = {
    "host": ("process",),
    "peer": ("process", "node", "rack"),
    "disk": ("process", "reboot"),
    "remote": ("process", "reboot", "node", "rack", "corruption", "site"),
}


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes per second a chip on each tier; `remote_total_bytes_per_s` caps what all chips together write or read.

    Beside the bytes a snapshot takes `snapshot_s` and a save to the remote store `save_s`.
    """

    host_bytes_per_s: float
    peer_bytes_per_s: float
    disk_bytes_per_s: float
    remote_bytes_per_s: float
    snapshot_s: float
    save_s: float
    remote_total_bytes_per_s: float = float("inf")

    def slower(self, factor: float) -> Storage:
        """All of it `factor` times slower."""
        return Storage(
            self.host_bytes_per_s / factor,
            self.peer_bytes_per_s / factor,
            self.disk_bytes_per_s / factor,
            self.remote_bytes_per_s / factor,
            self.snapshot_s * factor,
            self.save_s * factor,
            self.remote_total_bytes_per_s / factor,
        )


def default_storage() -> Storage:
    """What a practitioner may count on: see the calibration."""
    host, peer, disk, remote = (parameter(f"{name}_bytes_per_s") for name in ("host_copy", "peer", "disk", "remote"))
    return Storage(host, peer, disk, remote, parameter("snapshot_s"), parameter("save_s"))


def state_recipes() -> tuple[str, ...]:
    """Recipes of a training state that are known."""
    return tuple(table("states"))


def state_bytes(parameters: Any, recipe: str = "adam") -> Any:
    """Bytes of a model's state to save.

    >>> float(state_bytes(405e9)) / 1e12
    5.67

    Raises:
        InputError: unknown recipe, or no parameters.
    """
    recipes = table("states")
    if recipe not in recipes:
        raise InputError(unknown_name("recipe of a training state", recipe, recipes))
    size = np.asarray(parameters, dtype=float)
    if np.any(size <= 0):
        raise InputError(Problem("out_of_range", "a model has more than no parameters"))
    return size * float(recipes[recipe]["bytes"])


def transfer_s(state: Any, chips: Any, tier: str, storage: Storage | None = None) -> Any:
    """Seconds for the bytes of a state, written or read: a state of `state` bytes that `chips` chips hold in equal shares.

    Raises:
        InputError: unknown tier.
    """
    if tier not in TIERS:
        raise InputError(unknown_name("tier of storage", tier, TIERS))
    made = default_storage() if storage is None else storage
    share = np.asarray(state, dtype=float) / np.asarray(chips, dtype=float)
    seconds = share / float(getattr(made, f"{tier}_bytes_per_s"))
    if tier == "remote":
        seconds = np.maximum(seconds, np.asarray(state, dtype=float) / made.remote_total_bytes_per_s)
    return seconds

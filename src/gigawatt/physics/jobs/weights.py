"""New weights on their way to the rollout engines, and state that leaves the chips for a rollout on the same ones.

    weights    s = setup + max(bytes / sync rate, broadcast on the network)     in place, whole weights, by broadcast
    switching  s = 2 x state bytes of a chip / rate of the host's link          out before the rollout and back after it

The sync rate is what a published update in place reaches (59 to 76 GB/s of whole weights on 8 to 256 chips: the engines' copies
bind, not the network); the network binds where its broadcast is slower. Constants: calibration `post-training`.
"""

from __future__ import annotations

from functools import lru_cache

from gigawatt.catalog import Catalog
from gigawatt.physics.chip.host import HostPath, move_seconds
from gigawatt.physics.fabric import Fabric, collective_seconds
from gigawatt.physics.serving.engine.calibration import WEIGHT_BYTES

RECORD = "post-training"
ADAPTER_SHARE = 0.01  # of the weights that low-rank adapters train (assumed: rank 16 to 64 on all matrices)


@lru_cache(maxsize=1)
def constants() -> dict[str, float]:
    """Parameters of the calibration by name, with the half-width of a rollout's band as `drain`."""
    record = Catalog.load().get("calibration", RECORD)
    return {name: float(one.value) for name, one in record.parameters.items()} | {
        "drain": float(record.groups["drain"])
    }


def sync_seconds(
    parameters: float, precision: str, chips: float, fabric: Fabric, *, lora: bool = False, rate: float | None = None
) -> float:
    """Seconds until all engines on `chips` chips have new weights of `precision`; adapters alone with `lora`."""
    found = constants()
    nbytes = parameters * WEIGHT_BYTES[precision] * (ADAPTER_SHARE if lora else 1.0)
    wire_s = float(collective_seconds("broadcast", nbytes, max(chips, 1.0), fabric).seconds[0])
    return found["sync_setup_s"] + max(nbytes / (rate or found["sync_bytes_per_s"]), wire_s)


def switch_seconds(parameters: float, chips: float, host: HostPath | None = None, *, lora: bool = False) -> float:
    """Seconds of a step in which training state goes to the hosts and comes back, spread over all chips."""
    found = constants()
    trained = ADAPTER_SHARE if lora else 1.0
    each = found["offload_bytes"] * parameters * trained / chips
    if host is None:
        return 2.0 * each / found["switch_bytes_per_s"]
    return float(move_seconds(host, each, "to_host") + move_seconds(host, each, "to_device"))

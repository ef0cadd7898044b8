"""Messages of a training step, in closed form: exposed seconds of one rank.

Each is (bytes / effective bandwidth + latency) times the share that compute does not hide. A group wider than the
scale-up domain D is hierarchical: inside the domain at scale-up speed, between domains through D NICs side by side, so
that a message of n bytes a rank crosses the network at `D * nic`. Efficiencies and exposures come from the calibration.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.physics.training.calibration import Coefficients
from gigawatt.physics.training.columns import Machine, Mapping


def tensor_all_reduce_s(count: Any, nbytes: Any, machine: Machine, mapping: Mapping, c: Coefficients) -> Any:
    """`count` all-reduces of `nbytes` (or the equal pair of reduce-scatter and all-gather) over the tensor group."""
    tp, domain = np.asarray(mapping.tp, dtype=float), machine.scaleup_domain
    inside = c.scaleup_efficiency * machine.scaleup_bytes_per_s
    across = np.minimum(inside, c.nic_efficiency * machine.nic_bytes_per_s * domain)
    bandwidth = np.where(tp > domain, across, inside)
    one = 2.0 * (tp - 1.0) / tp * nbytes / bandwidth + 2.0 * c.latency_s
    return np.where(tp > 1, count * one * c.exposed_tp, 0.0)


def context_ring_s(nbytes: Any, machine: Machine, mapping: Mapping, c: Coefficients) -> Any:
    """Keys and values of the other context ranks, `nbytes` from each, once round the ring."""
    cp = np.asarray(mapping.cp, dtype=float)
    inside = np.asarray(mapping.tp) * cp <= machine.scaleup_domain
    bandwidth = np.where(
        inside, c.scaleup_efficiency * machine.scaleup_bytes_per_s, c.nic_efficiency * machine.nic_bytes_per_s
    )
    return np.where(cp > 1, ((cp - 1.0) * nbytes / bandwidth + (cp - 1.0) * c.latency_s) * c.exposed_cp, 0.0)


def expert_all_to_all_s(nbytes: Any, top_k: Any, machine: Machine, mapping: Mapping, c: Coefficients) -> Any:
    """Dispatch and combine of tokens to experts; `nbytes` is both of one token-slot set (T h, 2 + 2 bytes).

    Inside a domain every slot moves; between domains a token goes once to each distinct domain that holds one of its
    experts: domains * (1 - (1 - 1/domains)^k) of them, less its own share.
    """
    ep, domain = np.asarray(mapping.ep, dtype=float), machine.scaleup_domain
    domains = np.maximum(ep / domain, 1.0)
    slots_inside = top_k * (ep - 1.0) / np.maximum(ep, 1.0)
    reached = domains * (1.0 - (1.0 - 1.0 / domains) ** top_k)
    across = reached * (domains - 1.0) / domains
    scaleup = nbytes * slots_inside / (machine.scaleup_bytes_per_s * c.all_to_all_scaleup)
    network = nbytes * across / (machine.nic_bytes_per_s * c.all_to_all_nic)
    return np.where(ep > 1, (np.maximum(scaleup, network) + 4.0 * c.latency_s) * c.exposed_ep, 0.0)


def pipeline_send_s(nbytes: Any, machine: Machine, mapping: Mapping, c: Coefficients) -> Any:
    """Activations to the next stage and gradients back, of one micro-batch and all its model chunks."""
    pp = np.asarray(mapping.pp, dtype=float)
    within = mapping.tp * mapping.cp * pp <= machine.scaleup_domain
    bandwidth = np.where(
        within, c.scaleup_efficiency * machine.scaleup_bytes_per_s, c.nic_efficiency * machine.nic_bytes_per_s
    )
    return np.where(pp > 1, 2.0 * mapping.vpp * (nbytes / bandwidth + c.latency_s) * c.exposed_pp, 0.0)


def data_parallel_s(nbytes: Any, ranks: Any, stride: Any, machine: Machine, c: Coefficients) -> Any:
    """One ring pass ((r-1)/r of `nbytes` a rank) over `ranks` ranks that stand `stride` chips apart.

    With several ranks of the group in a domain, the part between domains is shared by their NICs.
    """
    ranks = np.asarray(ranks, dtype=float)
    inside = np.clip(machine.scaleup_domain / stride, 1.0, ranks)
    outside = ranks / inside
    scaleup = nbytes * (inside - 1.0) / inside / (c.scaleup_efficiency * machine.scaleup_bytes_per_s)
    network = nbytes / inside * (outside - 1.0) / outside / (c.nic_efficiency * machine.nic_bytes_per_s)
    steps = np.log2(np.maximum(ranks, 1.0))
    return np.where(ranks > 1, np.maximum(scaleup, network) + steps * c.latency_s, 0.0)

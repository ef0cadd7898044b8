"""From a catalog record to the plain numbers that physics works with."""

from __future__ import annotations

from typing import Any

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Box, Chip, PowerMode
from gigawatt.physics.chip.models import device_model

# Power of a chip that waits, where no source gives it: a tenth of its limit (assumed).
IDLE_SHARE = 0.10


def _value(datum: Any, missing: float = 0.0) -> float:
    return missing if datum is None else float(datum.value)


def chip_from_record(record: Any) -> Chip:
    """The `Chip` of an accelerator record.

    NIC bandwidth 0 means that no source states it: a fabric then uses its own. Idle power not stated is a tenth of TDP.

    Raises:
        InputError: the record lacks what no model can do without (memory, its bandwidth, a power limit, a peak), or names a
            device model that no installed package brings.
    """
    needed = {"memory": record.memory, "memory_bandwidth": record.memory_bandwidth, "tdp": record.tdp}
    missing = [name for name, datum in needed.items() if datum is None]
    if not record.peak_flops:
        missing.append("peak_flops")
    if missing:
        hint = "give it in an overlay: a file accelerator/" + f"{record.id}.yaml that says `extends: {record.id}`"
        raise InputError(
            Problem("missing_fact", f"accelerator '{record.id}' has no published {', '.join(missing)}", None, (hint,))
        )
    tdp_w = _value(record.tdp)
    if record.device_model:
        device_model(record.device_model)  # told here, before a search begins
    return Chip(
        name=record.id,
        vendor=record.vendor,
        generation=record.generation,
        stack=record.stack,
        peak_flops={str(precision): _value(datum) for precision, datum in record.peak_flops.items()},
        memory_bytes=_value(record.memory),
        memory_bytes_per_s=_value(record.memory_bandwidth),
        scaleup_bytes_per_s=_value(record.scaleup_bandwidth),
        scaleup_domain=int(record.scaleup_domain),
        nic_bytes_per_s=_value(record.nic_bandwidth),
        tdp_w=tdp_w,
        idle_w=_value(record.idle_power, IDLE_SHARE * tdp_w),
        sms=int(record.sms),
        l2_bytes=_value(record.l2),
        anchors={str(name): _value(datum) for name, datum in record.anchors.items()},
        device_model=record.device_model,
    )


def box_from_record(platform: Any, accelerator: Any) -> Box:
    """The `Box` of a platform record with its accelerator's record.

    Storage power is part of `host_w`. The chip's scale-up domain is the platform's (what it wires up), never more.

    Raises:
        InputError: the accelerator is another one than the platform names, or lacks a needed fact.
    """
    if platform.accelerator != accelerator.id:
        message = f"platform '{platform.id}' holds '{platform.accelerator}', not '{accelerator.id}'"
        raise InputError(Problem("wrong_accelerator", message))
    chip = chip_from_record(accelerator)
    wired = Chip(**{name: getattr(chip, name) for name in Chip.__slots__} | {"scaleup_domain": platform.scaleup_domain})
    modes = tuple(
        PowerMode(m.name, _value(m.power_share, 1.0), _value(m.compute_share, 1.0), _value(m.memory_share, 1.0))
        for m in platform.modes
    )
    return Box(
        name=platform.id,
        chip=wired,
        chips=int(platform.chips_per_rack),
        chips_per_node=int(platform.chips_per_node),
        host_w=_value(platform.host_power) + _value(platform.storage_power),
        fabric_w=_value(platform.scaleup_power),
        nic_w=_value(platform.nic_power),
        fan_w=_value(platform.fan_power),
        supply_efficiency=_value(platform.supply_efficiency, 1.0),
        modes=modes,
    )

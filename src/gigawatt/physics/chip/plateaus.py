"""Named plateaus of a chip's watts, as published, for people and for checks: what it draws idle, waiting, streaming, computing.

A plateau that nobody published for a chip comes from the nearest kin that has it, as a share of the power limit and with a
wider band. `capped` is any plateau under a power cap (`clocks.capped_seconds`). Data: calibration `chip-power-plateaus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Chip

RECORD = "chip-power-plateaus"


@dataclass(frozen=True, slots=True)
class Plateau:
    """One plateau: watts with a range, its source, and the chip that was measured."""

    name: str
    precision: str
    watts: float
    low: float
    high: float
    source: str
    measured_on: str


def plateau(chip: Chip, name: str, precision: str = "bf16") -> Plateau:
    """Watts of `chip` on a plateau, from itself or the nearest kin that has it.

    Args:
        chip: the chip.
        name: idle, waiting, messages, decode-attention, decode, prefill or products.
        precision: where the plateau has several; the nearest wider one serves where it has not this one.

    Raises:
        InputError: no plateau of that name.
    """
    tables = calibration.record(RECORD).tables
    if name not in tables["names"]:
        raise InputError(unknown_name("plateau", name, tables["names"]))
    if name == "idle" and name not in tables["chips"].get(chip.name, {}):
        return Plateau(name, "any", chip.idle_w, 0.6 * chip.idle_w, 1.6 * chip.idle_w, "accelerator record", chip.name)
    rows: Mapping[str, Any] = {key: row for key, row in tables["chips"].items() if name in row}
    own, nearness = calibration.kin_of(chip, rows, tables["kin"])
    if own not in rows:  # the kin itself lacks this plateau
        own = next((key for key, row in rows.items() if row["generation"] == chip.generation), next(iter(rows)))
    of = rows[own][name]
    known = next(p for p in (precision, "any", *_WIDER.get(precision, ()), *of) if p in of)
    row, band = of[known], {"low": 1.0, "high": 1.0} if nearness == "measured" else tables["band_of_kin"]
    watts = max(row["share"] * chip.tdp_w, chip.idle_w)
    low, high = (
        max(row["low"] * band["low"] * chip.tdp_w, chip.idle_w),
        min(row["high"] * band["high"], 1.0) * chip.tdp_w,
    )
    return Plateau(name, known, watts, min(low, watts), max(high, watts), str(row["source"]), own)


def plateaus(chip: Chip, precision: str = "bf16") -> tuple[Plateau, ...]:
    """Every plateau of a chip, in the order idle to products."""
    names = calibration.table(RECORD, "names")
    return tuple(plateau(chip, name, precision) for name in names)


_WIDER = {"fp4": ("fp8", "bf16"), "fp8": ("bf16",), "int8": ("fp8", "bf16")}

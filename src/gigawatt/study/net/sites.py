"""Training over sites: how busy it stays on a link, and which link it takes, exchanging every step or every so many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core import units
from gigawatt.core.errors import Problems
from gigawatt.core.table import Table
from gigawatt.physics.fabric.across import (
    blocking,
    connect,
    exchanges,
    largest_distance_km,
    required_bytes_per_s,
    synchronous_step,
    utilisation,
)
from gigawatt.study.net.words import read_count, read_rate, read_series

TARGETS = (0.50, 0.80, 0.90, 0.95, 0.99)
GBPS = 8e-9
# Share of a step that is the backward pass, behind which an exchange may hide.
BACKWARD = 2 / 3


@dataclass(frozen=True, slots=True)
class Across:
    """Sites in a ring, neighbours `distance_km` of cable apart, each link `wan_bytes_per_s` one way.

    `parameters` values are exchanged; a step takes `step_s` alone; `sync_every` steps lie between exchanges, 1 being
    synchronous.
    """

    sites: int
    distance_km: float
    wan_bytes_per_s: float
    parameters: float
    step_s: float
    sync_every: tuple[int, ...] = (1, 100)
    bits: float = 16.0


def read_across(
    distance: str,
    wan: str,
    *,
    sites: int = 2,
    parameters: str = "",
    step: str = "",
    sync_every: str = "",
    bits: float = 16.0,
    told: Problems | None = None,
) -> Across:
    """Sites from the words of a command line.

    Raises:
        InputError: all that is missing, without a unit or out of range; unless `told` is given, which then gets it.
    """
    alone = told is None
    told = Problems() if told is None else told
    km = _length(distance, told)
    needs = (("--wan", wan, "400 Gb/s"), ("--parameters", parameters, "405e9"), ("--step", step, "26 s"))
    for option, text, example in needs:
        if not text:
            told.add("missing", f"--across needs {option}", None, f"{option} '{example}'")
    rate = read_rate("--wan", wan, told) or 0.0
    values = _number("--parameters", parameters, told)
    seconds = _seconds(step, told)
    every = read_series("--sync-every", sync_every, read_count, told) if sync_every else [1.0, 100.0]
    if sites < 2:
        told.add("out_of_range", f"--sites must be at least 2, not {sites}")
    if not bits > 0:
        told.add("out_of_range", f"--bits must be above 0, not {bits:g}")
    if alone:
        told.raise_if_any()
    return Across(sites, km, rate, values, seconds, tuple(int(h) for h in every), bits)


def _length(text: str, told: Problems) -> float:
    try:
        km = units.parse(text, "length") / 1e3
    except units.UnitError as error:
        told.add("bad_unit", f"--across: {error}", None, "--across '1000 km'")
        return 0.0
    if km < 0:
        told.add("out_of_range", f"--across: a distance is 0 km or more, not {text}")
    return km


def _number(option: str, text: str, told: Problems) -> float:
    try:
        value = units.parse(text, "count") if text else 1.0
    except units.UnitError as error:
        told.add("bad_unit", f"{option}: {error}", None, f"{option} 405e9")
        return 1.0
    if not value > 0:
        told.add("out_of_range", f"{option} must be above 0, not {text}")
    return value


def _seconds(text: str, told: Problems) -> float:
    try:
        value = units.parse(text, "time") if text else 1.0
    except units.UnitError as error:
        told.add("bad_unit", f"--step: {error}", None, "--step '26 s'")
        return 1.0
    if not value > 0:
        told.add("out_of_range", f"--step must be above 0, not {text}")
    return value


def across_tables(asked: Across) -> tuple[Table, Table]:
    """(`across`: a row a number of steps between exchanges; `across_step`: what a synchronous exchange is made of)."""
    names = [f"site {i + 1}" for i in range(asked.sites)]
    sites = connect(names, asked.distance_km, asked.wan_bytes_per_s)
    ways = exchanges(sites)
    ring = next(way for way in ways if way.name == "ring")
    every = np.asarray(asked.sync_every, np.float64)
    method = blocking(every, bits=asked.bits)
    share = utilisation(asked.parameters, asked.step_s, asked.wan_bytes_per_s, method, latency_s=ring.latency_s)
    farthest = largest_distance_km(
        asked.parameters, asked.step_s, 0.9, asked.wan_bytes_per_s, method, hops=2.0 * (asked.sites - 1)
    )
    need = {
        target: required_bytes_per_s(asked.parameters, asked.step_s, target, method, latency_s=ring.latency_s) * GBPS
        for target in TARGETS
    }
    columns = {
        "method": ["synchronous" if h == 1 else "DiLoCo" for h in asked.sync_every],
        "sync_every": list(asked.sync_every),
        "utilisation": share.tolist(),
        **{f"need_{100 * target:.0f}": values.tolist() for target, values in need.items()},
        "farthest_90_km": np.where(farthest >= 0, farthest, np.nan).tolist(),
    }
    link = f"{asked.wan_bytes_per_s * GBPS:,.4g} Gb/s a link each way"
    values = f"{asked.parameters / 1e9:,.4g} billion values"
    note = (
        f"{asked.sites} sites, {asked.distance_km:,.4g} km of cable between neighbours, {link}, {values} "
        f"of {asked.bits:g} bits, a step of {asked.step_s:g} s. Bandwidth that a site needs to compute 50 to 99 % of the time; "
        "farthest neighbour at which this link still gives 90 %. Constants fitted to table 6 of arXiv 2503.09799."
    )
    told = {f"need_{100 * target:.0f}": "Gb/s" for target in TARGETS} | {"utilisation": "share", "farthest_90_km": "km"}
    table = Table("across", columns, told, "Over sites: how busy, and what link it takes", note)
    step = synchronous_step(asked.step_s, asked.parameters, ways, bits=asked.bits, overlap=BACKWARD)
    made = {
        "algorithm": str(step.algorithm[0]),
        "transfer_s": float(step.transfer_s[0]),
        "latency_s": float(step.latency_s[0]),
        "exposed_s": float(step.exposed_s[0]),
        "step_s": float(step.step_s[0]),
        "busy_share": float(step.utilisation[0]),
        "busy_share_low": float(step.low[0]),
        "busy_share_high": float(step.high[0]),
        "bound": str(step.bound[0]),
    }
    words = "The fastest way of an all-reduce over these sites, two thirds of the step to hide behind; nothing here is fitted."
    seconds = {name: "s" for name in made if name.endswith("_s")} | {name: "share" for name in made if "share" in name}
    return table, Table.from_rows("across_step", [made], tuple(made), seconds, "One synchronous step", words)

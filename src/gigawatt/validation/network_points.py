"""Published points of a collective beside an answer of `gigawatt net`: same accelerator, domain in use, collective, chips."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.core.table import Table
from gigawatt.physics.fabric import bus_factor
from gigawatt.physics.fabric.collective import LINES
from gigawatt.study.net.tables import size_words
from gigawatt.study.result import RunResult
from gigawatt.validation.base import number
from gigawatt.validation.network import gpu_of, read
from gigawatt.validation.tables import find_tables, layout_of, read_rows

COLUMNS = ("network", "collective", "n", "size", "nbytes", "busbw_gb_per_s", "source", "machine", "software")
UNITS = {"nbytes": "byte", "busbw_gb_per_s": "GB/s"}


def with_measured(result: RunResult) -> RunResult:
    """The answer with a table `measured`: published points that match its rows, with their sources; as it was without any."""
    rows = result.tables.get("rows")
    chips = result.manifest.get("accelerators") or {}
    if rows is None or not chips:
        return result
    listed = list(rows.rows())
    asked = dict.fromkeys((r["network"], r["collective"], r["n"], r["per_domain"]) for r in listed)
    least, most = min(r["nbytes"] for r in listed), max(r["nbytes"] for r in listed)
    found = [
        {"network": network} | point
        for network, kind, n, inside in asked
        for point in published(kind, chips[network], n, inside)
        if least <= point["nbytes"] <= most
    ]
    if not found:
        return result
    note = (
        "Of the packaged tables, or those of GIGAWATT_TRUTH. Networks between domains differ: the machine says which."
    )
    table = Table.from_rows("measured", found, COLUMNS, UNITS, "Published points", note)
    return replace(result, tables={**result.tables, "measured": table})


def published(kind: str, accelerator: str, ranks: int, per_domain: float) -> list[dict[str, Any]]:
    """Points of nccl-tests tables, smallest first; of a point told twice (time and bandwidth) the bandwidth."""
    points: dict[tuple[str, float], dict[str, Any]] = {}
    for point in _all(tuple(find_tables("network"))):
        if (point["collective"], point["accelerator"], point["n"]) != (kind, accelerator, ranks):
            continue
        if point["per_domain"] != per_domain:
            continue
        key = (point["source"].partition(" L")[0] + point["machine"] + point["software"], point["nbytes"])
        if key not in points or point["stated"]:
            points[key] = {name: value for name, value in point.items() if name in COLUMNS}
    return sorted(points.values(), key=lambda p: (p["source"], p["nbytes"]))


@lru_cache(maxsize=4)
def _all(paths: tuple[Path, ...]) -> tuple[dict[str, Any], ...]:
    """Every row of a plain collective whose size and GPU are stated, as bus bandwidth."""
    out: list[dict[str, Any]] = []
    for path in paths:
        rows = read_rows(path)
        layout = layout_of("network", rows, path)
        for row, blind in zip(rows, layout.blind(rows), strict=True):
            value, nbytes = number(row["value"]), number(row["nbytes"])
            if value is None or not value > 0 or nbytes is None or not _names_gpu(row["gpu"]):
                continue
            case = read(blind)
            if case.kind not in LINES or case.profiled or case.transport in ("message", "cross-rail"):
                continue
            factor = float(bus_factor(case.kind, case.ranks))
            per_value = {"busbw_GBps": 1.0, "algbw_GBps": factor}.get(row["metric"])
            bandwidth = nbytes / value * 1e-3 * factor if per_value is None else value * per_value
            if per_value is None and row["metric"] != "time_us":
                continue
            out.append(
                {
                    "collective": case.kind,
                    "accelerator": gpu_of(row["gpu"])[0].name,
                    "n": case.ranks,
                    "per_domain": min(case.per_domain, case.ranks),
                    "size": size_words(nbytes),
                    "nbytes": nbytes,
                    "busbw_gb_per_s": bandwidth,
                    "stated": row["metric"] == "busbw_GBps",
                    "source": row["source"],
                    "machine": "; ".join(part for part in (row["scale_up"], row["scale_out"]) if part),
                    "software": row["algorithm/protocol"],
                }
            )
    return tuple(out)


def _names_gpu(text: str) -> bool:
    return bool(text.strip()) and not gpu_of(text)[1]

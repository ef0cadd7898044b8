"""The roofline of an accelerator with measured kernels: how far below its data sheet real work runs, and how we predict it.

x: FLOPs for each byte that must move; y: FLOP/s. Roofs are the data sheet's (the slope its memory bandwidth, a ceiling for
each precision). Dots are measured kernels of the packaged sample, crosses the same kernels as predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.gemm import widths
from gigawatt.physics.chip.kernels import FAMILIES, PEAK_OF, anchors, calibration_for, fitted_words
from gigawatt.report.chart_parts import axis
from gigawatt.report.theme import BLUE, GREEN, GREY, INK, ORANGE, RED, Figure, layout
from gigawatt.validation.kernels import predict, shape_of
from gigawatt.validation.tables import find_tables, layout_of, read_rows

COLOURS = {"bf16": BLUE, "fp8": ORANGE, "fp8_block": GREEN, "fp4": RED}
Row = Mapping[str, Any]


def kernel_table(chip: Chip) -> Table:
    """Whose constants serve a chip, by family and precision, with their held-out error and the 80 % band."""
    rows: list[dict[str, Any]] = []
    for family, kind in FAMILIES.items():
        for word in fitted_words(family):
            first = word.split("/")[0]
            if kind.wants != "nothing" and PEAK_OF.get(first, first) not in chip.peak_flops:
                continue
            fit = calibration_for(chip, family, word)
            rows.append(
                {
                    "family": family,
                    "fitted as": word,
                    "constants of": fit.chip if fit.nearness == "measured" else f"{fit.chip}, {fit.nearness}",
                    "median error there": fit.values.get("median"),
                    "band low": round(fit.low, 3),
                    "band high": round(fit.high, 3),
                }
            )
    return Table.from_rows("kernels", rows, list(rows[0]), title="Kernel times: measured over predicted, 80 % band")


def anchor_table(chip: Chip) -> Table | None:
    """The kernels to measure on a chip that nobody measured, one for each family and precision; None for a measured chip."""
    rows: list[dict[str, Any]] = []
    for anchor in anchors(chip):
        band = anchor.anchored_band
        rows.append(
            {
                "anchor": f"{anchor.family}/{anchor.precision}",
                "kernel to time": ", ".join(f"{name} {value:g}" for name, value in anchor.shape.items()),
                "band then": f"{band[0]:.2f} to {band[1]:.2f}" if band else "as before",
            }
        )
    title = "Time these on the chip and write them into an overlay: anchors: {gemm/bf16: 55 us}"
    return Table.from_rows("anchors", rows, list(rows[0]), title=title) if rows else None


def roofline(chip: Chip) -> Figure:
    """The chart; without measured rows the roofs alone, with predicted products on them."""
    data = [*_roofs(chip), *_points(chip)]
    return {
        "data": data,
        "layout": layout(
            height=620,
            showlegend=True,
            xaxis=axis("FLOPs per byte that must move") | {"type": "log"},
            yaxis=axis("FLOP/s") | {"type": "log"},
            margin={"l": 70, "r": 24, "t": 70, "b": 60},
        ),
    }


def _roofs(chip: Chip) -> list[dict[str, Any]]:
    x = np.logspace(-1, 5, 200)
    lines = []
    for precision, colour in (("bf16", BLUE), ("fp8", ORANGE), ("fp4", RED)):
        if precision in chip.peak_flops:
            roof = np.minimum(chip.peak_flops[precision], x * chip.memory_bytes_per_s)
            lines.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{precision} data sheet, {chip.peak_flops[precision] / 1e12:,.0f} TFLOP/s",
                    "x": x.tolist(),
                    "y": roof.tolist(),
                    "line": {"color": colour, "width": 1.5, "dash": "dot"},
                }
            )
    return lines


def measured_rows(chip: Chip) -> list[dict[str, str]]:
    """Rows of the packaged sample of a chip, best of engines: products of matrices."""
    found = []
    for path in find_tables("kernels"):
        rows = read_rows(path)
        layout_of("kernels", rows, path)
        found += [r for r in rows if r["chip"] == chip.name and r["family"] == "gemm" and r["engine"] == "best"]
    return found


def _points(chip: Chip) -> list[dict[str, Any]]:
    rows = measured_rows(chip)
    by_precision: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_precision.setdefault(row["precision"], []).append(row)
    out: list[dict[str, Any]] = []
    for precision, members in by_precision.items():
        shapes = [shape_of(row["shape"]) for row in members]
        flops, intensity = _work(shapes, precision)
        colour = COLOURS.get(precision, GREY)
        measured = np.array([float(row["time_us"]) for row in members]) * 1e-6
        predicted = {p.id: p.predicted for p in predict([{**row, "time_us": ""} for row in members])}
        ours = np.array([float(predicted[row["id"]] or np.nan) for row in members]) * 1e-6
        text = [
            f"{row['shape']}<br>measured {m * 1e6:,.1f} us, predicted {o * 1e6:,.1f}"
            for row, m, o in zip(members, measured, ours, strict=True)
        ]
        for name, seconds, symbol in (("measured", measured, "circle"), ("predicted", ours, "x-thin-open")):
            out.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{precision} products, {name}",
                    "x": intensity.tolist(),
                    "y": (flops / seconds).tolist(),
                    "text": text,
                    "hovertemplate": "%{text}<br>%{y:.3s}FLOP/s<extra></extra>",
                    "marker": _marker(colour, symbol),
                }
            )
    return out


def _marker(colour: str, symbol: str) -> dict[str, Any]:
    filled = symbol == "circle"
    edge = {"color": INK, "width": 0.3} if filled else {"color": colour, "width": 1.2}
    return {"color": colour, "size": 7 if filled else 9, "symbol": symbol, "line": edge}


def _work(shapes: Sequence[Mapping[str, float]], precision: str) -> tuple[np.ndarray, np.ndarray]:
    m, n, k = (np.array([shape[name] for shape in shapes]) for name in "mnk")
    weight, activation = widths(precision)
    flops = 2.0 * m * n * k
    return flops, flops / (weight * n * k + activation * m * k + 2.0 * m * n)

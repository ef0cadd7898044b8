"""Writes a training calibration record: parameters, spreads, group sigmas and stacks, as catalog YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training_start import STACKS, START

TARGET = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/training-step.yaml"


def write(
    values: Mapping[str, float],
    sigma: Mapping[str, float],
    groups: Mapping[str, float],
    error: Mapping[str, Any],
    rows: int,
    tables: Mapping[str, Any],
    fitted_to: str,
    target: Path = TARGET,
) -> None:
    """Write the record to `target`."""
    lines = [
        "id: training-step",
        'name: "Training step time: GEMM, attention, traffic, messages, schedule"',
        "kind: estimated",
        'source: "own fit (tools/fit/fit_training.py) to published measured training steps"',
        'as_of: "2026-11"',
        f'fitted_to: "{fitted_to}"',
        f"rows: {rows}",
        'release: "NeMo 26.06 class software, 2026-06"',
        "error:  # MAPE in %, on the rows named",
    ]
    lines += _block(error)
    lines += ["parameters:  # sigma is of the logarithm; 0 = held at its prior"]
    for name, (_, _, note) in START.items():
        lines.append(f'  "{name}": {{value: {values[name]:.4g}, sigma: {sigma.get(name, 0.0):.3f}, note: "{note}"}}')
    lines += ["groups:  # 80 % half-width of ln(predicted / measured) over 1.2816, by group of rows"]
    lines += [f'  "{key}": {value:.3f}' for key, value in groups.items()]
    lines += ["tables:", "  stacks:"]
    for name, settings in STACKS.items():
        body = ", ".join(f"{k}: {_text(v)}" for k, v in settings.items())
        lines.append(f"    {name}: {{{body}}}")
    for key, value in tables.items():
        lines += _block({key: value})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _block(entries: Mapping[str, Any]) -> list[str]:
    """Entries one a line, those of a mapping below its name."""
    lines = []
    for key, value in entries.items():
        if isinstance(value, Mapping):
            lines += [f"  {key}:", *(f'    "{k}": {_text(v)}' for k, v in value.items())]
        else:
            lines.append(f"  {key}: {_text(value)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{k}": {_text(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value) if isinstance(value, int) else f'"{value}"'

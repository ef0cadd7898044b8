"""Writes fitted constants as a catalog calibration: one row a chip, precision and engine, errors beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .generations import Transfer
from .harness import Fit
from .tables import PACKAGE, package_version

OUT = Path(__file__).resolve().parents[3] / "src/gigawatt/catalog/data/calibration"
# Chips of generations that nobody measured take the pooled constants; of measured ones, the named member's.
KIN = {
    "ampere": "a100-sxm-80gb",
    "hopper": "h100-sxm",
    "blackwell": "b200-sxm",
    "blackwell-ultra": "b300-sxm",
    "default": "pooled",
}
SOURCE = f"measured kernel tables in PyPI {PACKAGE} {package_version()} (Apache-2.0, NVIDIA Corporation & Affiliates)"
RELEASE = "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0 (A100: 1.0.0, 0.5.10, 0.14.0; B60: vLLM 0.26.0)"


def number(value: float) -> str:
    """Three digits are more than the fit knows."""
    return f"{value:.3g}"


def fit_line(precision: str, engine: str, found: Fit, **more: str) -> str:
    """One fit as a flow mapping."""
    words = [f'precision: "{precision}"', f"engine: {engine}"]
    words += [f"{key}: {value}" for key, value in more.items()]
    words += [f"{key}: {number(value)}" for key, value in found.values.items()]
    low, high = 2.718281828459045**found.q10, 2.718281828459045**found.q90
    words += [f"low: {low:.3f}", f"high: {high:.3f}", f"rows: {found.rows}"]
    words += [f"median: {found.median:.4f}", f"p90: {found.p90:.3f}"]
    if found.null_median == found.null_median:
        words += [f"null_median: {found.null_median:.3f}", f"null_p90: {found.null_p90:.3f}"]
    return "{" + ", ".join(words) + "}"


def transfer_lines(precision: str, found: Transfer) -> tuple[str, list[str]]:
    """(fit of the pooled chip, lines of the left-out table) of a precision."""
    words = [f'precision: "{precision}"', "engine: best"]
    words += [f"{key}: {number(value)}" for key, value in found.values.items()]
    words += [f"low: {found.low:.3f}", f"high: {found.high:.3f}"]
    anchor = ", ".join(f"{key}: {value:g}" for key, value in found.anchor.items())
    lines = [
        f'    "{precision}":',
        f"      anchor: {{{anchor}, weight: {found.weight:g}, low: {found.anchored_low:.3f}, "
        f"high: {found.anchored_high:.3f}}}",
    ]
    for row in found.left_out:
        lines.append(
            f"      {row.generation}: {{median: {row.median:.3f}, p90: {row.p90:.2f}, bias: {row.bias:.3f}, "
            f"coverage: {row.coverage:.2f}, half_width: {row.half_width:.2f}, anchored_median: "
            f"{row.anchored_median:.3f}, anchored_coverage: {row.anchored_coverage:.2f}, "
            f"anchored_half_width: {row.anchored_half_width:.2f}}}"
        )
    return "{" + ", ".join(words) + "}", lines


def lent_line(generation: str, source: str, errors: tuple[float, float, float]) -> str:
    """What constants lent by another precision, on other generations, make of a generation that they never saw."""
    median, p90, bias = errors
    return f"      {generation}_lent_by_{source}: {{median: {median:.3f}, p90: {p90:.2f}, bias: {bias:.3f}}}"


def write(
    family: str,
    title: str,
    fits: Mapping[str, tuple[str, Sequence[str]]],
    pooled: Sequence[str],
    left_out: Sequence[str],
    rows: int,
    error: str,
    stretch_generation: float,
    extra: Sequence[str] = (),
    out: Path = OUT,
) -> Path:
    """The file `chip-FAMILY.yaml`; `fits` maps a chip to its generation and flow mappings."""
    lines = [
        f"id: chip-{family}",
        f'name: "{title}"',
        "kind: chip",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ai-dynamo/aiconfigurator",
        'as_of: "2026-11"',
        'fitted_to: "latency of single kernels; soft-L1 on log(predicted/measured), errors held out by shape"',
        f"rows: {rows}",
        f"error: {error}",
        f'release: "{RELEASE}"',
        "parameters:",
        f"  stretch_generation: {{value: {stretch_generation:.2f}, "
        'note: "power of the own band that holds 80 % of a sister chip"}',
        '  stretch_kin: {value: 1.0, note: "the pooled band is read off generations left out"}',
        *extra,
        "# low, high: 80 % band of measured over predicted, held out by shape (pooled: by generation); median, p90: held-out",
        "# absolute relative error; null: launch plus the larger of arithmetic and memory. Times in microseconds.",
        "tables:",
        "  kin: {" + ", ".join(f"{key}: {value}" for key, value in KIN.items()) + "}",
        "  # A generation left out of the pooled fit, and with one anchor kernel measured on it.",
        "  left_out:",
        *left_out,
        "  rows:",
    ]
    for chip, (generation, found) in {**fits, "pooled": ("any", pooled)}.items():
        lines += [f"    {chip}:", f"      generation: {generation}", "      fits:"]
        lines += [f"        - {line}" for line in found]
    path = out / f"chip-{family}.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def summary(fits: Mapping[str, Sequence[Fit]]) -> str:
    """Range over chips of the held-out median and 90th percentile, by precision."""
    words = []
    for precision, found in fits.items():
        for name, values in (("median", [f.median for f in found]), ("p90", [f.p90 for f in found])):
            words.append(f"{precision}_{name}: {min(values):.3f}-{max(values):.3f}")
    return "{" + ", ".join(words) + "}"

"""Fits the plateaus of `physics.serving.power` to GPU watts of serving, and denoising's; writes `calibration/serving-power`.

    python tools/fit/fit_serving_power.py --truth FOLDER     # FOLDER holds truth/power_serving_mlenergy.csv, energy_truth.csv

Run after `fit_stacks`. Errors leave out whole models of both fits: a fold's watts come from plateaus and from stack factors
that never saw its models. `two_anchors` are those watts, met at two points of each deployment's curve and scored on the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from fit_serving import half_width
from fit_stacks import BAND, STRETCH, Rows, fit, read
from numpy.typing import NDArray
from stack_priors import STACKS, Priors

from gigawatt.physics.serving.power import PHASES, Phases, anchored, phase_watts
from gigawatt.validation import power
from gigawatt.validation.serving_answers import metric_of
from gigawatt.validation.serving_published import Case, case_of
from gigawatt.validation.serving_solve import Solved, solve, stack_tables
from gigawatt.validation.tables import layout_of, read_rows

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
OUT = Path(__file__).resolve().parents[2] / "src/gigawatt/catalog/data/calibration/serving-power.yaml"
STACK = "vllm-benchmark"
METRICS = ("gpu_power_w", "itl_p50_ms", "output_tok_s")
TEXT = ("lm-arena-chat", "gpqa", "sourcegraph-fim")
# Plateaus over the limit, and their ratio on Blackwell to Hopper ("b.").
PLATEAUS: Priors = {
    "wait": (0.25, 0.2), "launches": (0.3, 0.3), "dense": (0.75, 0.2), "experts": (0.75, 0.2), "attention": (0.75, 0.2),
    "collectives": (0.3, 0.3), "prompts": (0.95, 0.12), "compute": (1.0, 0.4), "memory": (0.2, 0.4),
    "b.wait": (0.9, 0.15), "b.launches": (1.0, 0.15), "b.dense": (1.0, 0.2), "b.experts": (1.0, 0.15),
    "b.attention": (1.0, 0.15), "b.collectives": (1.0, 0.15), "b.prompts": (1.0, 0.1), "b.compute": (1.0, 0.15),
    "b.memory": (1.0, 0.15),
}  # fmt: skip
CHIPS = {"hopper": "h100-sxm", "blackwell": "b200-sxm"}
WATT_SIGMA = 0.1


def plateaus_of(found: Mapping[str, float], generation: str) -> dict[str, float]:
    """Constants of one generation."""
    names = (*PHASES, "compute", "memory")
    return {n: found[n] * (found[f"b.{n}"] if generation == "blackwell" else 1.0) for n in names}


class Curve:
    """The leaderboard's rows, their measured values, and what they did."""

    def __init__(self, path: Path) -> None:
        rows = read_rows(path)
        layout = layout_of("power", rows, path)
        measured = layout.measured(rows)
        self.cases = [case_of(power.leaderboard_row(row)) for row in layout.blind(rows)]
        self.truth = {m: np.array([measured[row["id"], m] or np.nan for row in rows]) for m in METRICS}
        self.generation = np.array([c.chip.generation for c in self.cases])
        self.model = np.array([c.named.model_id or c.row["model"] for c in self.cases])
        self.text = np.array([c.task in TEXT for c in self.cases])
        self.sparse = np.array([float(c.spec.model.moe_layers) > 0 if c.spec else False for c in self.cases])
        labels = [f"{c.group} {c.task} {c.gpus}" for c in self.cases]
        self.curve = np.array(labels)
        self.weight = np.sqrt([min(1.0, 6.0 / labels.count(label)) for label in labels]) / WATT_SIGMA

    def watts(self, solved: Sequence[Solved], found: Mapping[str, float], mask: Mask) -> Floats:
        """Watts of the rows of a mask, in their order."""
        out = np.zeros(int(mask.sum()))
        for generation in CHIPS:
            rows = np.flatnonzero(mask & (self.generation == generation))
            if len(rows):
                parts = [solved[i].phases for i in rows]
                joined = Phases(*(np.concatenate([getattr(p, n) for p in parts]) for n in Phases.__dataclass_fields__))
                place = np.searchsorted(np.flatnonzero(mask), rows)
                out[place] = phase_watts(self.cases[rows[0]].chip, joined, plateaus=plateaus_of(found, generation))
        return out

    def fitted(self, solved: Sequence[Solved], mask: Mask) -> dict[str, float]:
        """Plateaus from the rows of a mask."""
        return fit(PLATEAUS, lambda f: self.watts(solved, f, mask), self.truth["gpu_power_w"][mask], self.weight[mask])


def left_out(curve: Curve, rows: Rows, whole: Mapping[str, float]) -> dict[str, Floats]:
    """Watts, gaps and rates of every row from fits that never saw its model."""
    priors = STACKS[STACK]
    models = np.array([c.named.model_id or c.row["model"] for c in rows.cases])
    found = {m: np.full(len(curve.cases), np.nan) for m in METRICS}
    for k in sorted(set(rows.fold)):
        keep = rows.take(rows.fold != k)
        factors = fit(priors, keep.predicted, keep.truth, keep.weight, whole, 8)
        solved = solve(curve.cases, factors)
        out = np.isin(curve.model, sorted(set(models[rows.fold == k])))
        found["gpu_power_w"][out] = curve.watts(solved, curve.fitted(solved, ~out), out)
        found["itl_p50_ms"][out] = [solved[i].itl_p50_s * 1e3 for i in np.flatnonzero(out)]
        found["output_tok_s"][out] = [solved[i].tokens_per_s for i in np.flatnonzero(out)]
    return found


def with_anchors(curve: Curve, watts: Floats, mask: Mask, ends: bool) -> Floats:
    """Relative errors of each curve's other points once it is met at its first and last, or at its quarter points."""
    truth, errors = curve.truth["gpu_power_w"], []
    batch = np.array([c.batch for c in curve.cases])
    for label in sorted(set(curve.curve[mask])):
        rows = np.flatnonzero(curve.curve == label)
        rows = rows[np.argsort(batch[rows])]
        if len(rows) >= 3:
            inner = len(rows) > 4 and not ends
            met = rows[[len(rows) // 4, 3 * len(rows) // 4]] if inner else rows[[0, -1]]
            rest = np.setdiff1d(rows, met)
            own = anchored(watts[met], truth[met], batch[met])
            errors += list(own.watts(watts[rest], batch[rest]) / truth[rest] - 1.0)
    return np.array(errors)


def relative(errors: Floats) -> dict[str, float]:
    """Mean, median and 90th percentile of relative errors, and their bias."""
    off = np.abs(errors)
    found = {"mean": off.mean(), "median": np.median(off), "p90": np.quantile(off, 0.9), "bias": np.median(errors)}
    return {name: round(float(value), 4) for name, value in found.items()} | {"rows": len(errors)}


def main() -> None:
    """Fit, leave out, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    folder = parser.parse_args().truth / "truth"
    whole = {k: float(v) for k, v in stack_tables()[STACK].items()}
    pairs = [(c, v) for c, v in read(folder / "infer_truth.csv") if c.stack == STACK and c.spec is not None]
    curve, rows = Curve(folder / "power_serving_mlenergy.csv"), Rows.of(pairs)
    assert all(metric_of(c, solve([c])[0]) for c in rows.cases[:1])
    every = np.ones(len(curve.cases), dtype=bool)
    solved = solve(curve.cases)
    found = curve.fitted(solved, every)
    inside, outside = curve.watts(solved, found, every), left_out(curve, rows, whole)
    truth = curve.truth["gpu_power_w"]
    errors: dict[str, dict[str, float]] = {}
    for name, watts in (("fitted", inside), ("model_left_out", outside["gpu_power_w"])):
        off = watts / truth - 1.0
        errors[f"all.{name}"] = relative(off)
        errors[f"dense_text.{name}"] = relative(off[curve.text & ~curve.sparse])
        errors[f"text.{name}"] = relative(off[curve.text])
        errors[f"vision.{name}"] = relative(off[~curve.text])
        for generation, chip in CHIPS.items():
            errors[f"{chip}.{name}"] = relative(off[curve.generation == generation])
    dense = curve.text & ~curve.sparse
    for name, mask in (("all", every), ("text", curve.text), ("dense_text", dense)):
        for place, ends in (("ends", True), ("quarters", False)):
            met = with_anchors(curve, outside["gpu_power_w"], mask, ends)
            errors[f"{name}.two_anchors_at_{place}.model_left_out"] = relative(met)
    per_token = outside["gpu_power_w"] / outside["output_tok_s"] * curve.truth["output_tok_s"] / truth
    errors["joules_per_token.model_left_out"] = relative(per_token - 1.0)
    null = np.array([np.median(truth[curve.generation == g]) for g in curve.generation])
    errors["constant_per_chip"] = relative(null / truth - 1.0)
    for name, item in errors.items():
        print(name, item)
    widths = {}
    for metric in METRICS:
        log = np.log(outside[metric] / curve.truth[metric])
        for kind, mask in (("text", curve.text), ("vision", ~curve.text)):
            widths[f"power.{metric}.{kind}"] = STRETCH * half_width(log[mask], BAND)
    for metric in ("energy_per_output_token", "energy_per_response"):
        widths[f"energy.{metric}"] = STRETCH * half_width(np.log(per_token), BAND)
    bands = {
        g: np.quantile(truth[curve.generation == g] / outside["gpu_power_w"][curve.generation == g], (0.1, 0.9))
        for g in CHIPS
    }
    denoising, more = _denoising(folder / "energy_truth.csv")
    write(found, bands, errors, widths | more | _unfitted(folder / "energy_truth.csv"), denoising, len(truth))


UNFITTED = ("system_wall_power", "energy_per_output_token_derived", "energy_per_sample_derived", "gpu_power_mean")


def _unfitted(path: Path) -> dict[str, float]:
    """Half-widths of energy metrics that no constant was fitted to."""
    rows = [r for r in read_rows(path) if r["metric"] in UNFITTED]
    layout = layout_of("power", rows, path)
    measured = layout.measured(rows)
    errors: dict[str, list[float]] = {}
    for row, made in zip(rows, power.predict(layout.blind(rows)), strict=True):
        value = measured[row["id"], row["metric"]]
        if made.predicted and value:
            errors.setdefault(row["metric"], []).append(float(np.log(made.predicted / value)))
    for metric, e in errors.items():
        print("energy", metric, relative(np.expm1(np.array(e))))
    return {f"energy.{metric}": half_width(np.array(e), 0.8) for metric, e in errors.items()}


def _denoising(path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Factor on a denoising chip's watts by kind and generation (median), and half-widths of its energy."""
    rows = [r for r in read_rows(path) if r["metric"] in ("energy_per_image", "energy_per_video")]
    layout = layout_of("power", rows, path)
    measured = layout.measured(rows)
    blind = layout.blind(rows)
    cases: list[Case] = [c for c in (power.energy_case(row) for row in blind) if c is not None]
    now, errors = power.denoising_factors(), {}
    for row, case, made in zip(rows, cases, power.predict(blind), strict=True):
        value = measured[row["id"], row["metric"]]
        if made.predicted and value:
            name = f"{row['metric'].removeprefix('energy_per_')}.{case.chip.generation}"
            errors.setdefault(name, []).append(float(np.log(made.predicted / value)))
    factors = {name: now.get(name, 1.0) * float(np.exp(-np.median(e))) for name, e in errors.items()}
    widths: dict[str, list[float]] = {}
    for name, e in errors.items():
        off = np.array(e) - np.median(e)
        print("energy", name, relative(np.expm1(off)))
        widths.setdefault(f"energy.energy_per_{name.split('.')[0]}", []).extend(off)
    return factors, {name: half_width(np.array(e), 0.8) for name, e in widths.items()}


def write(
    found: Mapping[str, float], bands: Mapping[str, Floats], errors: Mapping[str, Mapping[str, float]],
    widths: Mapping[str, float], denoising: Mapping[str, float], rows: int,
) -> None:  # fmt: skip
    """The record."""

    def row(item: Mapping[str, float]) -> str:
        return "{" + ", ".join(f"{key}: {value:.4g}" for key, value in item.items()) + "}"

    plateaus = [
        f"    {chip}: {{generation: {g}, {row(plateaus_of(found, g))[1:-1]}, low: {bands[g][0]:.3f}, high: {bands[g][1]:.3f}}}"
        for g, chip in CHIPS.items()
    ]
    text = HEAD.format(rows=rows, errors="\n".join(f"  {name}: {row(item)}" for name, item in errors.items()))
    text += "\n".join(f"  {name}: {min(max(value, 0.03), 1.5):.3f}" for name, value in sorted(widths.items()))
    text += TABLES + "\n".join(plateaus) + KIN + f"  denoising: {row(denoising)}\n"
    OUT.write_text(text, encoding="utf-8")


HEAD = """id: serving-power
name: "Watts of a serving chip by what its time goes into; of a denoising one"
kind: serving
source: "ML.ENERGY leaderboard v3 (Feb 2026): GPU power of vLLM serving configurations on H100 SXM (700 W) and B200 SXM (1,000 W)"
source_url: https://github.com/ml-energy/leaderboard
as_of: "2026-02"
fitted_to: "average GPU power over the phases of predicted steps; model_left_out: neither the plateaus nor the stack's factors saw the model; two_anchors: then met at two points of each curve (its ends, or a quarter of the way from them), errors of its other points"
rows: {rows}
# Relative errors of watts.
error:
{errors}
release: "vLLM, 2025-11 to 2026-01"
# Half-widths of the logarithm: 1.08 times what holds 63 % of the rows left out, about 80 % of rows of models seen (of images, videos and
# metrics that nothing was fitted to: 80 % of all rows).
groups:
"""  # noqa: E501
TABLES = """
# W / limit = soft(sum of shares of time x plateaus + compute uc + memory um, cap): see physics/serving/power.py
parameters:
  cap: {value: 0.97, note: "most that the mean of a run reaches of its power limit (measured: 0.976 of 1,000 W)"}
tables:
  plateaus:
"""
KIN = """
  # What they were measured on: limit in W, memory in bytes/s.
  measured_on:
    h100-sxm: {vendor: nvidia, limit_w: 700, memory_bytes_per_s: 3.35e+12}
    b200-sxm: {vendor: nvidia, limit_w: 1000, memory_bytes_per_s: 7.7e+12}
  # Chips without serving measurements take those of the nearest kin (see physics/serving/power.py), with a wider band.
  kin: {hopper: h100-sxm, ampere: h100-sxm, ada: h100-sxm, blackwell: b200-sxm, blackwell-ultra: b200-sxm, rubin: b200-sxm, cdna2: h100-sxm, cdna3: h100-sxm, cdna4: b200-sxm, cdna5: b200-sxm, default: h100-sxm}
  band_of_kin: {low: 0.70, high: 1.35, note: "assumed: the larger of both fitted bands, widened"}
  # Factors on a denoising chip's watts (dense products while it computes, waiting while it does not), by output and generation.
"""  # noqa: E501

if __name__ == "__main__":
    main()

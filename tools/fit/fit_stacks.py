"""Fits what other software stacks change of the serving constants, and diffusion; writes `calibration/serving-stacks`.

    python tools/fit/fit_stacks.py --truth FOLDER     # FOLDER holds truth/infer_truth.csv

A stack is an engine on a kind of chip. Cells (stack, chip, model) are dealt to a fitted and a held-out part by a hash of
their name: constants come from the fitted part alone, half-widths of bands and the errors written from the held-out one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from fit_serving import OUT as SERVING
from fit_serving import half_width, part, robust, summary
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.validation import power, serving_answers
from gigawatt.validation.serving_answers import DIFFUSION_START, MLPERF_START, metric_of
from gigawatt.validation.serving_published import TASK_INPUT, Case, case_of
from gigawatt.validation.serving_solve import solve
from gigawatt.validation.tables import layout_of, read_rows

Floats = NDArray[np.float64]
OUT = SERVING.with_name("serving-stacks.yaml")
HELD_OUT = 0.35

SOURCE = (
    "ML.ENERGY leaderboard v3; TensorRT-LLM performance pages; AWS Neuron SDK benchmarks; splitwise-sim; "
    "MLPerf Inference v4.1 to v6.0 results"
)
# stack -> factor -> (start, sigma of the logarithm)
COMMON: Mapping[str, tuple[float, float]] = {
    "launches": (1.0, 0.5), "host": (1.0, 0.8), "request": (1.0, 0.8), "eager": (1.0, 0.6), "decode": (1.1, 0.25),
    "attention": (1.1, 0.4), "prefill": (1.1, 0.4), "reduce": (1.0, 0.6),
}  # fmt: skip
TASKS = {f"input.{task}": (1.0, 0.5) for task in TASK_INPUT}
VISION = {"prompt_ms.image-chat": (20.0, 1.0), "prompt_ms.video-chat": (60.0, 1.0)}
STACKS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "vllm-benchmark": {**COMMON, **TASKS, **VISION, "mixed_launch": (0.3, 0.8), "tail": (1.0, 0.5)},
    "splitwise-2024": COMMON,
    "trtllm-2023": COMMON,
    "trtllm-offline": {**COMMON, "admitted": (1024.0, 0.7)},
    "neuronx": COMMON,
    "vllm-online": COMMON,
}


def read(path: Path) -> list[tuple[Case, float]]:
    """Cases with their measured values, from blind rows."""
    rows = read_rows(path)
    layout = layout_of("serving", rows, path)
    measured = layout.measured(rows)
    cases = [case_of(row) for row in layout.blind(rows)]
    pairs = [(c, measured[c.row["id"], c.row["metric"]]) for c in cases]
    return [(c, value) for c, value in pairs if value and not c.row["metric"].startswith(("tok_s_per_all", "usd"))]


def kept(cases: Sequence[Case]) -> NDArray[np.bool_]:
    """Rows of the fitted part."""
    return np.array([part(c.group, "stacks") >= HELD_OUT for c in cases])


def predicted(cases: Sequence[Case], factors: Mapping[str, float]) -> Floats:
    """The metrics of cases under given factors."""
    solved = solve(cases, factors)
    return np.array([metric_of(c, s) or np.nan for c, s in zip(cases, solved, strict=True)])


def fit(
    names: Sequence[str], priors: Mapping[str, tuple[float, float]], answer: Callable[[Mapping[str, float]], Floats],
    truth: Floats, weight: Floats,
) -> dict[str, float]:  # fmt: skip
    """Factors that answer best, near their priors."""
    centre, width = np.log([priors[n][0] for n in names]), np.array([priors[n][1] for n in names])

    def cost(x: Floats) -> Floats:
        error = np.log(answer(dict(zip(names, np.exp(x), strict=True)))) - np.log(truth)
        data = robust(np.nan_to_num(error, nan=3.0, posinf=3.0, neginf=-3.0)) * weight / 0.15
        return np.concatenate([data, (x - centre) / width])

    found = least_squares(cost, centre, diff_step=1e-3, max_nfev=20)
    return dict(zip(names, (float(v) for v in np.exp(found.x)), strict=True))


def weights(cases: Sequence[Case]) -> Floats:
    """A cell counts like at most six points."""
    labels = [c.group for c in cases]
    count = {g: labels.count(g) for g in set(labels)}
    return np.sqrt([min(1.0, 6.0 / count[g]) for g in labels])


def main() -> None:
    """Fit every stack, then the rates of MLPerf, speech and diffusion; write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    folder = parser.parse_args().truth
    pairs = read(folder / "truth" / "infer_truth.csv")
    stacks: dict[str, dict[str, float]] = {}
    left_out: list[tuple[Case, float]] = []
    for stack, priors in STACKS.items():
        rows = [(c, v) for c, v in pairs if c.stack == stack and c.spec is not None]
        cases, truth = [c for c, _ in rows], np.array([v for _, v in rows])
        use = kept(cases)
        fitted = [c for c, u in zip(cases, use, strict=True) if u]
        if use.sum() < 8 or (~use).sum() == 0:
            use = np.ones(len(cases), dtype=bool)
            fitted = cases
        stacks[stack] = fit(list(priors), priors, lambda f, k=fitted: predicted(k, f), truth[use], weights(fitted))
        error = np.log(predicted(cases, stacks[stack])) - np.log(truth)
        left_out += [(c, float(e)) for c, e, u in zip(cases, error, use, strict=True) if not u or use.all()]
        print(stack, "fitted", summary(error[use]), "held out", summary(error[~use]) if (~use).any() else "-")
    diffusion, speech = _diffusion(pairs, left_out), _mlperf(pairs, stacks, left_out)
    widths = _watts(folder, stacks)
    widths |= _denoising_watts(folder, stacks)
    write(stacks, diffusion, speech, left_out, widths)


def _diffusion(pairs: Sequence[tuple[Case, float]], left_out: list[tuple[Case, float]]) -> dict[str, dict[str, float]]:
    """Rates of diffusion by generation, from open leaderboard rows."""
    out: dict[str, dict[str, float]] = {}
    priors = {name: (value, 0.7) for name, value in DIFFUSION_START.items()} | {"split": (0.8, 0.15)}
    for generation in ("hopper", "blackwell"):
        rows = [
            (c, v) for c, v in pairs
            if c.kind == "diffusion" and not c.stack.startswith("mlperf") and c.chip.generation == generation
        ]  # fmt: skip
        cases, truth = [c for c, _ in rows], np.array([v for _, v in rows])
        use = kept(cases)

        def answer(f: Mapping[str, float], chosen: Sequence[Case], generation: str = generation) -> Floats:
            serving_answers.diffusion_rates = lambda: {generation: f}  # type: ignore[assignment]
            return np.array([serving_answers.unsolved(c) or np.nan for c in chosen])

        fitted = [c for c, u in zip(cases, use, strict=True) if u]
        out[generation] = fit(list(priors), priors, lambda f, k=fitted, a=answer: a(f, k), truth[use], weights(fitted))
        error = np.log(answer(out[generation], cases)) - np.log(truth)
        left_out += [(c, float(e)) for c, e, u in zip(cases, error, use, strict=True) if not u]
        print("diffusion", generation, "fitted", summary(error[use]), "held out", summary(error[~use]))
    out["default"] = dict(out["hopper"])
    serving_answers.diffusion_rates = lambda: out  # type: ignore[assignment]
    return out


def _mlperf(
    pairs: Sequence[tuple[Case, float]], stacks: dict[str, dict[str, float]], left_out: list[tuple[Case, float]]
) -> dict[str, float]:
    """One factor for each kind of MLPerf answer, as the median ratio over cells of the fitted part."""
    start = dict(MLPERF_START)
    serving_answers.mlperf_shares = lambda: start  # type: ignore[assignment]
    kinds: dict[str, list[tuple[Case, float]]] = {}
    for case, value in pairs:
        if case.spec is None and (case.stack.startswith("mlperf") or case.kind == "speech"):
            ratio = value / (serving_answers.unsolved(case) or np.nan)
            if np.isfinite(ratio):
                kinds.setdefault(serving_answers.share_of(case), []).append((case, float(np.log(ratio))))
    for name, rows in kinds.items():
        use = kept([c for c, _ in rows])
        ratios = np.array([r for _, r in rows])
        if use.sum() < 3 or (~use).sum() == 0:
            use = np.arange(len(rows)) % 2 == 0
        factor = float(np.median(ratios[use]))
        start[name] = MLPERF_START[name] * float(np.exp(factor))
        left_out += [(c, factor - r) for (c, r), u in zip(rows, use, strict=True) if not u]
        print("mlperf", name, round(start[name], 3), summary(factor - ratios[~use]))
    return start


WATTS = {"compute": (1.0, 0.5), "memory": (1.0, 0.5), "hopper": (1.0, 0.15), "blackwell": (1.0, 0.15)}
POWER_METRICS = ("gpu_power_w", "itl_p50_ms", "output_tok_s")


def _watts(folder: Path, stacks: dict[str, dict[str, float]]) -> dict[str, float]:
    """Factors on the utilisations that `chip_watts` sees, and half-widths of the power table by metric and kind of task."""
    path = folder / "truth" / "power_serving_mlenergy.csv"
    rows = read_rows(path)
    layout = layout_of("power", rows, path)
    measured = layout.measured(rows)
    cases = [case_of(power.leaderboard_row(row)) for row in layout.blind(rows)]
    solved = solve(cases, stacks["vllm-benchmark"])
    truth = {m: np.array([measured[row["id"], m] or np.nan for row in rows]) for m in POWER_METRICS}
    use = kept(cases)

    def answer(f: Mapping[str, float], mask: NDArray[np.bool_]) -> Floats:
        pairs = [(c, s) for c, s, u in zip(cases, solved, mask, strict=True) if u]
        return np.array([power.watts_of(c.chip, s, c.stack, f) for c, s in pairs])

    fitted = [c for c, u in zip(cases, use, strict=True) if u]
    stacks["vllm-benchmark-watts"] = fit(
        list(WATTS), WATTS, lambda f: answer(f, use), truth["gpu_power_w"][use], weights(fitted)
    )
    made = {
        "gpu_power_w": answer(stacks["vllm-benchmark-watts"], np.ones(len(cases), dtype=bool)),
        "itl_p50_ms": np.array([s["itl_p50"] for s in solved]) * 1e3,
        "output_tok_s": np.array([s["rate"] for s in solved]),
    }
    text = np.array([c.task not in ("image-chat", "video-chat") for c in cases])
    widths = {}
    for metric in POWER_METRICS:
        error = np.log(made[metric]) - np.log(truth[metric])
        print("power", metric, "fitted", summary(error[use]), "held out", summary(error[~use]))
        for kind, mask in (("text", text), ("vision", ~text)):
            widths[f"power.{metric}.{kind}"] = half_width(error[~use & mask])
    joules = np.log(made["gpu_power_w"] / made["output_tok_s"]) - np.log(truth["gpu_power_w"] / truth["output_tok_s"])
    for metric in ("energy_per_output_token", "energy_per_response"):
        widths[f"energy.{metric}"] = half_width(joules[~use])
    print("power J/token held out", summary(joules[~use]))
    return widths


def _denoising_watts(folder: Path, stacks: dict[str, dict[str, float]]) -> dict[str, float]:
    """Factor on a denoising chip's watts by kind and generation (median over the fitted part), and half-widths of energy."""
    path = folder / "truth" / "energy_truth.csv"
    rows = [r for r in read_rows(path) if r["metric"] in ("energy_per_image", "energy_per_video")]
    layout = layout_of("power", rows, path)
    measured = layout.measured(rows)
    blind = layout.blind(rows)
    cases = [c for c in (power.energy_case(row) for row in blind) if c is not None]
    use = kept(cases)
    errors: dict[str, dict[str, list[float]]] = {}
    for row, case, fitted, made in zip(rows, cases, use, power.predict(blind), strict=True):
        value = measured[row["id"], row["metric"]]
        if made.predicted and value:
            name = f"{row['metric'].removeprefix('energy_per_')}.{case.chip.generation}"
            part_of = errors.setdefault(name, {"fitted": [], "held": []})
            part_of["fitted" if fitted else "held"].append(float(np.log(made.predicted / value)))
    now = power.factors_of("diffusion-watts")
    stacks["diffusion-watts"] = {
        name: now.get(name, 1.0) * float(np.exp(-np.median(e["fitted"]))) for name, e in errors.items() if e["fitted"]
    }
    widths: dict[str, list[float]] = {}
    for name, e in errors.items():
        held = np.array(e["held"]) - (np.median(e["fitted"]) if e["fitted"] else 0.0)
        print("energy", name, "held out", summary(held) if len(held) else "-")
        widths.setdefault(f"energy.energy_per_{name.split('.')[0]}", []).extend(held)
    return {name: half_width(np.array(e)) for name, e in widths.items() if e}


def write(
    stacks: Mapping[str, Mapping[str, float]], diffusion: Mapping[str, Mapping[str, float]], shares: Mapping[str, float],
    left_out: Sequence[tuple[Case, float]], widths: Mapping[str, float],
) -> None:  # fmt: skip
    """The record: factors, rates, and half-widths by stack and metric."""
    errors: dict[str, list[float]] = {}
    for case, error in left_out:
        metric = case.row["metric"]
        for name in (f"{case.stack}.{metric}", f"{case.stack}.{case.kind}", metric):
            errors.setdefault(name, []).append(error)
    groups = {name: half_width(np.array(found)) for name, found in errors.items() if len(found) >= 5} | dict(widths)
    whole = summary(np.array([error for _, error in left_out]))

    def row(item: Mapping[str, float]) -> str:
        return "{" + ", ".join(f"{key}: {value:.4g}" for key, value in item.items()) + "}"

    lines = [
        "id: serving-stacks",
        'name: "What other software stacks change of the serving constants; diffusion; MLPerf"',
        "kind: serving",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ml-energy/leaderboard",
        'as_of: "2026-05"',
        'fitted_to: "cells (stack, chip, model) of the fitted part by a hash of their name; errors are of cells held out"',
        f"rows: {len(left_out)}  # held out",
        f"error: {{median: {whole['median']}, p90: {whole['p90']}, bias: {whole['bias']}}}",
        'release: "2023 to 2026, see each stack"',
        "",
        "# 80 % half-widths of the logarithm by stack and metric, from cells held out.",
        "groups:",
        *(f"  {name}: {min(max(value, 0.03), 1.5):.3f}" for name, value in sorted(groups.items())),
        "parameters: {}",
        "tables:",
        "  # Factors on serving-steady-state; input.<task> on the assumed prompt, prompt_ms.<task> of its encoder.",
        "  stacks:",
        *(f"    {name}: {row(item)}" for name, item in stacks.items()),
        "  diffusion:",
        *(f"    {name}: {row(item)}" for name, item in diffusion.items()),
        "  # Rates over the engine's frontier, and how close servers run to their limits.",
        f"  mlperf: {row(shares)}",
    ]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("all held out", whole)


if __name__ == "__main__":
    main()

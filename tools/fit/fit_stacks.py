"""Fits what other software stacks change of the serving constants, and diffusion; writes `calibration/serving-stacks`.

    python tools/fit/fit_stacks.py --truth FOLDER     # FOLDER holds truth/infer_truth.csv

A stack is an engine on a kind of chip. Constants come from all its rows. Errors and half-widths of bands are of fits that left
out whole models (where a stack has three or more; else whole cells of chip and model): folds are dealt by a hash of the name.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit_serving import OUT as SERVING
from fit_serving import half_width, part, robust, summary
from numpy.typing import NDArray
from scipy.optimize import least_squares
from stack_priors import METRIC_SIGMA, STACKS, USUAL_SIGMA, Priors

from gigawatt.validation import serving_answers
from gigawatt.validation.serving import model_of
from gigawatt.validation.serving_answers import DIFFUSION_START, MLPERF_START, SPEECH_START, metric_of
from gigawatt.validation.serving_phases import is_phase, phase_rate
from gigawatt.validation.serving_published import Case, case_of
from gigawatt.validation.serving_solve import solve, stack_tables
from gigawatt.validation.tables import layout_of, read_rows

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
OUT = SERVING.with_name("serving-stacks.yaml")
FOLDS = 6
# Half-widths: this share of the rows left out, stretched; of rows of models seen they then hold between 0.7 and 0.85. Of models
# not seen the band is as much wider as what holds 80 % of the rows left out, in the median over groups of 30 rows or more.
BAND, STRETCH = 0.63, 1.08
MANY = 30
UNSEEN = '"on half-widths, for models that a stack\'s factors have not seen"'

DENOISED = (".diffusion", "images_s", "videos_s")
SOURCE = (
    "ML.ENERGY leaderboard v3; TensorRT-LLM performance pages; AWS Neuron SDK benchmarks; splitwise-sim; "
    "MLPerf Inference v4.1 to v6.0 results"
)


def read(path: Path) -> list[tuple[Case, float]]:
    """Cases with their measured values, from blind rows."""
    rows = read_rows(path)
    layout = layout_of("serving", rows, path)
    measured = layout.measured(rows)
    cases = [case_of(row) for row in layout.blind(rows)]
    pairs = [(c, measured[c.row["id"], c.row["metric"]]) for c in cases]
    return [(c, value) for c, value in pairs if value and not c.row["metric"].startswith(("tok_s_per_all", "usd"))]


@dataclass(frozen=True)
class Rows:
    """Measured values of one stack and the distinct runs behind them (`run` indexes `runs`)."""

    cases: Sequence[Case]
    truth: Floats
    runs: Sequence[Case]
    run: NDArray[np.intp]

    @classmethod
    def of(cls, pairs: Sequence[tuple[Case, float]]) -> Rows:
        found: dict[tuple[object, ...], int] = {}
        runs: list[Case] = []
        index = []
        for c, _ in pairs:
            text = tuple(v for k, v in c.row.items() if k not in ("id", "metric", "power_w", "notes", "value"))
            if text not in found:
                found[text] = len(runs)
                runs.append(c)
            index.append(found[text])
        return cls([c for c, _ in pairs], np.array([v for _, v in pairs]), runs, np.array(index, dtype=np.intp))

    def take(self, mask: Mask) -> Rows:
        """The rows of a mask."""
        return Rows.of([(c, v) for c, v, m in zip(self.cases, self.truth, mask, strict=True) if m])

    def predicted(self, factors: Mapping[str, float]) -> Floats:
        """Their metrics under given factors."""
        solved = solve(self.runs, factors)
        return np.array([metric_of(c, solved[i]) or np.nan for c, i in zip(self.cases, self.run, strict=True)])

    @property
    def weight(self) -> Floats:
        """A cell counts like at most six points; metrics by how closely they are worth meeting."""
        labels = [f"{c.group} {c.task} {c.row['metric']}" for c in self.cases]
        count = {g: labels.count(g) for g in set(labels)}
        few = np.sqrt([min(1.0, 6.0 / count[g]) for g in labels])
        return few / np.array([METRIC_SIGMA.get(c.row["metric"], USUAL_SIGMA) for c in self.cases])

    @property
    def fold(self) -> NDArray[np.intp]:
        """Fold of each row, whole models (or cells) in one."""
        models = [c.named.model_id or c.row["model"] for c in self.cases]
        names = (
            models if len(set(models)) >= 3 else [f"{m} {c.chip.name}" for m, c in zip(models, self.cases, strict=True)]
        )
        distinct = sorted(set(names), key=lambda name: part(name, "models"))
        return np.array([distinct.index(name) % min(FOLDS, len(distinct)) for name in names], dtype=np.intp)


def fit(
    priors: Priors, answer: Callable[[Mapping[str, float]], Floats], truth: Floats, weight: Floats,
    start: Mapping[str, float] | None = None, evaluations: int = 25,
) -> dict[str, float]:  # fmt: skip
    """Factors that answer best, near their priors; `start` where not at the priors."""
    names = list(priors)
    centre, width = np.log([priors[n][0] for n in names]), np.array([priors[n][1] for n in names])
    first = centre if start is None else np.log([start[n] for n in names])

    def cost(x: Floats) -> Floats:
        error = np.log(answer(dict(zip(names, np.exp(x), strict=True)))) - np.log(truth)
        data = robust(np.nan_to_num(error, nan=3.0, posinf=3.0, neginf=-3.0)) * weight
        return np.concatenate([data, (x - centre) / width])

    found = least_squares(cost, first, diff_step=1e-3, max_nfev=evaluations)
    return dict(zip(names, (float(v) for v in np.exp(found.x)), strict=True))


def fit_stack(priors: Priors, rows: Rows, start: Mapping[str, float] | None = None) -> tuple[dict[str, float], Floats]:
    """Factors from all rows, and the logarithmic errors of rows in fits without their fold; from `start` a fit is soon done."""
    whole = fit(priors, rows.predicted, rows.truth, rows.weight, start, 25 if start is None else 6)
    errors = np.full(len(rows.truth), np.nan)
    for k in sorted(set(rows.fold)):
        out = rows.fold == k
        if out.all():
            break
        kept, left = rows.take(~out), rows.take(out)
        factors = fit(priors, kept.predicted, kept.truth, kept.weight, whole, 8 if start is None else 5)
        errors[out] = np.log(left.predicted(factors) / left.truth)
    return whole, errors


def main() -> None:
    """Fit every stack, then the rates of MLPerf, speech and diffusion; write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--warm", action="store_true", help="start from the packaged factors")
    options = parser.parse_args()
    folder = options.truth
    pairs = read(folder / "truth" / "infer_truth.csv")
    stacks: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, float]] = {}
    left_out: list[tuple[Case, float]] = []
    for stack, priors in STACKS.items():
        rows = Rows.of([(c, v) for c, v in pairs if c.stack == stack and c.spec is not None and not is_phase(c)])
        known = stack_tables().get(stack, {}) if options.warm else {}
        start = {name: float(known.get(name, value)) for name, (value, _) in priors.items()} if known else None
        stacks[stack], found = fit_stack(priors, rows, start)
        inside = np.log(rows.predicted(stacks[stack]) / rows.truth)
        left_out += [(c, float(e)) for c, e in zip(rows.cases, found, strict=True) if np.isfinite(e)]
        for metric in sorted({c.row["metric"] for c in rows.cases}):
            mask = np.array([c.row["metric"] == metric for c in rows.cases])
            name = f"{stack}.{metric}"
            errors[f"{name}.fitted"] = summary(inside[mask & np.isfinite(inside)])
            if np.isfinite(found[mask]).any():
                errors[f"{name}.model_left_out"] = summary(found[mask & np.isfinite(found)])
            print(name, errors[f"{name}.fitted"], errors.get(f"{name}.model_left_out"))
    diffusion, shares = _diffusion(pairs, left_out), _mlperf(pairs, left_out)
    speech = _speech(pairs, left_out)
    for case, value in pairs:
        if is_phase(case):  # no constant is fitted to them
            left_out.append((case, float(np.log((phase_rate(case) or np.nan) / value))))
    by_kind = {
        f"{c.stack}.{c.kind}.{c.row['metric']}" for c, _ in left_out if c.stack not in STACKS or c.kind == "diffusion"
    }
    for name in sorted(by_kind):
        found = np.array([e for c, e in left_out if f"{c.stack}.{c.kind}.{c.row['metric']}" == name and np.isfinite(e)])
        errors[f"{name}.model_left_out"] = summary(found)
        print(name, errors[f"{name}.model_left_out"])
    write(stacks, diffusion, shares, speech, [(c, e) for c, e in left_out if np.isfinite(e)], errors)


def kept(cases: Sequence[Case]) -> Mask:
    """Rows of the fitted part, where a part is held out."""
    return np.array([part(c.group, "stacks") >= 0.35 for c in cases])


def _diffusion(pairs: Sequence[tuple[Case, float]], left_out: list[tuple[Case, float]]) -> dict[str, dict[str, float]]:
    """Rates of diffusion by generation, from open leaderboard rows."""
    out: dict[str, dict[str, float]] = {}
    priors = {name: (value, 0.7) for name, value in DIFFUSION_START.items()} | {"split": (0.8, 0.15)}
    for generation in ("hopper", "blackwell"):
        rows = Rows.of([
            (c, v) for c, v in pairs
            if c.kind == "diffusion" and not c.stack.startswith("mlperf") and c.chip.generation == generation
        ])  # fmt: skip

        def answer(f: Mapping[str, float], chosen: Sequence[Case], generation: str = generation) -> Floats:
            serving_answers.diffusion_rates = lambda: {generation: f}  # type: ignore[assignment]
            return np.array([serving_answers.unsolved(c) or np.nan for c in chosen])

        def fitted(
            of: Rows, start: Mapping[str, float] | None = None, a: Callable[..., Floats] = answer
        ) -> dict[str, float]:
            return fit(priors, lambda f: a(f, of.cases), of.truth, of.weight, start)

        out[generation] = fitted(rows)
        errors = np.zeros(len(rows.truth))
        for k in sorted(set(rows.fold)):
            left = rows.fold == k
            without = fitted(rows.take(~left), out[generation])
            errors[left] = np.log(answer(without, rows.take(left).cases) / rows.truth[left])
        left_out += [(c, float(e)) for c, e in zip(rows.cases, errors, strict=True)]
        print(
            "diffusion", generation, summary(np.log(answer(out[generation], rows.cases) / rows.truth)), summary(errors)
        )
    out["default"] = dict(out["hopper"])
    serving_answers.diffusion_rates = lambda: out  # type: ignore[assignment]
    return out


def _mlperf(pairs: Sequence[tuple[Case, float]], left_out: list[tuple[Case, float]]) -> dict[str, float]:
    """One factor for each kind of MLPerf answer: the median ratio over rows; errors leave out whole models."""
    start = dict(MLPERF_START)
    serving_answers.mlperf_shares = lambda: start  # type: ignore[assignment]
    kinds: dict[str, list[tuple[Case, float]]] = {}
    for case, value in pairs:
        if case.spec is None and case.stack.startswith("mlperf") and case.kind != "speech":
            ratio = value / (serving_answers.unsolved(case) or np.nan)
            if np.isfinite(ratio):
                kinds.setdefault(serving_answers.share_of(case), []).append((case, ratio))
    for name, found in kinds.items():
        rows, ratios = Rows.of(found), np.log([r for _, r in found])
        errors = np.zeros(len(ratios))
        for k in sorted(set(rows.fold)):
            left = rows.fold == k
            errors[left] = np.median(ratios[~left] if (~left).any() else ratios) - ratios[left]
        left_out += [(c, float(e)) for c, e in zip(rows.cases, errors, strict=True)]
        start[name] = MLPERF_START.get(name, 1.0) * float(np.exp(np.median(ratios)))
        print("mlperf", name, round(start[name], 3), summary(np.median(ratios) - ratios), summary(errors))
    return start


def _speech(pairs: Sequence[tuple[Case, float]], left_out: list[tuple[Case, float]]) -> dict[str, float]:
    """Constants of speech; errors leave out chips, as there is one model."""
    rows = Rows.of([(c, v) for c, v in pairs if c.kind == "speech"])
    priors = {name: (value, 0.7) for name, value in SPEECH_START.items()}
    chips = np.array([c.chip.name for c in rows.cases])

    def answer(f: Mapping[str, float], chosen: Sequence[Case]) -> Floats:
        serving_answers.speech_rates = lambda: f  # type: ignore[assignment]
        return np.array([serving_answers.unsolved(c) or np.nan for c in chosen])

    def fitted(of: Rows) -> dict[str, float]:
        return fit(priors, lambda f: answer(f, of.cases), of.truth, of.weight)

    errors = np.zeros(len(chips))
    for chip in sorted(set(chips)):
        left = chips == chip
        errors[left] = np.log(answer(fitted(rows.take(~left)), rows.take(left).cases) / rows.truth[left])
    left_out += [(c, float(e)) for c, e in zip(rows.cases, errors, strict=True)]
    found = fitted(rows)
    print("speech", found, summary(np.log(answer(found, rows.cases) / rows.truth)), summary(errors))
    return found


def write(
    stacks: Mapping[str, Mapping[str, float]], diffusion: Mapping[str, Mapping[str, float]], shares: Mapping[str, float],
    speech: Mapping[str, float],
    left_out: Sequence[tuple[Case, float]], found: Mapping[str, Mapping[str, float]],
) -> None:  # fmt: skip
    """The record: factors, rates, errors, and half-widths by stack and metric."""
    errors: dict[str, list[float]] = {}
    for case, error in left_out:
        metric = case.row["metric"]
        for name in (f"{case.stack}.{metric}", f"{case.stack}.{case.kind}", metric):
            errors.setdefault(name, []).append(error)
    groups = {name: STRETCH * half_width(np.array(e), BAND) for name, e in errors.items() if len(e) >= 4}
    # Services ask these for models that nobody measured: a wider share.
    groups |= {name: half_width(np.array(e), 0.75) for name, e in errors.items() if name.endswith(DENOISED)}
    whole = summary(np.array([error for _, error in left_out]))
    wider = [half_width(np.array(e), 0.8) / groups[n] for n, e in errors.items() if "." in n and len(e) >= MANY]
    seen: dict[str, list[str]] = {}
    for case, _ in left_out:
        seen.setdefault(case.stack, []).append(model_of(case))

    def row(item: Mapping[str, float]) -> str:
        return "{" + ", ".join(f"{key}: {value:.4g}" for key, value in item.items()) + "}"

    lines = [
        "id: serving-stacks",
        'name: "What other software stacks change of the serving constants; diffusion; MLPerf"',
        "kind: serving",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ml-energy/leaderboard",
        'as_of: "2026-05"',
        'fitted_to: "all rows of each stack"',
        f"rows: {len(left_out)}",
        "# Relative errors: of rows in the fit, and of rows whose whole model was left out.",
        "error:",
        f"  all.model_left_out: {row(whole)}",
        *(f"  {name}: {row(item)}" for name, item in found.items()),
        'release: "2023 to 2026, see each stack"',
        "",
        f"# Half-widths of the logarithm by stack and metric: {STRETCH} times what holds {BAND:.0%} of the rows left out.",
        "groups:",
        *(f"  {name}: {min(max(value, 0.03), 1.5):.3f}" for name, value in sorted(groups.items())),
        "parameters:",
        f"  unseen: {{value: {float(np.median(wider)):.3g}, note: {UNSEEN}}}",
        "tables:",
        "  # Models that the factors of a stack have seen.",
        "  seen:",
        *(f"    {name}: [{', '.join(sorted(set(models)))}]" for name, models in sorted(seen.items())),
        "  # Factors on serving-steady-state; input.<task> on the assumed prompt, prompt_ms.<task> host time of its images.",
        "  stacks:",
        *(f"    {name}: {row(item)}" for name, item in stacks.items()),
        "  diffusion:",
        *(f"    {name}: {row(item)}" for name, item in diffusion.items()),
        "  # Rates over the engine's frontier, and how close servers run to their limits.",
        f"  mlperf: {row(shares)}",
        f"  speech: {row(speech)}",
    ]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("all left out", whole)


if __name__ == "__main__":
    main()

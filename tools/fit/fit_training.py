"""Fits the step-time model to measured training rows and writes the calibration record.

    python tools/fit/fit_training.py --truth FOLDER [--write]

Penalised least squares in ln: sum of soft-L1 residuals ln(predicted / measured) plus ((ln p - ln start) / sd)^2 for
each parameter. Discrete choices (blank chunks, recompute, sharding) are made at the current parameters and held
during a round. Reported errors leave whole sources out (and models, chips, generations with `--folds`); the written record is
fitted to all rows of the table. The fit, unlike a prediction, reads the container release and the micro-batch count
that a row's notes state.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

sys.path.insert(0, str(Path(__file__).parent))
from training_record import Residuals, record
from training_start import START

from gigawatt.physics.training import coefficients, load_calibration, step_times
from gigawatt.physics.training.calibration import kin_of
from gigawatt.physics.training.search import best
from gigawatt.validation.outside import SINGLE_NODE, read_by_training
from gigawatt.validation.training import candidates_of, choose
from gigawatt.validation.training_bands import ORIGIN, sigma_of
from gigawatt.validation.training_layouts import xla_recompute
from gigawatt.validation.training_metrics import step_of
from gigawatt.validation.training_rows import Case, case_of

SCALE = 0.08  # ln residual beyond which a row counts linearly
POOLED = "derate.pooled"


class Rows:
    """Cases with measured step times, their candidates, and the choice among them."""

    def __init__(self, cases: Sequence[Case], measured_s: Sequence[float]) -> None:
        self.cases = list(cases)
        self.open = candidates_of(self.cases)
        self.target = np.log(np.asarray(measured_s))
        self.free = [name for name, (_, sd, _) in START.items() if sd > 0]
        self.start = np.array([np.log(START[name][0]) for name in self.free])
        self.sd = np.array([START[name][1] for name in self.free])

    def parameters(self, x: np.ndarray) -> dict[str, float]:
        values = {name: start for name, (start, _, _) in START.items()}
        values |= {name: float(np.exp(v)) for name, v in zip(self.free, x, strict=True)}
        stacks = [value for name, value in values.items() if name.startswith("derate.") and name != POOLED]
        values[POOLED] = float(np.median(stacks))
        return values | {name: min(values[name], 1.0) for name in ("xla_recompute", "xla_recompute.roomy")}

    def sigma_of(self, samples: Sequence[np.ndarray]) -> dict[str, float]:
        """Spread of each free parameter (ln) over fits with a source left out."""
        spread = np.std(np.array(samples), axis=0) if samples else np.zeros(self.sd.size)
        return {name: float(s) for name, s in zip(self.free, spread, strict=True)}

    def freeze(self, x: np.ndarray) -> None:
        """Choose a mapping for each row at these parameters and keep it."""
        chosen, _ = choose(self.cases, self.open, self.parameters(x))
        self.kept = self.open.take(chosen)
        self.contexts = [case.context for case in self.cases]
        self.again = [xla_recompute(case.chip) for case in self.cases]
        self.xla_open = np.array([case.context.stack.xla and not case.recompute_stated for case in self.cases])

    def residual(self, x: np.ndarray) -> np.ndarray:
        """ln(predicted / measured) of every row."""
        p = self.parameters(x)
        c = coefficients(self.contexts, p)
        kept, was = self.kept, self.kept.layout.recompute
        layout = replace(kept.layout, recompute=np.where(self.xla_open, [p[name] for name in self.again], was))
        steps = step_times(kept.shapes, kept.machine, layout, kept.kernels, kept.messages, c)
        return np.asarray(np.log(steps.step_s) - self.target)

    def fit(self, use: np.ndarray, weight: np.ndarray, x: np.ndarray, rounds: int = 2) -> np.ndarray:
        """Parameters (ln) fitted to the rows in `use`."""
        for _ in range(rounds):
            self.freeze(x)

            def objective(y: np.ndarray) -> np.ndarray:
                r = self.residual(y)[use] / SCALE
                robust = np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r * r) - 1.0))
                return np.concatenate([robust * weight[use], (y - self.start) / self.sd])

            x = least_squares(objective, x, method="trf", max_nfev=12, x_scale=self.sd, ftol=1e-3, xtol=1e-3).x
        self.freeze(x)
        return x


def read(folder: Path) -> tuple[list[Case], list[float], list[str], list[dict[str, str]]]:
    """Cases, measured step times (times to a target divided by its steps) and sources."""
    cases, measured, source, rows = [], [], [], []
    for name in ("train_truth.csv", SINGLE_NODE):
        path = folder / "truth" / name
        table = list(csv.DictReader(path.open(encoding="utf-8"))) if path.is_file() else []
        for i, row in enumerate(table):
            if not read_by_training(row, i, name):
                continue
            case, hidden = _informed(row)
            cases.append(case)
            measured.append(step_of(case, float(row["measured_value"])))
            source.append(hidden)
            rows.append(row)
    return cases, measured, source, rows


def _informed(row: Mapping[str, str]) -> tuple[Case, str]:
    """The case with what the notes state about it: micro-batch count, container release."""
    notes = row["notes"]
    blind = dict(row) | {"measured_value": "", "notes": ""}
    count = re.search(r"micro-batch count (\d+)", notes)
    if count and not row["global_batch"]:
        blind["global_batch"] = str(int(count[1]) * int(float(row["dp"] or 1)) * int(float(row["micro_batch"] or 1)))
    container = re.search(r"container (\d\d\.\d\d)", notes)
    return case_of(blind, container[1] if container else None), row["id"].split("-")[0]


def summary(r: np.ndarray) -> str:
    """Errors of ln residuals in words."""
    e = np.expm1(r)
    return (
        f"n {e.size:4d}  mape {100 * np.mean(abs(e)):5.1f}  median {100 * np.median(abs(e)):5.1f}  "
        f"p90 {100 * np.quantile(abs(e), 0.9):5.1f}  bias {100 * np.median(e):+5.1f}"
    )


def covered(cases: Sequence[Case], out: np.ndarray) -> str:
    """Share of rows, predicted without their source, in the band of a document never seen and in that of a plan."""
    fit = load_calibration()
    row = np.hypot([sigma_of(case) for case in cases], fit.sigma.get(ORIGIN, 0.0))
    plan = np.array([best.sigma_of(fit, case.shape, case.chip.generation) for case in cases])
    shares = (f"{np.mean(np.abs(out) <= best.Z80 * sigma):.1%}" for sigma in (row, plan))
    return "{} of a document never seen, {} of a plan".format(*shares)


def null_errors(cases: Sequence[Case], target: np.ndarray) -> np.ndarray:
    """Error of the median achieved FLOP/s of chip x precision x dense or mixture, the row itself seen."""
    flops = np.array(
        [3.0 * float(c.shape.forward_flops_per_token(c.seq, 0.5)) * c.global_batch * c.seq / c.chips for c in cases]
    )
    rate = np.log(flops) - target
    kin = defaultdict(list)
    for i, c in enumerate(cases):
        kin[c.chip.name, c.context.width, c.moe].append(i)
    out = np.zeros(len(cases))
    for members in kin.values():
        out[members] = rate[members] - np.median(rate[members])
    return out


def main() -> None:
    """Fit, leave sources out, report, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True, help="folder that holds truth/")
    parser.add_argument("--write", action="store_true", help="write the calibration record")
    parser.add_argument("--no-cv", action="store_true", help="skip the left-out runs")
    parser.add_argument("--folds", action="store_true", help="leave models, chips and generations out too")
    args = parser.parse_args()
    began = time.perf_counter()
    cases, measured, sources, raw = read(args.truth)
    rows = Rows(cases, measured)
    source = np.array(sources)
    # a source of many rows does not outvote the rest: weight ~ n^-0.25
    size = {s: int(np.sum(source == s)) for s in set(sources)}
    weight = np.array([(50.0 / size[s]) ** 0.25 if size[s] > 50 else 1.0 for s in sources])
    everything = np.ones(len(cases), dtype=bool)
    x = rows.start.copy()
    rows.freeze(x)
    print("start ", summary(rows.residual(x)))
    x = rows.fit(everything, weight, x, rounds=3)
    fitted = rows.residual(x)
    print("fitted", summary(fitted), f"{time.perf_counter() - began:.0f} s")
    print("null  ", summary(null_errors(cases, rows.target)))
    out = np.full(len(cases), np.nan)
    samples: list[np.ndarray] = []
    others: dict[str, np.ndarray] = {}
    if not args.no_cv:
        out, samples = left_out(rows, source, weight, x)
        print("source left out", summary(out), f"{time.perf_counter() - began:.0f} s")
        print("  in 80 % bands as they now stand:", covered(cases, out))
    if args.folds:
        labels = {
            "model": [row["model"].split(" ")[0].lower() for row in raw],
            "chip": [case.chip.name for case in cases],
            "generation": [kin_of(case.chip.generation) for case in cases],
        }
        for what, label in labels.items():
            others[what], _ = left_out(rows, np.array(label), weight, x)
            print(what, "left out", summary(others[what]), f"{time.perf_counter() - began:.0f} s")
    rows.freeze(x)
    by = defaultdict(list)
    for i, case in enumerate(cases):
        by[case.family].append(i)
    print(f"\n{'family':42s} fitted | source left out")
    for family, members in sorted(by.items()):
        print(f"{family:42s} {summary(fitted[members])} | {summary(out[members])}")
    for s in sorted(size):
        members = np.flatnonzero(source == s)
        print(f"  source {s:12s} {summary(fitted[members])} | {summary(out[members])}")
    values = rows.parameters(x)
    for name in START:
        print(f"{name:24s} {START[name][0]:10.4g} -> {values[name]:10.4g}")
    if args.write:
        null = null_errors(cases, rows.target)
        residuals = Residuals(cases, raw, source, fitted, out, null, others, rows.target)
        record(residuals, values, rows.sigma_of(samples))


def left_out(rows: Rows, label: np.ndarray, weight: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Residuals of rows predicted by parameters fitted without their label, and those parameters."""
    out, samples = np.full(label.size, np.nan), []
    for name in sorted(set(label.tolist())):
        fold = label == name
        y = rows.fit(~fold, weight, x, rounds=1)
        out[fold] = rows.residual(y)[fold]
        samples.append(y)
    return out, samples


if __name__ == "__main__":
    main()

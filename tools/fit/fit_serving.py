"""Fits the constants of steady-state serving and writes `calibration/serving-steady-state`.

    python tools/fit/fit_serving.py --truth FOLDER [--folds]     # FOLDER holds truth/serving_points.csv

Cells (chip, engine, release, model, precision, layout) are dealt to a fitted and a held-out part by a hash of their name; the
constants shipped are those of the fitted part, the errors written are of the held-out one. `--folds` adds fits that leave
out a whole model, chip or generation. Decode pools' TPOT joins the aggregated rows (their step is the same); what only pools
have is fitted after. Rows are weighted so that a cell counts like a few independent points; priors: `serving_priors`.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from serving_priors import POOL, PRIORS

from gigawatt.physics.serving import Load, pools, steady_state
from gigawatt.physics.serving.engine.calibration import ENGINES, Rates, calibration, rates
from gigawatt.physics.serving.engine.deployment import BLACKWELL, Deployment, Spec, deploy
from gigawatt.validation.serving_points import Point, load_of, points, source_field
from gigawatt.validation.tables import layout_of, read_rows

Floats = NDArray[np.float64]
OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/serving-steady-state.yaml"
HELD_OUT = 0.3
COUNTED = "pool_decode_chips"
SCANNED = "loaded_share"  # kernel tables are built with it: best of 0.6 to 1 in a scan of whole fits, see `--loaded`
ROBUST = 0.25  # residuals of the logarithm beyond this count linearly
CELL_WEIGHT = 3.0  # a cell of many rows counts like this many independent points
TTFT_WEIGHT = 0.5  # of TPOT's: mostly the benchmark's protocol


SOURCE = (
    "serving points measured on H100, H200, B200, B300, GB200, GB300 with TensorRT-LLM, vLLM, SGLang: InferenceX database "
    "dumps and gap-analysis studies in ai-dynamo/aiconfigurator (Apache-2.0)"
)
FITTED_TO = (
    "TPOT and TTFT of the fitted part (by a hash of the deployment); errors are of the held-out part and of fits without "
    "a model, a chip or a generation; prior centres and row rules were set by people who had seen the table"
)


def part(name: str, salt: str = "serving") -> float:
    """A number in 0..1 from a name, the same on every machine."""
    return int(hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


class Table:
    """Rows of one kind with their measured logarithms, ready to be evaluated at any constants."""

    def __init__(self, members: Sequence[tuple[Point, Mapping[str, str], float, float]]) -> None:
        self.points = [m[0] for m in members]
        self.cells = [cell(m[0], m[1]) for m in members]
        self.tpot = np.log([m[2] for m in members])
        self.ttft = np.log([m[3] for m in members])
        self.load: Load = load_of(self.points)
        self.decode = Side([p.spec for p in self.points])
        self.prefill = (
            Side([p.prefill for p in self.points if p.prefill is not None]) if self.points[0].prefill else None
        )
        counts = {c: self.cells.count(c) for c in set(self.cells)}
        self.weight = np.sqrt([min(1.0, CELL_WEIGHT / counts[c]) for c in self.cells])
        self.slow = np.array([_cold(m[1]) for m in members])

    def residuals(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """log(predicted / measured) of TPOT and TTFT."""
        d = self.decode.at(values)
        if self.prefill is None:
            state = steady_state(d, self.load)
            return np.log(state.tpot_s * 1e3) - self.tpot, np.log(state.ttft_s * 1e3) - self.ttft
        found = pools(
            self.prefill.at(values),
            d,
            self.load,
            np.array([p.prefill_workers for p in self.points]),
            np.array([p.decode_workers for p in self.points]),
        )
        return np.log(found.tpot_s * 1e3) - self.tpot, np.log(found.ttft_s * 1e3) - self.ttft


class Side:
    """A deployment whose constants can be changed without laying it out again."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        start = {name: prior[0] for name, prior in PRIORS.items()}
        self.base: Deployment = deploy(specs, start)
        self.inputs = (
            np.array([ENGINES.index(s.engine) for s in specs], dtype=np.intp),
            np.array([s.chip.generation in BLACKWELL for s in specs]),
            np.array([s.year for s in specs]),
        )
        self.speculates = np.array([s.speculation > 1.0 for s in specs])

    def at(self, values: Mapping[str, float]) -> Deployment:
        """The deployment with other constants."""
        resolved: Rates = rates(values, *self.inputs)
        return replace(self.base, rates=resolved, speculation=np.where(self.speculates, values["speculation"], 1.0))


def cell(point: Point, row: Mapping[str, str]) -> str:
    """What belongs together: a deployment at all its loads and lengths."""
    s = point.spec
    return "|".join(
        map(str, (point.group, row.get("backend_version"), s.precision, s.gpus, s.dp, s.moe_tp, s.speculation > 1.0))
    )


def _cold(row: Mapping[str, str]) -> bool:
    """SGLang FP4 of late 2025, whose TTFT holds compilation (7 to 9 s at any load)."""
    return (
        row.get("backend") == "sglang" and row.get("precision") == "fp4" and source_field(row, "measured") < "2025-12"
    )


def read(path: Path, mode: str) -> Table:
    """Rows of one mode. Left out: repeats, and deployments whose admission cap or layout no column states."""
    rows = read_rows(path)
    measured = layout_of("serving", rows, path).measured(rows)
    seen: set[tuple[float, float]] = set()
    found = []
    for point, row in zip(points(layout_of("serving", rows, path).blind(rows)), rows, strict=True):
        tpot, ttft = measured[row["id"], "tpot_ms"], measured[row["id"], "ttft_ms"]
        if row["mode"] != mode or not tpot or not ttft or (tpot, ttft) in seen or _unstated(point, row):
            continue
        seen.add((tpot, ttft))
        found.append((point, row, tpot, ttft))
    return Table(found)


def _unstated(point: Point, row: Mapping[str, str]) -> bool:
    if point.concurrency >= 512 and row["system"] == "h100_sxm" and row["backend"] == "vllm":
        return True  # admission capped
    if "Llama-3.1-8B" in row["model_path"] and row["backend"] == "vllm":
        return True  # prefix cache suspected
    if (row["backend_version"] or "").startswith("1.3.0rc") and row["mode"] == "agg":
        return True  # pools in disguise
    return row["mode"] == "disagg" and not row["prefill_num_workers"]


def robust(error: Floats) -> Floats:
    """Square root of a Huber loss, with sign."""
    size = np.abs(error)
    out: Floats = np.sign(error) * np.where(
        size <= ROBUST, size, np.sqrt(np.maximum(2 * ROBUST * size - ROBUST**2, 0.0))
    )
    return out


@dataclass(frozen=True)
class Part:
    """Rows of a table that a fit sees, and how much their TTFT counts (that of pools only in the fit of pools)."""

    table: Table
    rows: NDArray[np.bool_]
    ttft_weight: float = TTFT_WEIGHT


def fit(parts: Sequence[Part], names: Sequence[str], start: Mapping[str, float]) -> tuple[dict[str, float], Floats]:
    """Constants of `names` and their sigma (of the logarithm) from some rows; the others stay at `start`."""
    centre = np.log([PRIORS[n][0] for n in names])
    width = np.array([PRIORS[n][1] for n in names])
    noise = 0.10

    def cost(x: Floats) -> Floats:
        values = dict(start) | dict(zip(names, np.exp(x), strict=True))
        data = []
        for part_ in parts:
            tpot, ttft = part_.table.residuals(values)
            rows, weight = part_.rows, part_.table.weight[part_.rows]
            slow = np.where(part_.table.slow[rows], 0.1, 1.0) * part_.ttft_weight
            data += [robust(tpot[rows]) * weight, robust(ttft[rows]) * weight * slow]
        found = np.nan_to_num(np.concatenate(data), nan=3.0, posinf=3.0, neginf=-3.0)
        return np.concatenate([found / noise, (x - centre) / width])

    found = least_squares(cost, np.log([start[n] for n in names]), diff_step=1e-3, max_nfev=25)
    spread = np.sqrt(np.clip(np.diag(np.linalg.pinv(found.jac.T @ found.jac)), 0, None))
    return dict(start) | dict(zip(names, np.exp(found.x), strict=True)), spread


def summary(errors: Floats) -> dict[str, float]:
    """Median, 90th percentile and bias of relative errors from logarithms."""
    relative = np.exp(errors) - 1.0
    return {
        "median": round(float(np.median(np.abs(relative))), 4),
        "p90": round(float(np.quantile(np.abs(relative), 0.9)), 4),
        "bias": round(float(np.median(relative)), 4),
        "rows": len(errors),
    }


def fold(
    table: Table, pool: Table, label: Callable[[Point], str], names: Sequence[str], start: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Residuals of aggregated rows predicted by constants fitted without their label, in either table."""
    labels, others = (np.array([label(p) for p in t.points]) for t in (table, pool))
    tpot, ttft = np.zeros(len(labels)), np.zeros(len(labels))
    for name in sorted(set(labels)):
        values, _ = fit([Part(table, labels != name), Part(pool, others != name, 0.0)], names, start)
        a, b = table.residuals(values)
        tpot[labels == name], ttft[labels == name] = a[labels == name], b[labels == name]
        print("  without", name, summary(tpot[labels == name]), summary(ttft[labels == name]))
    return tpot, ttft


def write(
    values: Mapping[str, float],
    sigma: Mapping[str, float],
    rows: int,
    errors: Mapping[str, object],
    groups: Mapping[str, float],
    seen: Mapping[str, object],
) -> None:
    """The calibration record, to be read by hand."""
    lines = [
        "id: serving-steady-state",
        'name: "Steady state of a serving replica, aggregated and in pools"',
        "kind: serving",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ai-dynamo/aiconfigurator",
        'as_of: "2026-04"',
        f'fitted_to: "{FITTED_TO}"',
        f"rows: {rows}",
        f"error: {_inline(errors)}",
        'release: "2026-01"  # launch floors are those of this month; see floor_decay_per_year',
        "",
        "# 80 % half-widths of the logarithm, from residuals left out of the fit.",
        "groups:",
        *(f"  {name}: {value:.3f}" for name, value in groups.items()),
        "",
        "# sigma: of the logarithm, from the curvature with priors. No physical truths: report errors, not these.",
        "parameters:",
    ]
    for name, (_, _, unit, note) in PRIORS.items():
        extra = (f", unit: {unit}" if unit else "") + (f', note: "{note}"' if note else "")
        lines.append(f"  {name}: {{value: {values[name]:.4g}, sigma: {sigma.get(name, PRIORS[name][1]):.2f}{extra}}}")
    lines += [
        "tables:",
        "  # Models and chips that the fit has seen: bands are wider elsewhere.",
        f"  seen: {_inline(seen)}",
    ]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _inline(item: object) -> str:
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key}: {_inline(value)}" for key, value in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(str, item)) + "]"
    return str(item)


def half_width(errors: Floats, share: float = 0.8) -> float:
    """Half-width of the logarithm that holds `share` of the errors."""
    return float(np.quantile(np.abs(errors), share))


def _guessed_widths(path: Path) -> dict[str, float]:
    """Half-widths of pools whose sizes are not stated: no constant was fitted to any of them."""
    from gigawatt.validation.serving import predict

    rows = [r for r in read_rows(path) if r["mode"] == "disagg" and not r["prefill_num_workers"]]
    layout = layout_of("serving", rows, path)
    measured = layout.measured(rows)
    out: dict[str, list[float]] = {}
    for p in predict(layout.blind(rows)):
        truth = measured[p.id, p.metric]
        if p.predicted and truth and part(p.id) >= HELD_OUT:
            out.setdefault(f"disagg_guessed.{p.metric}", []).append(math.log(p.predicted / truth))
    print("guessed", {name: summary(np.array(e)) for name, e in out.items()})
    return {name: half_width(np.array(e)) for name, e in out.items()}


def main() -> None:
    """Fit, report, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--loaded", type=float, help="another share of loaded experts; prints errors, writes nothing")
    args = parser.parse_args()
    if args.loaded:
        PRIORS[SCANNED] = (args.loaded, *PRIORS[SCANNED][1:])
    path = args.truth / "truth" / "serving_points.csv"
    table, pool = read(path, "agg"), read(path, "disagg")
    start = {name: prior[0] for name, prior in PRIORS.items()}
    names = [n for n in PRIORS if n not in POOL and n not in (COUNTED, SCANNED)]
    kept = np.array([part(c) >= HELD_OUT for c in table.cells])
    kept_pool = np.array([part(c) >= HELD_OUT for c in pool.cells])
    values, spread = fit([Part(table, kept), Part(pool, kept_pool, 0.0)], names, start)
    sigma = dict(zip(names, spread, strict=True))
    tpot, ttft = table.residuals(values)
    errors: dict[str, object] = {
        "tpot_fitted": summary(tpot[kept]), "tpot_held_out": summary(tpot[~kept]),
        "ttft_fitted": summary(ttft[kept]), "ttft_held_out": summary(ttft[~kept]),
    }  # fmt: skip
    print(*errors.items(), sep="\n")
    if args.loaded:
        return
    widths = {"agg.tpot_ms": half_width(tpot[~kept]), "agg.ttft_ms": half_width(ttft[~kept])}
    if args.folds:
        labels: Mapping[str, Callable[[Point], str]] = {
            "model": lambda p: p.group.split(" / ")[-1],
            "chip": lambda p: p.spec.chip.name,
            "generation": lambda p: "blackwell" if p.spec.chip.generation in BLACKWELL else p.spec.chip.generation,
        }
        for what, label in labels.items():
            a, b = fold(table, pool, label, names, start)
            errors |= {f"tpot_{what}_left_out": summary(a), f"ttft_{what}_left_out": summary(b)}
            widths[f"agg.tpot_ms.{what}"], widths[f"agg.ttft_ms.{what}"] = half_width(a), half_width(b)
            print(what, summary(a), summary(b))
    values, spread = fit([Part(pool, kept_pool)], POOL, values)
    chips = [p.decode_workers * p.spec.gpus for p, use in zip(pool.points, kept_pool, strict=True) if use]
    values[COUNTED] = float(np.median(chips))
    sigma |= dict(zip(POOL, spread, strict=True))
    a, b = pool.residuals(values)
    errors |= {"pools_tpot_held_out": summary(a[~kept_pool]), "pools_ttft_held_out": summary(b[~kept_pool])}
    print("pools", summary(a[kept_pool]), summary(b[kept_pool]), summary(a[~kept_pool]), summary(b[~kept_pool]))
    widths |= {"disagg.tpot_ms": half_width(a[~kept_pool]), "disagg.ttft_ms": half_width(b[~kept_pool])}
    model_width = widths.get("agg.tpot_ms.model", widths["agg.tpot_ms"])
    widths |= {"throughput_fitted": model_width, "throughput_kin": 2.0 * model_width}
    seen = {
        "models": sorted({p.group.split(" / ")[-1] for p in (*table.points, *pool.points)}),
        "chips": sorted({p.spec.chip.name for p in (*table.points, *pool.points)}),
    }
    rows = int(kept.sum() + kept_pool.sum())
    write(values, sigma, rows, errors, widths, seen)
    # Pools of unstated size are predicted with the record as it now stands.
    calibration.cache_clear()
    write(values, sigma, rows, errors, widths | _guessed_widths(path), seen)


if __name__ == "__main__":
    main()

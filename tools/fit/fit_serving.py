"""Fits the constants of steady-state serving and writes `calibration/serving-steady-state`.

    python tools/fit/fit_serving.py --truth FOLDER [--folds]     # FOLDER holds truth/serving_points.csv

Cells (chip, engine, release, model, precision, layout) are dealt to a fitted and a held-out part by a hash of their name; the
constants shipped are those of the fitted part, the errors written are of the held-out one. `--folds` adds fits that leave
out a whole model, chip, generation or release. Decode pools' TPOT joins the aggregated rows (their step is the same); what only
pools have is fitted after. Rows are weighted so that a cell counts like a few independent points; priors: `serving_priors`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from serving_priors import POOL, PRIORS
from serving_rows import Block, Table, read
from serving_solver import Floats, Mask, Part, Problem, Solution, doubled, fold, half_width, robust, summary

from gigawatt.physics.serving.engine.calibration import calibration, sigmas
from gigawatt.physics.serving.engine.deployment import BLACKWELL
from gigawatt.physics.serving.steady.aggregated import steady_state
from gigawatt.physics.serving.steady.anchor import anchor, spread_of
from gigawatt.validation.outside import HELD_OUT, part
from gigawatt.validation.serving import band_of, size_of
from gigawatt.validation.serving_points import Point
from gigawatt.validation.tables import layout_of, read_rows

__all__ = ["OUT", "half_width", "part", "robust", "summary"]

OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/serving-steady-state.yaml"
COUNTED = "pool_decode_chips"
SCANNED = "loaded_share"  # kernel tables are built with it: best of 0.6 to 1 in a scan of whole fits, see `--loaded`
CELL_FOLDS = 5
FEWEST = 3  # measured points of a deployment from which an anchor is tried on the others

SOURCE = (
    "serving points measured on H100, H200, B200, B300, GB200, GB300 with TensorRT-LLM, vLLM, SGLang: InferenceX database "
    "dumps and gap-analysis studies in ai-dynamo/aiconfigurator (Apache-2.0); launch settings from the scripts of "
    "SemiAnalysisAI/InferenceX (Apache-2.0)"
)
FITTED_TO = (
    "TPOT and TTFT of the fitted part (by a hash of the deployment); errors are of the held-out part and of fits without "
    "a model, a chip, a generation or a release; prior centres and row rules were set by people who had seen the table"
)
LABELS: Mapping[str, Callable[[Point], str]] = {
    "model": lambda p: p.group.split(" / ")[-1],
    "chip": lambda p: p.spec.chip.name,
    "generation": lambda p: "blackwell" if p.spec.chip.generation in BLACKWELL else p.spec.chip.generation,
    "release": lambda p: f"{p.spec.engine} {p.spec.release}",
}
Errors = dict[str, object]


@dataclass(frozen=True)
class Fit:
    """Both tables, which rows are fitted, and the constants with their sigmas."""

    table: Table
    pool: Table
    kept: Mask
    kept_pool: Mask
    values: dict[str, float]
    sigma: dict[str, float]
    problem: Problem
    whole: Solution


def fitted(path: Path) -> Fit:
    """The constants of the fitted part: those that a replica has, then those that only pools have."""
    table, pool = read(path, "agg"), read(path, "disagg")
    start = {name: prior[0] for name, prior in PRIORS.items()}
    names = [n for n in PRIORS if n not in POOL and n not in (COUNTED, SCANNED)]
    kept, kept_pool = (np.array([part(c) >= HELD_OUT for c in t.cells]) for t in (table, pool))
    problem = Problem([Part(table), Part(pool, 0.0)], names, start)
    whole = problem.solve(doubled([kept, kept_pool]))
    sigma = dict(zip(names, whole.sigma, strict=True))
    pools = Problem([Part(pool, 1.0)], list(POOL), problem.values(whole.x))
    alone = pools.solve(doubled([kept_pool]))
    values = pools.values(alone.x)
    sigma |= dict(zip(POOL, alone.sigma, strict=True))
    chips = [p.decode_workers * p.spec.gpus for p, use in zip(pool.points, kept_pool, strict=True) if use]
    values[COUNTED] = float(np.median(chips))
    return Fit(table, pool, kept, kept_pool, values, sigma, problem, whole)


def strata(points: Sequence[Point]) -> Iterator[tuple[str, Mask]]:
    """Names of strata and their rows."""
    for of in (size_of, lambda p: p.spec.engine):
        labels = np.array([of(p).replace(" ", "_") for p in points])
        for name in sorted(set(labels)):
            yield str(name), labels == name


def both(prefix: str, tpot: Floats, ttft: Floats) -> Errors:
    """Summaries of a pair of residuals."""
    return {f"tpot_{prefix}": summary(tpot), f"ttft_{prefix}": summary(ttft)}


def repeated(table: Table) -> Errors:
    """How far measurements of one configuration at one load differ, whatever the release: the floor of any model."""
    kin: dict[tuple[object, ...], list[int]] = {}
    for i, p in enumerate(table.points):
        s = p.spec
        layout = (p.group, s.precision, s.gpus, s.dp, s.moe_tp, s.draft is not None)
        kin.setdefault((*layout, p.input_tokens, p.output_tokens, p.concurrency), []).append(i)
    groups = [rows for rows in kin.values() if len(rows) > 1]
    out: Errors = {}
    for name, values in (("tpot", table.tpot), ("ttft", table.ttft)):
        away = np.array([abs(values[i] - values[rows[0]]) for rows in groups for i in rows[1:]])
        relative = np.exp(away) - 1.0
        out[f"{name}_repeated"] = {
            "median": round(float(np.median(relative)), 4),
            "p90": round(float(np.quantile(relative, 0.9)), 4),
            "pairs": len(away),
        }
    return out


def anchored(
    table: Table,
    constants: Mapping[str, Mapping[str, float]],
    label: Callable[[Point], str],
    residuals: tuple[Floats, Floats],
) -> tuple[Errors, dict[str, float]]:
    """Errors of a deployment's other points with one of them given, by constants that have not seen its model.

    The point given is the one in the middle of the deployment's loads: what a user would measure first.
    """
    cells: dict[str, list[int]] = {}
    for i, name in enumerate(table.cells):
        cells.setdefault(name, []).append(i)
    many = {name: np.array(rows) for name, rows in cells.items() if len(rows) >= FEWEST}
    spread = spread_of({name: (residuals[0][rows], residuals[1][rows]) for name, rows in many.items()})
    before: list[list[Floats]] = [[], []]
    after: list[list[Floats]] = [[], []]
    for rows in many.values():
        rows = rows[np.argsort([table.points[i].concurrency for i in rows], kind="stable")]
        given, others = rows[len(rows) // 2], np.delete(rows, len(rows) // 2)
        one, rest = (Block([table.points[i] for i in which], np.arange(len(which))) for which in ([given], others))
        values = constants[label(table.points[given])]
        measured = np.exp([table.tpot[given]]) * 1e-3, np.exp([table.ttft[given]]) * 1e-3
        found = anchor(one.decode.at(values), one.load, *measured, spread)
        state = steady_state(rest.decode.at(values), found.anchored(rest.load))
        after[0].append(np.log(state.tpot_s * 1e3) - table.tpot[others])
        after[1].append(np.log(state.ttft_s * 1e3) - table.ttft[others])
        for k in (0, 1):
            before[k].append(residuals[k][others])
    errors = both("before_anchor", *(np.concatenate(x) for x in before))
    errors |= both("anchored", *(np.concatenate(x) for x in after))
    sizes = {"decode": spread.decode, "prefill": spread.prefill, "tpot": spread.tpot, "ttft": spread.ttft}
    return errors, sizes


def write(fit: Fit, errors: Mapping[str, object], groups: Mapping[str, float], spread: Mapping[str, float]) -> None:
    """The calibration record, to be read by hand."""
    points = (*fit.table.points, *fit.pool.points)
    seen = {
        "models": sorted({LABELS["model"](p) for p in points}),
        "chips": sorted({p.spec.chip.name for p in points}),
        "pairs": sorted({f"{p.spec.engine} {LABELS['model'](p)}" for p in points}),
    }
    lines = [
        "id: serving-steady-state",
        'name: "Steady state of a serving replica, aggregated and in pools"',
        "kind: serving",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ai-dynamo/aiconfigurator",
        'as_of: "2026-04"',
        f'fitted_to: "{FITTED_TO}"',
        f"rows: {int(fit.kept.sum() + fit.kept_pool.sum())}",
        "error:",
        *(f"  {name}: {_inline(value)}" for name, value in errors.items()),
        'release: "2026-01"  # launches are those of releases of this month; see decay_per_year and engine-releases',
        "",
        "# 80 % half-widths of the logarithm, from residuals left out of the fit.",
        "groups:",
        *(f"  {name}: {value:.3f}" for name, value in groups.items()),
        "",
        "# sigma: of the logarithm, from the curvature with priors. No physical truths: report errors, not these.",
        "parameters:",
    ]
    for name, (_, width, unit, note) in PRIORS.items():
        extra = (f", unit: {unit}" if unit else "") + (f', note: "{note}"' if note else "")
        lines.append(f"  {name}: {{value: {fit.values[name]:.4g}, sigma: {fit.sigma.get(name, width):.2f}{extra}}}")
    lines += [
        "tables:",
        "  # Models and chips that the fit has seen: bands are wider elsewhere.",
        f"  seen: {_inline(seen)}",
        "  # Sigmas that an anchor weighs: of a deployment's own factors, and of one measured point.",
        f"  anchor: {_inline({name: round(value, 3) for name, value in spread.items()})}",
    ]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _inline(item: object) -> str:
    if isinstance(item, Mapping):
        return "{" + ", ".join(f"{key}: {_inline(value)}" for key, value in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(str, item)) + "]"
    return str(item)


def pooled_widths(path: Path, fit: Fit) -> tuple[dict[str, float], Errors]:
    """Half-widths of pools by how their sizes are known, and errors of rows and cells that no constant was fitted to.

    Widths are of all rows: those left out are few in some classes, and the constants of pools fewer still.
    """
    from gigawatt.validation.serving import predict
    from gigawatt.validation.serving_points import points

    rows = [r for r in read_rows(path) if r["mode"] == "disagg"]
    layout = layout_of("serving", rows, path)
    measured, blind = layout.measured(rows), layout.blind(rows)
    read_as = {p.id: p for p in points(blind)}
    of = {name: band_of(p) for name, p in read_as.items()}
    used = {p.id for p, use in zip(fit.pool.points, fit.kept_pool, strict=True) if use}
    every: dict[str, list[float]] = {}
    engines: dict[str, list[float]] = {}
    left_out: dict[str, list[float]] = {}
    for p in predict(blind):
        truth = measured[p.id, p.metric]
        if p.predicted and truth:
            for found in (every,) if p.id in used else (every, left_out):
                found.setdefault(f"{of[p.id]}.{p.metric}", []).append(math.log(p.predicted / truth))
            name = f"{of[p.id]}.{p.metric}.{read_as[p.id].spec.engine}"
            engines.setdefault(name, []).append(math.log(p.predicted / truth))
    errors: Errors = {name.replace(".", "_"): summary(np.array(e)) for name, e in sorted(left_out.items())}
    return {name: half_width(np.array(e)) for name, e in sorted((every | engines).items())}, errors


def by_engine(table: Table, prefix: str, pair: tuple[Floats, Floats]) -> dict[str, float]:
    """Half-widths of TPOT and TTFT by engine."""
    out = {}
    for engine in sorted({p.spec.engine for p in table.points}):
        rows = np.array([p.spec.engine == engine for p in table.points])
        for name, found in zip(("tpot_ms", "ttft_ms"), pair, strict=True):
            out[f"agg.{name}.{prefix}{engine}"] = half_width(found[rows])
    return out


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
    fit = fitted(path)
    tpot, ttft = fit.table.residuals(fit.values)
    errors = both("fitted", tpot[fit.kept], ttft[fit.kept]) | both("held_out", tpot[~fit.kept], ttft[~fit.kept])
    print(*errors.items(), sep="\n")
    if args.loaded:
        return
    widths = {"agg.tpot_ms": half_width(tpot[~fit.kept]), "agg.ttft_ms": half_width(ttft[~fit.kept])}
    spread: dict[str, float] = {}
    if args.folds:
        every = fit.problem.solve(np.ones(len(fit.problem.weight)), fit.whole.x, refresh=3)
        for what, label in LABELS.items():
            (pair, _), constants = fold(fit.problem, every, label)
            errors |= both(f"{what}_left_out", *pair)
            print(what, errors[f"tpot_{what}_left_out"], errors[f"ttft_{what}_left_out"], flush=True)
            for name, width in (("tpot_ms", half_width(pair[0])), ("ttft_ms", half_width(pair[1]))):
                widths[f"agg.{name}.{what}"] = width
            if what == "model":
                for name, rows in strata(fit.table.points):
                    errors |= both(f"model_left_out.{name}", pair[0][rows], pair[1][rows])
                widths |= by_engine(fit.table, "model.", pair)
                more, spread = anchored(fit.table, constants, label, pair)
                errors |= more
        lots = {
            id(p): str(int(part(c) * CELL_FOLDS))
            for t in (fit.table, fit.pool)
            for p, c in zip(t.points, t.cells, strict=True)
        }
        (pair, _), _ = fold(fit.problem, every, lambda p: lots[id(p)])
        errors |= both("cell_left_out", *pair)
        widths |= by_engine(fit.table, "", pair)
    errors |= repeated(fit.table)
    a, b = fit.pool.residuals(fit.values)
    errors |= both("pools_held_out", a[~fit.kept_pool], b[~fit.kept_pool])
    model_width = widths.get("agg.tpot_ms.model", widths["agg.tpot_ms"])
    widths |= {"throughput_fitted": model_width, "throughput_kin": 2.0 * model_width}
    # Pools are predicted with the record as it now stands.
    write(fit, errors, widths, spread)
    calibration.cache_clear()
    sigmas.cache_clear()
    more_widths, more_errors = pooled_widths(path, fit)
    errors |= more_errors
    write(fit, errors, widths | more_widths, spread)
    print(*errors.items(), sep="\n")


if __name__ == "__main__":
    main()

"""Fits the mixture-of-experts layer to every measured kernel, and says how far it errs; writes `chip-moe.yaml`.

    python tools/fit/fit_experts.py --tables <package>/systems/data [--systems h100_sxm b200_sxm] [--write]

Three numbers of error: held out by model shape (hidden, width, experts) on the chip itself; a whole generation left out,
its near twins with it; and that again after one anchor measurement, fixed in advance: 256 tokens dealt round, hidden
4096, width 1536, 128 experts, top 8, one rank.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from kernels import experts, tables
from kernels.experts import Table
from kernels.harness import Fit, Form, errors, fit, held_out, sample
from kernels.tables import Rows
from numpy.typing import NDArray

Floats = NDArray[np.float64]
OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/chip-moe.yaml"
# Near twins are left out together. GDDR boards run other kernels than the HBM chips of their name.
FAMILY = {
    "a100_sxm": "ampere",
    "h100_sxm": "hopper",
    "h200_sxm": "hopper",
    "b200_sxm": "blackwell",
    "gb200": "blackwell",
    "b300_sxm": "blackwell",
    "gb300": "blackwell",
    "l40s": "l40s",
    "rtx_pro_6000_server": "rtx",
}
ANCHOR = {"tokens": 256.0, "hidden": 4096.0, "width": 1536.0, "experts": 128.0, "topk": 8.0, "ranks": 1.0, "alpha": 0.0}
SHAPE = ("tokens", "hidden", "width", "experts", "topk", "local", "alpha")


@dataclass(frozen=True)
class Fitted:
    """A table, its fit, and whether it is the default of its chip and precision."""

    table: Table
    fit: Fit
    default: bool


def fastest(group: Sequence[Table]) -> int:
    """Index of the kernel with the least mean log time over the best, among those with at least half the most rows."""
    frames = [
        pl.DataFrame({name: t.rows.x[name] for name in SHAPE} | {"us": t.rows.us}).with_columns(pl.lit(n).alias("n"))
        for n, t in enumerate(group)
    ]
    shared = pl.concat(frames).with_columns(best=pl.col("us").min().over(SHAPE), seen=pl.len().over(SHAPE))
    behind = (
        shared.filter(pl.col("seen") > 1).group_by("n").agg((pl.col("us") / pl.col("best")).log().mean().alias("lag"))
    )
    lag = dict(zip(behind["n"].to_list(), behind["lag"].to_list(), strict=True))
    most = max(len(np.unique(t.rows.group)) for t in group)
    able = [n for n, t in enumerate(group) if 2 * len(np.unique(t.rows.group)) >= most]
    return min(able, key=lambda n: lag.get(n, 0.0))


def fit_all(found: Sequence[Table], size: int) -> list[Fitted]:
    """Every kernel fitted, those of a chip and precision together, the default first."""
    done: list[Fitted] = []
    for key in dict.fromkeys((t.system, t.precision) for t in found):
        group = [t for t in found if (t.system, t.precision) == key]
        best = fastest(group)
        for n in sorted(range(len(group)), key=lambda n: (n != best, -len(group[n].rows))):
            t = group[n]
            form = experts.form(t.chip, t.precision, t.kernel)
            result = held_out(form, t.rows, size=size, null=experts.null_form(t.chip, t.precision))
            done.append(Fitted(t, result, n == best))
            mark = "*" if n == best else " "
            print(
                f"{mark}{t.system:20s} {t.precision:9s} {t.engine:7s} {t.kernel[:44]:44s} {result.rows:6d} "
                f"{100 * result.median:5.1f} /{100 * result.p90:5.1f}  null {100 * result.null_median:5.1f} "
                f" band {np.exp(result.q10):.2f}-{np.exp(result.q90):.2f}",
                flush=True,
            )
    return done


def pooled(group: Sequence[Table], size: int) -> tuple[Form, Rows]:
    """One form over several chips: rows carry the number of their chip."""
    forms = [experts.form(t.chip, t.precision, t.kernel) for t in group]
    wide = max(forms, key=lambda form: len(form.free))

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        out = np.empty(x["chip"].size)
        for n, form in enumerate(forms):
            rows = x["chip"] == n
            here = {name: column[rows] for name, column in x.items()}
            out[rows] = form.predict(here, {**values, **form.fixed, "ed": values.get("ed", 0.0) * ("ed" in form.free)})
        return out

    parts = [sample(t.rows, size) for t in group]
    x = {name: np.concatenate([p.x[name] for p in parts]) for name in parts[0].x}
    x["chip"] = np.concatenate([np.full(len(p), float(n)) for n, p in enumerate(parts)])
    rows = Rows(
        x,
        np.concatenate([p.us for p in parts]),
        np.concatenate([p.group for p in parts]),
        np.concatenate([p.kernel for p in parts]),
    )
    return Form("pooled", predict, wide.free, {}, wide.starts), rows


def transferred(values: Mapping[str, float], target: Table) -> Floats:
    """ln(measured/predicted) of a table by constants of other chips."""
    own = experts.form(target.chip, target.precision, target.kernel)
    spare = {"ed": values.get("ed", values["ec"])} if "ed" in own.free else {"ed": 0.0}
    predicted = own.predict(target.rows.x, {**values, **own.fixed, **spare})
    return np.asarray(np.log(target.rows.us / predicted), np.float64)


def anchored(table: Table, residual: Floats) -> Floats | None:
    """The residuals after one anchor measurement rescaled the chip, the anchor itself aside; None where it was not run."""
    hit = np.logical_and.reduce([table.rows.x[name] == value for name, value in ANCHOR.items()])
    if not hit.any():
        return None
    moved: Floats = residual - np.median(residual[hit])
    return moved[~hit]


def left_out(found: Sequence[Fitted], precision: str, size: int) -> dict[str, dict[str, float]]:
    """Of each family: median, p90 and coverage of the 80 % band when its whole generation is left out, plain and anchored.

    The band is nested: quantiles of residuals that other families have when they, too, are left out.
    """
    those = [f.table for f in found if f.default and f.table.precision == precision and f.table.system in FAMILY]
    names = list(dict.fromkeys(FAMILY[t.system] for t in those))
    if len(names) < 2:
        return {}
    learnt: dict[frozenset[str], dict[str, float]] = {}

    def without(*left: str) -> dict[str, float]:
        key = frozenset(left)
        if key not in learnt:
            learnt[key] = fit(*pooled([t for t in those if FAMILY[t.system] not in key], size))
        return learnt[key]

    out: dict[str, dict[str, float]] = {}
    for name in names:
        ours = [(t, transferred(without(name), t)) for t in those if FAMILY[t.system] == name]
        bands: list[tuple[Floats, Floats | None]] = []
        for t in those if len(names) > 2 else []:
            if FAMILY[t.system] != name:
                residual = transferred(without(name, FAMILY[t.system]), t)
                bands.append((residual, anchored(t, residual)))
        out[name] = _judged([r for _, r in ours], [b for b, _ in bands])
        moved = [a for t, r in ours if (a := anchored(t, r)) is not None]
        if moved:
            out[f"{name}_anchored"] = _judged(moved, [a for _, a in bands if a is not None])
    return out


def _judged(residuals: Sequence[Floats], bands: Sequence[Floats]) -> dict[str, float]:
    every = np.concatenate(residuals)
    median, p90 = errors(np.exp(-every), np.ones(every.size))[:2]
    found = {"median": round(median, 3), "p90": round(p90, 3)}
    if bands:
        low, high = (float(np.quantile(np.concatenate(bands), q)) for q in (0.1, 0.9))
        found |= {"covered": round(float(((every >= low) & (every <= high)).mean()), 2)}
        found |= {"low": round(float(np.exp(low)), 2), "high": round(float(np.exp(high)), 2)}
    return found


HEAD = """\
id: chip-moe
name: "Seconds of mixture-of-experts layers: constants by chip, precision and kernel"
kind: chip
source: "measured kernel tables in PyPI {package} {version} (Apache-2.0, NVIDIA Corporation & Affiliates)"
source_url: https://github.com/ai-dynamo/aiconfigurator
as_of: "2026-11"
fitted_to: "latency of single layers, loads as the public collectors generate them; soft-L1 on log(predicted/measured)"
rows: {rows}
# Of |predicted/measured - 1|. held_out: by model shape (hidden, width, experts) on the chip itself, over kernels. left_out:
# the default kernel of a chip by constants of other generations alone, and the share of rows in the 80 % band that still
# other generations have when left out; anchored: after one measured layer
# ({anchor}).
# Hopper's p90 in bf16 and fp8: a tenth of the shapes of TensorRT-LLM ran 2.5 to 4.5 times slower than their neighbours at
# every number of tokens (tiles that nobody tuned); without them 6.0 % and 23 % (bf16, H100).
error:
"""
FIELD = {"alpha": "skew"}
MIDDLE = """\
release: "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0; A100: 1.0.0, 0.5.10, 0.14.0"
parameters:
  stretch_generation: {value: 1.5, note: "band of a sister chip, power of the own band"}
  stretch_kin: {value: 3.5, note: "band of another generation: left_out over held_out, fp8_block, in the logarithm"}
# Kernels of a chip and precision, the default (of the fastest engine with enough shapes) first. Names of the constants: see
# gigawatt.physics.chip.experts. low and high: 80 % band of measured over predicted, held out by shape.
tables:
  kin: {cdna2: a100-sxm-80gb, cdna4: b200-sxm, cdna5: gb300, rubin: gb300, default: h100-sxm}
"""


def kin_bands(transfers: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The widest band that left-out generations gave each precision; of one that has none, 90 % of its errors both ways."""
    words = []
    for precision, families in transfers.items():
        bands = [n for name, n in families.items() if "low" in n and not name.endswith("anchored")]
        worst = max((n["p90"] for n in families.values()), default=2.0)
        low = min((n["low"] for n in bands), default=1.0 / (1.0 + worst))
        high = max((n["high"] for n in bands), default=1.0 + worst)
        words.append(f'"{precision}": {{low: {low:.2f}, high: {high:.2f}}}')
    return "  kin_band: {" + ", ".join(words) + "}\n"


def text(found: Sequence[Fitted], transfers: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The calibration record."""
    anchor = ", ".join(f"{name} {value:g}" for name, value in ANCHOR.items())
    rows = sum(f.fit.rows for f in found)
    lines = [HEAD.format(package=tables.PACKAGE, version=tables.package_version(), rows=rows, anchor=anchor)]
    for label, kernels in (("defaults", [f for f in found if f.default]), ("all_kernels", list(found))):
        middle = np.array([[f.fit.median, f.fit.p90, f.fit.null_median] for f in kernels])
        worst = kernels[int(middle[:, 0].argmax())]
        lines.append(
            f"  held_out_{label}: {{kernels: {len(kernels)}, median: {np.median(middle[:, 0]):.3f}, "
            f"p90: {np.median(middle[:, 1]):.3f}, null_median: {np.median(middle[:, 2]):.3f}, "
            f"worst_median: {worst.fit.median:.3f}, worst_p90: {middle[:, 1].max():.3f}}}\n"
        )
    for precision, families in transfers.items():
        for family, numbers in families.items():
            body = ", ".join(f"{key}: {value:g}" for key, value in numbers.items())
            lines.append(f"  left_out_{precision}_{family}: {{{body}}}\n")
    shape = ", ".join(f"{FIELD.get(name, name)}: {value:g}" for name, value in ANCHOR.items() if name != "ranks")
    lines += [MIDDLE, kin_bands(transfers), f"  anchor: {{{shape}, weight: 1}}\n", "  rows:\n"]
    for system in dict.fromkeys(f.table.system for f in found):
        here = [f for f in found if f.table.system == system]
        lines.append(
            f"    {here[0].table.chip.name}:\n      generation: {here[0].table.chip.generation}\n      fits:\n"
        )
        for f in here:
            low, high = np.exp([f.fit.q10, f.fit.q90])
            body = ", ".join(f"{name}: {value:.3g}" for name, value in f.fit.values.items())
            tail = f"low: {low:.3f}, high: {high:.3f}, rows: {f.fit.rows}, median: {f.fit.median:.3f}, p90: {f.fit.p90:.3f}"
            mark = "default: true, " if f.default else ""
            lines.append(
                f'        - {{precision: "{f.table.precision}", engine: {f.table.engine}, kernel: {f.table.kernel}, {mark}'
                f"{body}, {tail}, null_median: {f.fit.null_median:.3f}}}\n"
            )
    return "".join(lines)


def main() -> None:
    """Fit, report, and write when asked."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tables", help="folder systems/data of the package")
    ask.add_argument("--systems", nargs="+", choices=tuple(tables.SYSTEMS))
    ask.add_argument("--size", type=int, default=2500, help="rows a fit sees at most")
    ask.add_argument("--write", action="store_true", help="write the calibration record")
    given = ask.parse_args()
    found = list(experts.read(tables.root(given.tables), tuple(given.systems) if given.systems else None))
    done = fit_all(found, given.size)
    transfers: dict[str, dict[str, dict[str, float]]] = {}
    if given.write:
        OUT.write_text(text(done, transfers))
    for precision in ("fp8_block", "bf16", "fp8", "fp4"):
        transfers[precision] = left_out(done, precision, 400)
        for family, numbers in transfers[precision].items():
            print(f"left out {precision:9s} {family:20s} {numbers}", flush=True)
        if given.write:
            OUT.write_text(text(done, transfers))


if __name__ == "__main__":
    main()

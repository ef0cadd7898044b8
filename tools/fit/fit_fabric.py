"""Fit the constants of collectives to a table of measured ones, and say what they reach on sources they never saw.

    python tools/fit/fit_fabric.py --truth FOLDER [--write]      # holds truth/net_truth.csv

Residual: log(predicted/measured), soft-L1 of scale 0.08, a table weighted by rows^-1/4 so that long tables do not drown
short ones; the constants' own sigmas are priors around their present values. Left out of the fit: a profiler's kernel
times (rounded to 1 us, bimodal), single implementations (pplx-kernels, UCCL point-to-point), small messages of machines
with a slow floor. Cross-validation leaves whole sources out, in five folds.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.physics.fabric.collective import collective_seconds
from gigawatt.physics.fabric.constants import Constants, packaged
from gigawatt.physics.fabric.moe import moe_payload, moe_seconds
from gigawatt.validation.network import HIDDEN, TOPK, Case, group, read, value_of

Array = NDArray[np.float64]
YAML = Path(__file__).resolve().parents[2] / "src/gigawatt/catalog/data/calibration/fabric-collectives.yaml"
# Sigma of a prior, of the logarithm; what is not named here stays as it is.
# The floor of a machine is not among them: one slow table would lift it for all.
PRIOR = {
    "m_base": 0.08, "m_hop": 0.08, "m_net": 0.08, "e_ll": 0.13, "e_simple": 0.07, "n_ll": 0.3,
    "fill_simple": 0.5, "fill_nvls": 0.5, "fill_net": 0.5, "fill_cap": 0.4, "fill_domain_exponent": 0.2,
    "nvls_hopper": 0.1, "nvls_blackwell": 0.1, "nvls_tree": 0.04, "l_nvls": 0.2, "l_nvls_tree": 0.3,
    "a2a_scaleup": 0.1, "a2a_net": 0.05, "a2a_base": 0.4, "a2a_peer": 0.4,
    "net_infiniband": 0.04, "net_roce": 0.04, "net_efa": 0.04, "net_tcpx": 0.15, "net_pcie": 0.1,
    "lat_infiniband": 0.5, "lat_roce": 0.5, "lat_tcpx": 0.3, "xgmi": 0.1,
    "moe_net": 0.1, "moe_scaleup_hopper": 0.1, "moe_scaleup_blackwell": 0.2, "moe_scaleup_cdna": 0.1,
    "ll_base": 0.2, "ll_scaleup": 0.2, "ll_net": 0.05, "ll_efa_token": 0.3,
}  # fmt: skip
LEFT_OUT = ("vidur", "pplx", "bench/alltoall")
# Machines with a floor of about 40 us below 1 MiB: they would teach every machine to be slow.
SLOW_FLOOR, FLOOR_BYTES = "AI-benchmarking-guide", 2**20


def load(folder: Path) -> list[dict[str, str]]:
    """Rows to fit, one a point: where a table gives time and bandwidth of a point, the time."""
    with (folder / "truth" / "net_truth.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(x for x in stream if not x.startswith("#")) if r["value"]]
    rows = [r for r in rows if not any(word in r["source"] for word in LEFT_OUT)]
    rows = [r for r in rows if SLOW_FLOOR not in r["source"] or float(r["nbytes"]) >= FLOOR_BYTES]
    seen: dict[tuple[str, ...], dict[str, str]] = {}
    for r in rows:
        key = (
            r["source"],
            r["collective"],
            r["nbytes"],
            r["n_gpus"],
            r["gpu"],
            r["scale_out"],
            r["algorithm/protocol"],
        )
        if key not in seen or r["metric"] == "time_us" != seen[key]["metric"] or not r["nbytes"]:
            seen[(*key, r["id"]) if not r["nbytes"] else key] = r
    return list(seen.values())


def predicted(cases: list[Case], fit: Constants) -> Array:
    """The metric of every case, collectives of one kind in one call."""
    out = np.empty(len(cases))
    kinds: dict[tuple[str, tuple[str, ...] | None], list[int]] = {}
    for i, case in enumerate(cases):
        kinds.setdefault((case.kind, case.algorithms), []).append(i)
    for (kind, algorithms), index in kinds.items():
        mine = [cases[i] for i in index]
        if kind.startswith("moe"):
            for i, case in zip(index, mine, strict=True):
                payload = moe_payload(case.tokens, TOPK, HIDDEN, case.width, case.ranks, case.fabric, case.style)
                answer = moe_seconds(
                    payload, case.ranks, case.fabric, style=case.style, routed_tokens=case.tokens * TOPK, fit=fit
                )
                out[i] = value_of(case.metric, kind, float(answer.seconds[0]), float(payload), case.ranks) or 1.0
            continue
        answer = collective_seconds(
            kind,
            [c.nbytes for c in mine],
            [c.ranks for c in mine],
            [c.fabric for c in mine],
            per_domain=[c.per_domain for c in mine],
            algorithms=algorithms,
            fit=fit,
        )
        for i, case, seconds in zip(index, mine, answer.seconds, strict=True):
            out[i] = value_of(case.metric, kind, float(seconds), case.nbytes, case.ranks) or 1.0
    return out


def fit_rows(cases: list[Case], measured: Array, tables: list[str], start: Constants) -> Constants:
    """Constants that fit best, near their priors."""
    names = list(PRIOR)
    centre = np.log([start[name] for name in names])
    sigma = np.array([PRIOR[name] for name in names])
    count = Counter(tables)
    weight = np.array([count[table] ** -0.25 for table in tables])

    def at(x: Array) -> Constants:
        return replace(start, value={**start.value, **dict(zip(names, np.exp(x), strict=True))})

    def residual(x: Array) -> Array:
        r = np.log(predicted(cases, at(x)) / measured) / 0.08
        soft = np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r**2) - 1.0))
        return np.concatenate([weight * soft, (x - centre) / sigma])

    return at(least_squares(residual, centre, diff_step=1e-3, max_nfev=12).x)


def errors(name: str, signed: Array) -> None:
    """Print mean, median, 90th percentile of |error| and its bias, with the 80 % range of log(measured/predicted)."""
    if len(signed):
        off = np.abs(np.expm1(signed))
        low, high = np.exp(np.quantile(-signed, [0.1, 0.9]))
        print(
            f"{name:46s} n {len(signed):4d}  mape {off.mean():.3f}  median {np.median(off):.3f}  "
            f"p90 {np.quantile(off, 0.9):.3f}  bias {np.expm1(np.median(signed)):+.3f}  band {low:.2f}-{high:.2f}"
        )


def report(title: str, cases: list[Case], error: Array) -> None:
    """Errors by group and by size."""
    print(f"\n{title}")
    errors("all", error)
    size = np.array([c.nbytes for c in cases])
    moe = np.array([c.kind.startswith("moe") for c in cases])
    bands = {
        "<= 64 KiB": (size <= 2**16) & ~moe,
        "64 KiB to 64 MiB": (size > 2**16) & (size < 2**26) & ~moe,
        ">= 64 MiB": (size >= 2**26) & ~moe,
        "MoE": moe,
    }
    for name, chosen in bands.items():
        errors(name, error[chosen])
    for name in sorted({group(c) for c in cases}):
        errors("  " + name, error[[i for i, c in enumerate(cases) if group(c) == name]])


def write(fit: Constants) -> None:
    """Put the constants into the calibration file, its comments kept."""
    text = YAML.read_text(encoding="utf-8")
    for name in PRIOR:
        unit = 1e6 if re.search(rf"  {name}: .*unit: us", text) else 1.0
        text = re.sub(rf"(  {name}: {{value: )[-\d.e]+", rf"\g<1>{fit[name] * unit:.3g}", text)
    YAML.write_text(text, encoding="utf-8")


def main() -> None:
    """Fit, cross-validate by source, print; write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", default=os.environ.get("GIGAWATT_TRUTH", "."))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = load(Path(options.truth))
    cases = [read({**row, "value": "", "notes": ""}) for row in rows]
    measured = np.array([float(row["value"]) for row in rows])
    # A bandwidth falls as time grows: errors are of time.
    sign = np.array([1.0 if row["metric"] == "time_us" else -1.0 for row in rows])
    tables = [row["source"] + row["n_gpus"] + row["collective"] for row in rows]
    start = packaged()
    report("before", cases, sign * np.log(predicted(cases, start) / measured))
    fit = fit_rows(cases, measured, tables, start)
    report("fitted, in sample", cases, sign * np.log(predicted(cases, fit) / measured))
    sources = sorted({row["source"].split("@")[0] for row in rows})
    held = np.full(len(rows), np.nan)
    for fold in range(5):
        out = {source for i, source in enumerate(sources) if i % 5 == fold}
        test = np.array([row["source"].split("@")[0] in out for row in rows])
        kept = [i for i in range(len(rows)) if not test[i]]
        learned = fit_rows([cases[i] for i in kept], measured[kept], [tables[i] for i in kept], start)
        chosen = np.flatnonzero(test)
        held[chosen] = sign[chosen] * np.log(predicted([cases[i] for i in chosen], learned) / measured[chosen])
    report("source left out", cases, held)
    for name in PRIOR:
        print(f"{name:24s} {start[name]:.4g} -> {fit[name]:.4g}")
    if options.write:
        write(fit)


if __name__ == "__main__":
    main()

"""Fit the constants of collectives to measured tables, and say what they reach on rows, sources and classes never seen.

    python tools/fit/fit_fabric.py --truth FOLDER [--write]      # holds truth/net_truth.csv

Residual: log(predicted/measured seconds), soft-L1 of scale 0.03, a table weighted by rows^-1/4 so that long tables do not
drown short ones. Each constant has a prior: what NCCL's tuner or its authors state where they do, else a round number; no
fold starts from constants that were fitted to its rows. Left out: a profiler's kernel times (rounded to 1 us, bimodal)
and single implementations (pplx-kernels, UCCL point-to-point).
"""

from __future__ import annotations

import argparse
import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.physics.fabric import bus_factor, collective_seconds, moe_payload, moe_seconds
from gigawatt.physics.fabric.constants import Constants, packaged
from gigawatt.physics.fabric.wires import Wires, wires_of
from gigawatt.validation.network import HIDDEN, TOPK, Case, read

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
YAML = Path(__file__).resolve().parents[2] / "src/gigawatt/catalog/data/calibration/fabric-collectives.yaml"
US, MB = 1e-6, 1e6
# Constant: (prior, sigma of its logarithm). NCCL's own numbers: l_nvls, l_nvls_tree, e_ll (141 of 450 GB/s on Hopper),
# e_simple (370 of 450), net_* (46 to 48 of 50 GB/s a NIC), a2a_net (48 to 49 of 50).
PRIOR: dict[str, tuple[float, float]] = {
    "m_base": (1.1, 0.05), "m_hop": (1.1, 0.05), "m_net": (1.1, 0.05),
    "e_ll": (0.313, 0.1), "e_simple": (0.82, 0.1), "n_ll": (0.06, 0.4), "e_ll128": (0.75, 0.15),
    "chunk_s": (0.3 * US, 0.5), "chunk_bytes": (1.0 * MB, 0.5),
    "nvls_chunk_s": (0.3 * US, 0.5), "nvls_chunk_bytes": (1.0 * MB, 0.5),
    "nvls_hopper": (0.6, 0.15), "nvls_blackwell": (0.55, 0.15), "nvls_tree": (0.9, 0.05),
    "l_nvls": (25 * US, 0.15), "l_nvls_tree": (42 * US, 0.2),
    "a2a_scaleup": (0.75, 0.1), "a2a_net": (0.95, 0.08), "a2a_base": (15 * US, 0.3), "a2a_peer": (15 * US, 0.3),
    "net_infiniband": (0.94, 0.03), "net_roce": (0.94, 0.03), "net_tcpx": (0.6, 0.3),
    "lat_infiniband": (6 * US, 0.4), "lat_roce": (12 * US, 0.4), "lat_tcpx": (800 * US, 0.4), "xgmi": (1.0, 0.1),
}  # fmt: skip
MOE_PRIOR: dict[str, tuple[float, float]] = {
    "moe_net": (0.85, 0.1), "moe_scaleup_hopper": (0.75, 0.15), "moe_scaleup_blackwell": (0.4, 0.3),
    "moe_scaleup_cdna": (0.6, 0.2), "ll_base": (35 * US, 0.2), "ll_scaleup": (0.75, 0.2), "ll_net": (0.9, 0.07),
    "ll_efa_token": (0.3 * US, 0.4),
}  # fmt: skip
# Where NCCL leaves LL128 between domains is a step: the best of these is kept.
LL128_SHARES = (0.15, 0.25, 0.5)
LEFT_OUT = ("vidur", "pplx", "bench/alltoall")
SCALE = 0.03  # the scatter of two clean tables of one kind of machine
REPEATS = 3  # of the four folds of rows
LARGE, SMALL = 2**26, 2**16


@dataclass(frozen=True)
class Rows:
    """Measured points: the case, seconds, source and table of each; `moe` marks exchanges of expert tokens."""

    cases: list[Case]
    seconds: Array
    source: NDArray[np.str_]
    table: NDArray[np.str_]
    moe: Bools

    def take(self, mask: Bools) -> Rows:
        return Rows(
            [c for c, kept in zip(self.cases, mask, strict=True) if kept],
            self.seconds[mask], self.source[mask], self.table[mask], self.moe[mask],
        )  # fmt: skip

    @property
    def nbytes(self) -> Array:
        return np.array([c.nbytes for c in self.cases])


def load(folder: Path) -> Rows:
    """Rows to fit, one a point: where a table gives time and bandwidth of a point, the time."""
    with (folder / "truth" / "net_truth.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(x for x in stream if not x.startswith("#")) if r["value"]]
    rows = [r for r in rows if not any(word in r["source"] for word in LEFT_OUT)]
    points: dict[tuple[str, ...], dict[str, str]] = {}
    for r in rows:
        names = ("source", "collective", "nbytes", "n_gpus", "gpu", "scale_out", "algorithm/protocol")
        key = tuple(r[name] for name in names)
        if not r["nbytes"]:
            key = (*key, r["id"])
        if key not in points or r["metric"] == "time_us":
            points[key] = r
    kept = list(points.values())
    cases = [read({**row, "value": "", "notes": ""}) for row in kept]
    seconds = np.array([_seconds(row, case) for row, case in zip(kept, cases, strict=True)])
    source = np.array([re.split(r"@| docs\.| table", row["source"])[0] for row in kept])
    table = np.array([re.sub(r" L\d+$", "", r["source"]) + r["n_gpus"] + r["collective"] for r in kept])
    return Rows(cases, seconds, source, table, np.array([c.kind.startswith("moe") for c in cases]))


def _payload(case: Case) -> float:
    if not case.kind.startswith("moe"):
        return case.nbytes
    return float(moe_payload(case.tokens, TOPK, HIDDEN, case.width, case.ranks, case.fabric, case.style))


def _seconds(row: dict[str, str], case: Case) -> float:
    value, size = float(row["value"]), _payload(case)
    if row["metric"] == "time_us":
        return value * US
    return size / value / 1e9 * (float(bus_factor(case.kind, case.ranks)) if row["metric"] == "busbw_GBps" else 1.0)


class Model:
    """Rows grouped by the calls that time them, so that a fit's step is a handful of array passes."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        groups: dict[tuple[str, tuple[str, ...] | None, str], list[int]] = {}
        for i, case in enumerate(rows.cases):
            kind = "moe" if rows.moe[i] else case.kind
            groups.setdefault((kind, case.algorithms, case.style if rows.moe[i] else ""), []).append(i)
        self.calls: list[tuple[str, tuple[str, ...] | None, str, list[int], Wires, Array, Array, Array]] = []
        for (kind, algorithms, style), index in groups.items():
            mine = [rows.cases[i] for i in index]
            size, ranks = np.array([_payload(c) for c in mine]), np.array([float(c.ranks) for c in mine])
            more = np.array([float(c.tokens * TOPK if kind == "moe" else c.per_domain) for c in mine])
            self.calls.append((kind, algorithms, style, index, wires_of([c.fabric for c in mine]), size, ranks, more))
        count = Counter(rows.table)
        self.weight = np.array([float(count[table]) ** -0.25 for table in rows.table])

    def predict(self, fit: Constants) -> Array:
        out = np.empty(len(self.rows.cases))
        for kind, algorithms, style, index, wires, size, ranks, more in self.calls:
            if kind == "moe":
                out[index] = moe_seconds(size, ranks, wires, style=style, routed_tokens=more, fit=fit).seconds
            else:
                out[index] = collective_seconds(
                    kind, size, ranks, wires, per_domain=more, algorithms=algorithms, fit=fit
                ).seconds
        return out

    def error(self, fit: Constants) -> Array:
        """log(predicted/measured)."""
        return np.log(self.predict(fit) / self.rows.seconds)

    def fit(self, start: Constants, prior: dict[str, tuple[float, float]]) -> tuple[Constants, float, Array]:
        """Constants near their priors, the objective reached, and the constants' sigmas."""
        centre = np.log([value for value, _ in prior.values()])
        sigma = np.array([s for _, s in prior.values()])

        def at(x: Array) -> Constants:
            return replace(start, value={**start.value, **dict(zip(prior, np.exp(x), strict=True))})

        def residual(x: Array) -> Array:
            r = self.error(at(x)) / SCALE
            soft = np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r**2) - 1.0))
            return np.concatenate([self.weight * soft, (x - centre) / sigma])

        found = least_squares(residual, centre, diff_step=1e-3, max_nfev=12)
        spread = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)))
        return at(found.x), float(found.cost), spread


def fitted(rows: Rows, start: Constants, prior: dict[str, tuple[float, float]] = PRIOR) -> tuple[Constants, Array]:
    """The best fit over the shares of LL128 between domains, and its sigmas."""
    model = Model(rows)
    tried = [model.fit(replace(start, value={**start.value, "n_ll128": share}), prior) for share in LL128_SHARES]
    best = min(tried, key=lambda found: found[1])
    return best[0], best[2]


def left_out(rows: Rows, start: Constants, groups: Sequence[Bools], prior: dict[str, tuple[float, float]]) -> Array:
    """log errors of each group under constants fitted without it."""
    error = np.full(len(rows.cases), np.nan)
    for test in groups:
        error[test] = Model(rows.take(test)).error(fitted(rows.take(~test), start, prior)[0])
    return error


def classes(rows: Rows) -> dict[str, Bools]:
    """Classes of fabric: a scale-out technology, or a kind of scale-up network."""
    crosses = np.array([c.ranks > c.per_domain for c in rows.cases])
    found: dict[str, Bools] = {}
    for i, case in enumerate(rows.cases):
        f = case.fabric
        name = f.technology if crosses[i] else "mesh" if f.scaleup == "mesh" else "mnnvl" if f.multi_node_domain else ""
        if name:
            found.setdefault(name, np.zeros(len(rows.cases), dtype=bool))[i] = True
    return found


def without_class(name: str, prior: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Priors of a class never seen: what the remaining RDMA classes have in common, held there."""
    generic = {"net": 0.94, "lat": 9 * US}
    held = {f"{kind}_{name}": (value, 1e-3) for kind, value in generic.items() if f"{kind}_{name}" in prior}
    return {**prior, **held, **({"xgmi": (1.0, 1e-3)} if name == "mesh" else {})}


def summary(error: Array) -> str:
    """Mean, median and 90th percentile of |error| of time, bias, and the 80 % range of measured over predicted."""
    off, range80 = np.abs(np.expm1(error)), np.exp(np.quantile(-error, [0.1, 0.9]))
    return (
        f"n {len(error):4d}  mape {off.mean():.3f}  median {np.median(off):.3f}  p90 {np.quantile(off, 0.9):.3f}  "
        f"bias {np.expm1(np.median(error)):+.3f}  band {range80[0]:.2f}-{range80[1]:.2f}"
    )


def by_size(rows: Rows) -> dict[str, Bools]:
    """Masks by message size; exchanges of expert tokens are all large."""
    size = rows.nbytes
    if rows.moe.all():
        return {"all": rows.moe}
    return {
        "all": np.ones(len(size), dtype=bool),
        "to 64 KiB": size <= SMALL,
        "between": (size > SMALL) & (size < LARGE),
        "from 64 MiB": size >= LARGE,
    }


def report(title: str, rows: Rows, error: Array) -> None:
    """Print errors by size."""
    print(f"\n{title}")
    for name, mask in by_size(rows).items():
        if mask.any():
            print(f"  {name:12s} {summary(error[mask])}")


def one_line(rows: Rows) -> Array:
    """The null model: one latency and one bandwidth for each collective, class and size of group, fitted in sample."""
    error = np.empty(len(rows.cases))
    groups: dict[tuple[str, str, int, bool], list[int]] = {}
    for i, c in enumerate(rows.cases):
        groups.setdefault((c.kind, c.fabric.technology, c.ranks, c.ranks > c.per_domain), []).append(i)
    for index in groups.values():
        size, t = rows.nbytes[index], rows.seconds[index]

        def residual(x: Array, size: Array = size, t: Array = t) -> Array:
            return np.log((np.exp(x[0]) + size / np.exp(x[1])) / t)

        x0 = np.array([np.log(t.min()), np.log((size / t).max())])
        error[index] = residual(least_squares(residual, x0, loss="soft_l1", f_scale=SCALE).x)
    return error


def write(fit: Constants, sigma: dict[str, float], errors: dict[str, dict[str, dict[str, float]]], rows: int) -> None:
    """Put constants, sigmas and errors into the calibration file, its comments kept."""
    text = YAML.read_text(encoding="utf-8")
    for name in [*PRIOR, *MOE_PRIOR, "n_ll128"]:
        found = re.search(rf"^  {name}: .*$", text, re.M)
        assert found is not None, name
        unit = US if "unit: us" in found[0] else MB if "unit: MB" in found[0] else 1.0
        line = re.sub(r"(\{value: )[-\d.e]+", rf"\g<1>{fit[name] / unit:.4g}", found[0])
        if name in sigma:
            line = re.sub(r"sigma: [\d.e-]+", f"sigma: {sigma[name]:.3f}", line)
        text = text.replace(found[0], line)
    lines = []
    for where, sizes in errors.items():
        cells = ", ".join(f"{n}: {{mape: {e['mape']:.3f}, median: {e['median']:.3f}}}" for n, e in sizes.items())
        lines.append(f"  {where}: {{{cells}}}")
    text = re.sub(r"(?m)^error:\n(?:  .*\n)+", "error:\n" + "\n".join(lines) + "\n", text)
    YAML.write_text(re.sub(r"(?m)^rows: \d+", f"rows: {rows}", text), encoding="utf-8")


def table_of(rows: Rows, error: Array) -> dict[str, dict[str, float]]:
    """Errors by size for the record, over repeats where `error` has several."""
    out = {}
    for name, mask in by_size(rows).items():
        if mask.any() and np.isfinite(error[..., mask]).all():
            off = np.abs(np.expm1(error[..., mask]))
            out[name.replace(" ", "_").lower()] = {"mape": float(off.mean()), "median": float(np.median(off))}
    return out


def main() -> None:
    """Fit, leave out rows, sources and classes, print; write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", default=os.environ.get("GIGAWATT_TRUTH", "."))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    everything = load(Path(options.truth))
    rows, moe = everything.take(~everything.moe), everything.take(everything.moe)
    start = packaged()

    fit, spread = fitted(rows, start)
    error = Model(rows).error(fit)
    report("collectives, in sample", rows, error)
    errors = {"in_sample": table_of(rows, error)}
    repeated = []
    for seed in range(REPEATS):
        folds = np.random.default_rng(seed).permutation(len(rows.cases)) % 4
        repeated.append(left_out(rows, start, [folds == k for k in range(4)], PRIOR))
        report(f"collectives, rows left out in four folds, draw {seed}", rows, repeated[-1])
    errors["rows_left_out"] = table_of(rows, np.array(repeated))
    away = left_out(rows, start, [rows.source == s for s in sorted(set(rows.source))], PRIOR)
    report("collectives, source left out", rows, away)
    errors["source_left_out"] = table_of(rows, away)
    crosses = np.array([c.ranks > c.per_domain for c in rows.cases])
    proxy = np.array([c.fabric.technology == "tcpx" for c in rows.cases])
    guessed = np.array([not c.fabric.nic_stated for c in rows.cases])
    for where, mask in (
        ("inside a domain", ~crosses),
        ("over a network whose NICs are stated", crosses & ~proxy & ~guessed),
        ("over a network whose NICs are guessed", crosses & ~proxy & guessed),
        ("over a proxy transport", crosses & proxy),
    ):
        report(f"  {where}, source left out", rows.take(mask), away[mask])
    unseen = np.full(len(rows.cases), np.nan)
    for name, mask in classes(rows).items():
        unseen[mask] = left_out(rows, start, [mask], without_class(name, PRIOR))[mask]
        report(f"  class {name} never seen", rows.take(mask), unseen[mask])
    seen = np.isfinite(unseen)
    report("classes never seen", rows.take(seen), unseen[seen])
    errors["class_left_out"] = table_of(rows.take(seen), unseen[seen])
    report("null: one latency and one bandwidth a collective, class and group, in sample", rows, one_line(rows))

    fit, moe_spread = fitted(moe, fit, MOE_PRIOR)
    fit = replace(fit, value={**fit.value, "n_ll128": fitted(rows, start)[0]["n_ll128"]})
    error = Model(moe).error(fit)
    report("expert tokens, in sample", moe, error)
    away = left_out(moe, fit, [moe.source == s for s in sorted(set(moe.source))], MOE_PRIOR)
    report("expert tokens, source left out", moe, away)
    errors["experts_source_left_out"] = table_of(moe, away)
    sigma = dict(zip(PRIOR, spread, strict=True)) | dict(zip(MOE_PRIOR, moe_spread, strict=True))
    for name in [*PRIOR, *MOE_PRIOR, "n_ll128"]:
        print(f"{name:24s} {start[name]:.4g} -> {fit[name]:.4g}  x/÷ {np.exp(sigma.get(name, 0.0)):.3f}")
    if options.write:
        write(fit, sigma, errors, len(everything.cases))


if __name__ == "__main__":
    main()

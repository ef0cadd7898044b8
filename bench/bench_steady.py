"""The closed form at a rate of requests beside the simulation of every request: gaps over a grid, and rows a second.

python bench/bench_steady.py [REQUESTS]
"""

from __future__ import annotations

import sys

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Load, Spec, deploy
from gigawatt.physics.serving.events import Fleet, Group, Requests, curve_of, simulate
from gigawatt.physics.serving.steady.goodput import best_rate
from gigawatt.physics.serving.steady.open_loop import open_loop
from gigawatt.physics.serving.steady.spread import open_spread, tpot_quantile, ttft_quantile
from gigawatt.physics.serving.steady.tails import open_tails
from gigawatt.physics.workload import from_config
from measure import best_of, line, numpy_element_s

ROWS = (
    ("llama3-70b", "h200-sxm", 4, "vllm"),
    ("llama3-70b", "b200-sxm", 2, "trtllm"),
    ("deepseek-v3", "b200-sxm", 8, "sglang"),
)
LENGTHS = ((1000, 300), (4000, 300), (1000, 1000))
LOADS = (0.2, 0.5, 0.7, 0.8, 0.9)
SHARES = (0.5, 0.9, 0.99)
WARM = 0.2  # of the requests, left out of the percentiles


def lengths(mean: int, cv: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Lognormal lengths in tokens."""
    variance = np.log1p(cv**2)
    return np.maximum(2, np.exp(np.log(mean) - variance / 2 + np.sqrt(variance) * rng.standard_normal(count))).astype(
        int
    )


def gaps(requests: int, input_cv: float = 0.0, output_cv: float = 0.0) -> None:
    """Closed form over simulation, less 1, by load."""
    catalog = Catalog.load()
    found: dict[float, list[list[float]]] = {load: [] for load in LOADS}
    rng = np.random.default_rng(1)
    for model, chip, gpus, engine in ROWS:
        arch = from_config(model, catalog.get("model", model).config)
        d = deploy([Spec(arch, chip_from_record(catalog.get("accelerator", chip)), gpus, 1, gpus, engine)])
        for n, out in LENGTHS:
            curve = curve_of(d, max_num_seqs=512, prefix_cache=False, contexts=(256.0, float(n + out)))
            load = Load.of(float(n), float(out), 1.0, max_batch=512.0, input_cv=input_cv, output_cv=output_cv)
            capacity = float(open_loop(d, load, 1e-9).capacity_per_s[0])
            for part in LOADS:
                arrive = np.cumsum(rng.exponential(1.0 / (part * capacity), requests))
                prompts, answers = lengths(n, input_cv, requests, rng), lengths(out, output_cv, requests, rng)
                seen = simulate(Requests.of(arrive, prompts, answers), Fleet((Group(curve, 1),)))
                warm = int(WARM * requests)
                state = open_loop(d, load, part * capacity)
                s = open_spread(d, load, state)
                pairs = [(state.ttft_s[0], seen.ttft_s[warm:].mean()), (state.tpot_s[0], seen.tpot_s[warm:].mean())]
                spaced = seen.tpot_s[warm:][answers[warm:] > out / 10]
                for quantile, times in ((ttft_quantile, seen.ttft_s[warm:]), (tpot_quantile, spaced)):
                    pairs += [(quantile(s, share)[0], np.quantile(times, share)) for share in SHARES]
                found[part].append([a / b - 1.0 for a, b in pairs])
    for part, rows in found.items():
        table = np.array(rows)
        sizes, signs = 100 * np.median(np.abs(table), axis=0), 100 * np.median(table, axis=0)
        names = ("TTFT mean", "TPOT mean", *(f"{time} p{100 * x:g}" for time in ("TTFT", "TPOT") for x in SHARES))
        text = ", ".join(f"{n} {a:.0f} ({b:+.0f})" for n, a, b in zip(names, sizes, signs, strict=True))
        line(f"load {part:g}: median gap (signed), %", text)


def speed() -> None:
    """Rows a second of the solutions."""
    catalog, rows = Catalog.load(), 8000
    arch = from_config("llama3-70b", catalog.get("model", "llama3-70b").config)
    chip = chip_from_record(catalog.get("accelerator", "h200-sxm"))
    d, load = deploy([Spec(arch, chip, 4, 1, 4, "vllm")] * rows), Load.of(3000.0, 500.0, 1.0, input_cv=0.5)
    rate = np.linspace(0.1, 0.9, rows) * open_loop(d, load, 1e-9).capacity_per_s
    element_s = numpy_element_s()
    for name, solve in (
        ("open loop", lambda: open_loop(d, load, rate)),
        ("three percentiles of three times, with their intervals", lambda: open_tails(d, load, rate)),
        ("rate that keeps 99 % within an SLO", lambda: best_rate(d, load, 2.0, 0.05)),
    ):
        seconds, _ = best_of(solve, 2)
        line(name, f"{rows / seconds:,.0f} rows/s; {seconds / rows / element_s:,.0f} multiply-adds a row")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6000
    line("lengths fixed", "")
    gaps(count)
    line("lengths varied, CV of prompts 0.5, of answers 1", "")
    gaps(count, 0.5, 1.0)
    speed()

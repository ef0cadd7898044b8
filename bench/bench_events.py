"""Serving event by event: simulated requests a second on real traces, and how the cost grows with requests and instances.

Beside the same queue in simpy, the bare interpreter, and the machine's own speed. The traces come from the folder named
by GIGAWATT_TRUTH. Bars: with numba 1,000,000 requests a second on the Azure conversation trace and 200,000 with prefix
cache, preemption and priorities on the Mooncake conversation trace; without numba 20,000.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from gigawatt.physics.serving.events import Fleet, Outcome, Requests, StepCurve, simulate
from gigawatt.physics.serving.events.compiled import has_numba
from measure import T, line, numpy_element_s

sys.path.append(str(Path(__file__).parents[1] / "tests" / "serving" / "events"))
SOLVERS = ("numba", "python") if has_numba() else ("python",)
# About Llama 3 70B in fp8 on four H200, rounded; the cost of an event hangs on how many there are, not on these.
CURVE = StepCurve.affine(
    step_s=0.008,
    request_s=3e-5,
    token_s=1.2e-8,
    chunk_s=0.002,
    chunk_token_s=2e-5,
    pair_s=5e-10,
    max_num_seqs=256,
    token_budget=8192,
    kv_blocks=30_000,
)


def best_of(job: Callable[[], T], repeats: int) -> tuple[float, T]:
    """(fewest seconds of the core, the last result): the bars are for one core, whoever else uses it."""
    fewest, result = float("inf"), job()
    for _ in range(repeats):
        began = time.process_time()
        result = job()
        fewest = min(fewest, time.process_time() - began)
    return fewest, result


def azure(folder: Path) -> Requests:
    with gzip.open(folder / "AzureLLMInferenceTrace_conv.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    at = np.array([datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows])
    lengths = ([int(row[name]) for row in rows] for name in ("ContextTokens", "GeneratedTokens"))
    return Requests.of(at - at[0], *lengths)


def mooncake(folder: Path, classes: int) -> Requests:
    with gzip.open(folder / "mooncake_conversation_trace.jsonl.gz", "rt") as file:
        rows = [json.loads(row) for row in file]
    blocks = [row["hash_ids"] for row in rows]
    return Requests.of(
        [row["timestamp"] / 1e3 for row in rows],
        [row["input_length"] for row in rows],
        [row["output_length"] for row in rows],
        priority=np.random.default_rng(0).integers(0, classes, len(rows)),
        hash_from=np.append(0, np.cumsum([len(ids) for ids in blocks])),
        hashes=np.concatenate(blocks),
    )


def told(what: str, requests: Requests, fleet: Fleet, bar: str = "", repeats: int = 5) -> Outcome:
    for solver in SOLVERS:
        run = 4 * repeats if solver == "numba" else 2
        seconds, o = best_of(lambda s=solver: simulate(requests, fleet, solver=s), run)
        beside = f"{o.events / len(requests):.2f} events, {o.use.steps.sum() / len(requests):.0f} steps a request"
        line(f"{what}, {solver}", f"{len(requests) / seconds:,.0f}/s", beside + (f"; bar {bar}" if bar else ""))
    return o


def traces(folder: Path) -> None:
    conversation = azure(folder)
    told(f"Azure conversation, {len(conversation):,}", conversation, Fleet.of(CURVE), "1,000,000 (numba), 20,000")
    hashed = mooncake(folder, classes=3)
    line("Mooncake: blocks an endless cache would hit", f"{hashed.reusable_share():.1%}")
    faster = replace(CURVE, decode_s=CURVE.decode_s / 2, chunk_s=CURVE.chunk_s / 3, pair_s=2e-10)
    for what, blocks in (("tight cache", 12_000), ("endless cache", 1 << 30)):
        o = told(
            f"Mooncake, 3 priorities, {what}", hashed, Fleet.of(replace(faster, kv_blocks=blocks)), "200,000 (numba)"
        )
        hit = o.use.hit_tokens.sum() / o.use.lookup_tokens.sum()
        line("  tokens found, preemptions", f"{hit:.1%}, {o.preemptions.sum()}")


def poisson(n: int, per_s: float, seed: int = 1) -> Requests:
    draw = np.random.default_rng(seed)
    return Requests.of(
        np.cumsum(draw.exponential(1 / per_s, n)), draw.integers(100, 1900, n), draw.integers(50, 350, n)
    )


def growth() -> None:
    solver = SOLVERS[0]
    scale = 1 if solver == "numba" else 20
    first = 0.0
    for n in (30_000, 100_000, 300_000, 1_000_000):
        requests = poisson(n // scale, 8.0)
        seconds, _ = best_of(lambda r=requests: simulate(r, Fleet.of(CURVE), solver=solver), 2)
        each = seconds / len(requests)
        first = first or each
        line(
            f"{len(requests):,} requests at 8 a second",
            f"{1 / each:,.0f}/s",
            f"{each / first:.2f} of the first a request",
        )
    for routing in ("least_requests", "round_robin"):
        first = 0.0
        for count in (1, 10, 100, 1000):
            requests = poisson(200_000 // scale, 8.0 * count)
            fleet = Fleet.of(CURVE, count, routing=routing)
            seconds, o = best_of(lambda r=requests, f=fleet: simulate(r, f, solver=solver), 2)
            each = seconds / o.events
            first = first or each
            beside = f"{each / first:.2f} of the first an event, {len(requests) / seconds:,.0f} requests/s"
            line(f"{count:,} instances, {routing}", f"{1e9 * each:,.0f} ns/event", beside)


def peers() -> None:
    from events_reference import run

    requests = poisson(2000, 8.0)
    tight = replace(CURVE, decode_s=CURVE.decode_s[:65], token_s=CURVE.token_s[:65])
    theirs_s, (jobs, _) = best_of(lambda: run(tight, requests), 1)
    for solver in SOLVERS:
        mine_s, o = best_of(lambda s=solver: simulate(requests, Fleet.of(tight), solver=s), 3)
        off = np.max(np.abs(o.finish_s / [job.finish for job in jobs] - 1))
        line(
            f"the same queue in simpy, 2,000 requests, over {solver}",
            f"{theirs_s / mine_s:,.0f} times",
            f"off by {off:.0e}",
        )
    step_s, o = best_of(lambda: simulate(requests, Fleet.of(tight), skip=False, solver="python"), 2)
    mine_s, skipped = best_of(lambda: simulate(requests, Fleet.of(tight), solver="python"), 2)
    line("step by step, python", f"{step_s / mine_s:.1f} times", f"{o.events / skipped.events:.1f} times the events")


def theory() -> None:
    """The single-server queue beside Pollaczek and Khinchine."""
    if SOLVERS[0] != "numba":
        return
    one, n = StepCurve.affine(step_s=0.0, chunk_token_s=1e-4, max_num_seqs=1), 1_000_000
    for load, runs in ((0.3, 1), (0.5, 1), (0.6, 2), (0.7, 4), (0.8, 8), (0.9, 24)):
        ratios = []
        for seed in range(runs):
            draw = np.random.default_rng(seed)
            tokens = draw.integers(1, 2000, n)
            service = tokens * 1e-4
            requests = Requests.of(np.cumsum(draw.exponential(service.mean() / load, n)), tokens, 1)
            o = simulate(requests, Fleet.of(one), solver="numba")
            rate = n / requests.arrival_s[-1]
            formula = rate * np.mean(service**2) / (2 * (1 - rate * service.mean()))
            ratios.append(np.mean(o.scheduled_s - o.arrival_s) / formula)
        error = np.std(ratios) / max(runs - 1, 1) ** 0.5
        line(f"M/G/1 at load {load}, {runs} million", f"{np.mean(ratios):.4f}", f"of the formula, +- {error:.4f}")


def main() -> None:
    line("one multiply-add in NumPy", f"{1e9 * numpy_element_s():.2f} ns")
    told_in = os.environ.get("GIGAWATT_TRUTH", "")
    folder = Path(told_in) / "traces"
    if told_in and folder.is_dir():
        traces(folder)
    else:
        line("traces", "left out", "GIGAWATT_TRUTH names no folder with traces/")
    growth()
    peers()
    theory()


if __name__ == "__main__":
    main()

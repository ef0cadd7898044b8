"""Risk of the one-gigawatt scenario: draws with the fleet held, with it chosen anew, and what a run's bands add.

Beside each stands a peer of the same run: a single metric taken one draw at a time (pyxirr's IRR), a programme built and
solved anew, the whole run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gigawatt.factory.model import build
from gigawatt.factory.solver import Solver
from gigawatt.finance import irr
from gigawatt.study.bands import draw_bands, reoptimised
from gigawatt.study.load import load
from gigawatt.study.risk.analyse import analyse
from gigawatt.study.risk.model import Asked
from gigawatt.study.risk.plan_model import plan_model
from gigawatt.study.timeline import timeline
from measure import best_of, line, numpy_element_s, process

EXAMPLE = Path(__file__).parent.parent / "examples" / "one-gigawatt.yaml"
DRAWS, ANEW, RUN = 100_000, 10_000, 1024


def main() -> None:
    loaded = load(EXAMPLE)
    began = time.perf_counter()
    model = plan_model(loaded)
    physics_s = time.perf_counter() - began
    line("operating points, prices and plan", f"{physics_s:.2f} s")
    bands(model, physics_s)
    held(model)
    anew(model)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "gigawatt.cli.main",
            "risk",
            str(EXAMPLE),
            "--samples",
            str(DRAWS),
            "-o",
            f"{folder}/run",
        ]
        whole = process(command)
    line(f"whole verb, {DRAWS:,} draws, run folder written", f"{whole.wall_s:.2f} s",
         f"{whole.cpu_s:.2f} s of CPU (limit 10 s), {whole.rss_mb:.0f} MB")  # fmt: skip


def bands(model, physics_s: float) -> None:
    """What the bands add to a run, with the catalog's ranges."""
    answer = model.answer
    law = answer.resolved.scenario.uncertainty.model_copy(update={"samples": RUN})
    scenario = answer.resolved.scenario.model_copy(update={"uncertainty": law})
    resolved = replace(answer.resolved, loaded=replace(answer.resolved.loaded, scenario=scenario))
    parts = (resolved, answer.priced, answer.plan, timeline(scenario), answer.settled)
    seconds, made = best_of(lambda: draw_bands(*parts), 3)
    line(f"bands of a run, {RUN:,} draws of {len(model.inputs)} inputs", f"{seconds * 1e3:.0f} ms",
         f"{seconds / physics_s:.2%} of the plan; {len(made.columns)} columns (limit 2 s)")  # fmt: skip


def held(model) -> None:
    """Every metric, its causes and convergence, the fleet held."""
    asked = Asked("system_npv", DRAWS)
    began, cpu = time.perf_counter(), time.process_time()
    analyse(model, asked)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    flows = np.tile(model.answer.flows("operator"), (200, 1)) * np.linspace(0.9, 1.1, 200)[:, None]
    one, _ = best_of(lambda: [irr(row) for row in flows], 3)
    element = numpy_element_s()
    line(
        f"{DRAWS:,} draws held: all metrics, causes, convergence",
        f"{seconds:.2f} s",
        f"{cpu:.2f} s of CPU, {cpu / DRAWS * 1e6:.0f} us a draw",
    )
    line("beside: one IRR a draw by pyxirr, one at a time", f"{one / 200 * 1e6:.0f} us a draw",
         f"x {cpu / DRAWS / (one / 200):.2f} for everything; {cpu / DRAWS / element:,.0f} NumPy elements a draw")  # fmt: skip


def anew(model) -> None:
    """The fleet chosen anew in each draw, solved in place."""
    began, cpu = time.perf_counter(), time.process_time()
    reoptimised(model.held_plan, model.drawn, ANEW)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    inputs = model.answer.priced.inputs
    one, _ = best_of(lambda: Solver(build(inputs).program, relax=True).value(), 5)
    line(
        f"{ANEW:,} draws, the fleet chosen anew in each",
        f"{seconds:.2f} s",
        f"{cpu:.2f} s of CPU, {cpu / ANEW * 1e3:.2f} ms a draw (limit 30 s)",
    )
    line(
        "beside: one programme built and solved from nothing",
        f"{one * 1e3:.2f} ms",
        f"x {one / (cpu / ANEW):.1f} of a draw",
    )


if __name__ == "__main__":
    main()

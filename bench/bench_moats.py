"""The moat table: three regimes, every coalition, both directions, changed in place, beside building each programme anew."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from gigawatt.factory.moats import MOATS, Absent, Game, MoatTerms, Regime, standard_regimes
from gigawatt.factory.moats.game import SUBSETS, at_production_cost
from gigawatt.factory.model import build
from gigawatt.factory.solver import Solver
from gigawatt.study.load import load
from gigawatt.study.moats.answer import answer_moats
from gigawatt.study.moats.file import load_moats
from gigawatt.study.moats.setting import setting_of
from gigawatt.study.moats.strengths import strengths_of
from gigawatt.study.pipeline import chosen
from gigawatt.study.resolve import resolve
from gigawatt.study.timeline import timeline
from measure import best_of, line

EXAMPLE = Path(__file__).parent.parent / "examples" / "one-gigawatt.yaml"
WANTED = ("power-limited", "capital-limited", "chip-limited")
GIVEN = [*((moat,) for moat in MOATS), MOATS]


def table(regimes: list[Regime]) -> int:
    """Solves of the table: nine for v(S), and twice four for what is given."""
    solves = 0
    for regime in regimes:
        game = Game(regime.inputs, regime.terms)
        game.worths()
        for given in GIVEN:
            game.value(given=given)
            game.value(given=given, present=False)
        solves += 1 + len(SUBSETS) + 2 * len(GIVEN)
    return solves


def rebuilt(regimes: list[Regime]) -> int:
    """The same number of programmes, each built and solved from nothing; the factors do not matter for the time."""
    solves = 0
    for regime in regimes:
        joint = at_production_cost(regime.inputs, regime.terms)
        for _ in range(1 + len(SUBSETS) + 2 * len(GIVEN)):
            Solver(build(joint).program).solve()
            solves += 1
    return solves


def main() -> None:
    loaded = load(EXAMPLE)
    resolved = resolve(loaded)
    began = time.perf_counter()
    priced, best = chosen(resolved, timeline(loaded.scenario))
    line("operating points and plan", f"{time.perf_counter() - began:.2f} s")
    spec = resolved.scenario.moats
    assert spec is not None
    setting = setting_of(resolved, priced, best, spec)
    began = time.perf_counter()
    strengths = strengths_of(setting)
    line("each moat by physics", f"{time.perf_counter() - began:.2f} s")
    terms: MoatTerms = strengths.terms()
    regimes = [one for one in standard_regimes(setting.inputs, terms, WANTED) if not isinstance(one, Absent)]
    shape = Game(regimes[0].inputs, terms).model.program
    line("columns x rows", f"{shape.cost.size:,} x {shape.row_low.size}")
    fast_s, solves = best_of(lambda: table(regimes), 3)
    slow_s, _ = best_of(lambda: rebuilt(regimes), 1)
    line(f"{len(regimes)} regimes, {solves} solves in place", f"{1e3 * fast_s:.0f} ms", "limit: 60 s")
    line("the same, each built anew", f"{1e3 * slow_s:.0f} ms", f"{slow_s / fast_s:.1f} x as long")
    began, used = time.perf_counter(), time.process_time()
    made = answer_moats(load_moats(EXAMPLE))
    rows = len(made.tables["moats"])
    samples = int(np.asarray(made.manifest["samples"]))
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    line("gigawatt moats, whole", f"{wall:.1f} s", f"{cpu:.1f} s of CPU; {rows} rows, {samples} draws; limit: 60 s")


if __name__ == "__main__":
    main()

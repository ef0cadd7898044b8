"""What a sweep costs beside its answers: design, rows, Parquet, disk, progress, summary, with a question that answers at once.

Printed are milliseconds a scenario by number of scenarios, beside the limit of 5 ms; the driver's memory, which must not grow;
and the peer: the same rows gathered in a list of dictionaries and written once, which can neither go on nor stay small.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gigawatt.report.files import add_run
from gigawatt.study.evaluate import Outcome, Recipe
from gigawatt.study.executors import Serial
from gigawatt.study.headline import HEADLINES
from gigawatt.study.sweep import Sweep, answer_sweep, drive
from gigawatt.study.sweep.axes import Columns
from gigawatt.study.sweep.design import Design, chunk_of
from gigawatt.study.sweep.values import Span, read_words
from measure import line

EXAMPLE = Path(__file__).parent.parent / "examples" / "one-gigawatt.yaml"
SIZES = (1_000, 10_000, 100_000)
LIMIT_MS = 5.0


class AtOnce:
    """Answers all headline metrics of a run, and takes no time to think."""

    def __init__(self) -> None:
        self.values = {one.name: 1.0 for one in HEADLINES}
        self.units = {one.name: one.unit for one in HEADLINES}

    def outcome(self, changes: Mapping[str, Any]) -> Outcome:
        price = float(str(changes["site.energy_price"]).partition(" ")[0])
        return Outcome("ok", self.values | {"system_npv": 1e9 / (1 + price), "capex": price})


class Question(Recipe):
    """The one-gigawatt site, answered at once."""

    __slots__ = ()

    def evaluator(self) -> AtOnce:  # type: ignore[override]
        return AtOnce()


def sweep_of(rows: int) -> Sweep:
    recipe = Recipe.of(EXAMPLE)
    question = Question(recipe.verb, recipe.source)
    places = read_words(
        "abilene-texas, norway, ohio, singapore, iowa, oregon, carolinas, sydney-australia, tokyo-japan, dublin-ireland"
    )
    prices, tokens = 10, rows // 100
    axes = (
        Columns({"site.place": places}),
        Columns({"site.energy_price": Span(30, 90, prices, "USD/MWh")}),
        Columns({"workloads.chat.price.output": Span(0.5, 2, tokens, "USD/Mtok")}),
    )
    return Sweep(question, Design(axes, chunk_of(rows)), "overhead", "Overhead")


def peak_mb() -> float:
    """Most memory that this process has had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def swept(rows: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench-sweep-"))
    try:
        sweep = sweep_of(rows)
        began = time.perf_counter()
        with drive(sweep, folder, Serial()) as made:
            driven = time.perf_counter() - began
            memory = peak_mb()
            add_run(answer_sweep(made), folder)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        with drive(sweep, folder, Serial()):
            again = time.perf_counter() - began
        line(
            f"{rows:>9,} scenarios, {sweep.design.chunks:,} parts",
            f"{1e3 * driven / rows:.3f} ms each",
            f"{LIMIT_MS * rows / driven / 1e3:.0f} x under the limit; {1e3 * whole / rows:.3f} ms with the summary; "
            f"peak {memory:.0f} MB driving, {peak_mb():.0f} MB with the summary; looking through what is there {again:.1f} s",
        )
    finally:
        shutil.rmtree(folder)


def gathered(rows: int) -> None:
    """All rows in one list, one file."""
    sweep, began = sweep_of(rows), time.perf_counter()
    evaluator = AtOnce()
    found = []
    for row in range(rows):
        changes = sweep.design.changes(row)
        found.append({"index": row, **changes, **evaluator.outcome(changes).values})
    with tempfile.TemporaryDirectory() as folder:
        pl.DataFrame(found).write_parquet(Path(folder) / "all.parquet")
    spent = time.perf_counter() - began
    line(f"{rows:>9,} scenarios in one list", f"{1e3 * spent / rows:.3f} ms each", f"peak {peak_mb():.0f} MB")


def main() -> None:
    """Each size in a process of its own, so that its memory is its own."""
    if len(sys.argv) == 3:
        {"swept": swept, "gathered": gathered}[sys.argv[1]](int(sys.argv[2]))
        return
    sizes = [int(word) for word in sys.argv[1:]] or list(SIZES)
    for what, rows in [*(("swept", rows) for rows in sizes), ("gathered", min(sizes[-1], 100_000))]:
        subprocess.run([sys.executable, __file__, what, str(rows)], check=True)


if __name__ == "__main__":
    main()

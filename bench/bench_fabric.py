"""The closed form of collectives: a million (size, group, fabric) points, a lone call, and the verb's own rows.

The limit of a million points is what a column must do at least: read sizes, groups and rates, write seconds. It is taken
as one multiply-add a point on columns that stay in cache, and as a pass over columns that do not.
"""

from __future__ import annotations

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.fabric import collective_seconds
from gigawatt.physics.fabric.wires import wires_of
from gigawatt.study.net import Groups, Question, answer, points, read_question, wire
from measure import best_of, line, numpy_element_s

POINTS = 1_000_000
ON = ("gb300-nvl72", "hgx-h100", "mi355x-8", "trn2-ultra")
KINDS = ("all_reduce", "all_gather", "all_to_all", "broadcast", "send_recv")


def passes_s() -> float:
    """Seconds of a pass over a million doubles out of cache: two read, one written."""
    a, b, out = np.full(POINTS, 1.5), np.full(POINTS, 0.5), np.empty(POINTS)

    def work() -> None:
        np.multiply(a, b, out=out)

    return best_of(work, 20)[0]


def main() -> None:
    catalog = Catalog.load()
    fabrics = [w.fabric for w in wire(Question(on=ON), catalog)]
    rng = np.random.default_rng(0)
    net = rng.integers(0, len(fabrics), POINTS)
    nbytes = np.exp2(rng.uniform(10, 34, POINTS))
    ranks = np.exp2(rng.integers(1, 14, POINTS)).astype(np.float64)
    wires = wires_of(fabrics).take(net)
    element, one_pass = numpy_element_s(), passes_s()
    line("one multiply-add in cache", f"{element * 1e9:.2f} ns")
    line("one pass over a million doubles", f"{one_pass * 1e3:.2f} ms")
    for kind in KINDS:
        seconds, _ = best_of(lambda kind=kind: collective_seconds(kind, nbytes, ranks, wires), 2)
        each = seconds / POINTS
        beside = f"{each / element:,.0f} multiply-adds a point, {seconds / one_pass:,.0f} passes"
        line(f"{kind}, a million points", f"{seconds:.2f} s", beside)

    n = np.exp2(np.arange(1, 11))
    groups = Groups(np.tile(n, (4, 1)), np.minimum(n, np.array([[f.domain] for f in fabrics])))
    sizes = np.geomspace(1e3, 1e10, POINTS // (4 * len(n)))
    bare, _ = best_of(lambda: collective_seconds("all_reduce", nbytes, ranks, wires), 2)
    seconds, made = best_of(lambda: points(fabrics, ["all_reduce"], sizes, groups), 2)
    line(f"points(), {len(made.seconds):,} points", f"{seconds:.2f} s", f"{seconds / bare:.2f} x the physics alone")

    fabric = fabrics[0]
    lone, _ = best_of(lambda: collective_seconds("all_reduce", 2.0**30, 144.0, fabric), 200)
    column = bare / POINTS
    line("a lone call", f"{lone * 1e6:.0f} us", f"{lone / column:,.0f} x a point in a column")
    question = read_question("all_reduce", on="gb300-nvl72", chips="144", size="1 GiB")
    whole, _ = best_of(lambda: answer(question, catalog), 20)
    line("answer() of one point, records read", f"{whole * 1e3:.2f} ms", f"{whole / lone:.1f} x the lone call")


if __name__ == "__main__":
    main()

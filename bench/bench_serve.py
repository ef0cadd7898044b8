"""`gigawatt serve` on the case that a published planner was timed on: DeepSeek-V3 on 64 H200, 4000 in and 1000 out, both kinds.

The whole answer (search, whole workers, watts, bands, front, refusals) in one process, and the verb as a user runs it, each
beside what the same machine did a moment ago: NumPy's arithmetic, and a process that imports the libraries of the verb.

aiconfigurator 0.12.0 (github.com/ai-dynamo/aiconfigurator) took 66 s for this case on two shared cores, 52 s of them in its
search, and 107 s (89 s) for the same model on 64 GB200; of its calls 36 to 84 a second were configurations it had not
evaluated before.
"""

from __future__ import annotations

import sys

from gigawatt.catalog import Catalog
from gigawatt.study.serve import answer, read_question
from measure import best_of, line, numpy_element_s, process

PEER_SEARCH_S, PEER_WALL_S, PEER_UNIQUE_PER_S = 52.4, 66.0, 84.0
WORDS = {
    "on": "hgx-h200",
    "isl": "4000",
    "osl": "1000",
    "slo": "ttft=5 s,tpot=50 ms",
    "chips": "64",
    "replica_chips": "64",
}
FLOOR = "import numpy, pydantic, ruamel.yaml, rich, typer, pint"


def main() -> None:
    catalog = Catalog.load()
    element_s = numpy_element_s()
    line("NumPy multiply-add, in cache", f"{1e9 * element_s:.2f} ns")
    question = read_question("deepseek-v3", **WORDS)
    seconds, found = best_of(lambda: answer(question, catalog), 3)
    count = found.manifest["candidates"]
    line(
        f"DeepSeek-V3 on 64 H200, whole answer: {count:,} candidates",
        f"{1e3 * seconds:.0f} ms",
        f"{seconds / count / element_s:,.0f} multiply-adds a candidate; a peer's search took "
        f"{PEER_SEARCH_S / seconds:,.0f} x as long",
    )
    line(
        "candidates a second",
        f"{count / seconds:,.0f}",
        f"{count / seconds / PEER_UNIQUE_PER_S:,.0f} x a peer's at best",
    )
    floor = process([sys.executable, "-c", FLOOR], 2)
    words = [item for key, value in WORDS.items() for item in (f"--{key.replace('_', '-')}", value)]
    verb = process([sys.executable, "-m", "gigawatt.cli.main", "serve", "deepseek-v3", *words], 2)
    beside = f"{verb.wall_s / floor.wall_s:.1f} x importing its libraries; a peer's process {PEER_WALL_S / verb.wall_s:,.0f} x"
    line("gigawatt serve, wall", f"{verb.wall_s:.2f} s", beside)
    line(
        "gigawatt serve, peak memory",
        f"{verb.rss_mb:.0f} MB",
        f"{verb.rss_mb / floor.rss_mb:.1f} x its libraries alone",
    )


if __name__ == "__main__":
    main()

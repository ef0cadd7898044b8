"""What an engine costs: for chunks that cost nothing, and on sites and prices of the one-gigawatt scenario, pool beside Ray.

Rates of the second part are beyond start-up: from the moment when every worker has answered its first chunk, so that
interpreters, catalog and the first physics are over. `bench_sweep.py 10000` asks for so many scenarios; fewer (default 400)
are extrapolated, and said so.
"""

from __future__ import annotations

import importlib.util
import math
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gigawatt.study.executors import Executor, Maker, Pool, Ray, Serial, Worker
from gigawatt.study.executors.remote import ONE_THREAD, processors
from gigawatt.study.sweep import Sweep
from gigawatt.study.sweep.schema import schema_of
from gigawatt.study.sweep.work import Work
from measure import line

EXAMPLE = Path(__file__).parent.parent / "examples" / "one-gigawatt.yaml"
PLACES = (
    "abilene-texas, norway, ohio, singapore, iowa, oregon, carolinas, sydney-australia, tokyo-japan, dublin-ireland"
)
WORKERS = max(2, processors())
ROWS, WHOLE, LIMIT_S = 400, 10_000, 600
PART_BYTES = 20_000  # as of fifty rows of a run


@dataclass(frozen=True, slots=True)
class Nothing:
    """A worker that answers at once."""

    def __call__(self) -> Worker:
        part = b"\0" * PART_BYTES
        return lambda chunk: part


@dataclass(frozen=True, slots=True)
class Timed:
    """A worker whose parts are the processor seconds that they took: on a machine that others use too, these stay."""

    make: Maker

    def __call__(self) -> Worker:
        worker = self.make()

        def work(chunk: int) -> bytes:
            began = time.process_time()
            worker(chunk)
            return struct.pack("d", time.process_time() - began)

        return work


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second while all workers are warm, processor seconds of a row then, and seconds until they are warm."""

    rows_per_s: float
    cpu_s: float
    start_s: float


def pace(executor: Executor, make: Maker, sizes: Sequence[int], workers: int) -> Pace:
    """Run chunks of these sizes; count from when each worker has answered one (from the first, where one did all the work)."""
    began = time.perf_counter()
    met: set[str] = set()
    answers: list[tuple[float, int, float]] = []  # when, rows, processor seconds
    warm = 0
    for done in executor.run(Timed(make), range(len(sizes))):
        answers.append((time.perf_counter() - began, sizes[done.chunk], struct.unpack("d", done.part)[0]))
        if done.worker not in met:
            met.add(done.worker)
            warm = len(answers) if len(met) <= workers else warm
    warm = warm if len(met) == workers else 1
    start, after = answers[warm - 1][0], answers[warm:]
    rows = sum(count for _, count, _ in after)
    return Pace(rows / max(answers[-1][0] - start, 1e-9), sum(cpu for _, _, cpu in after) / max(rows, 1), start)


def engines() -> list[tuple[Executor, int]]:
    found: list[tuple[Executor, int]] = [(Serial(), 1), (Pool(WORKERS), WORKERS)]
    if importlib.util.find_spec("ray"):
        found.append((Ray(WORKERS), WORKERS))
    else:
        print("Ray is not installed: pip install 'gigawatt[ray]' to see it beside the pool")
    return found


def at_once() -> None:
    """Chunks that cost nothing."""
    for executor, workers in engines():
        found = pace(executor, Nothing(), [1] * 2000, workers)
        each_ms = 1e3 / found.rows_per_s
        line(
            f"{executor.name} of {workers}: a chunk that costs nothing",
            f"{each_ms:.2f} ms",
            f"{each_ms / 50:.3f} ms a scenario in chunks of 50; begun after {found.start_s:.1f} s",
        )


def for_real(rows: int) -> None:
    """Sites and prices of the one-gigawatt scenario."""
    prices = max(2, math.ceil(rows / 10))
    sweep = Sweep.of(EXAMPLE, grid=[f"site.place={PLACES}", f"site.energy_price=30..90 USD/MWh/{prices}"])
    design = sweep.design
    work = Work(sweep.recipe, design, schema_of(sweep.recipe, design))
    sizes = [len(design.rows_of(chunk)) for chunk in range(design.chunks)]
    print(f"{design.rows:,} scenarios of one gigawatt, {design.chunks} chunks, ten places")
    found = {}
    for executor, workers in engines():
        made = pace(executor, work, sizes, workers)
        found[executor.name] = made
        whole_s = made.start_s + WHOLE / made.rows_per_s
        said = "took" if design.rows >= WHOLE else "extrapolated to"
        line(
            f"{executor.name} of {workers}: beyond start-up",
            f"{made.rows_per_s:.1f} /s",
            f"{1e3 * made.cpu_s:.0f} ms of a processor each; begun after {made.start_s:.0f} s; "
            f"{said} {whole_s:.0f} s for {WHOLE:,}, {LIMIT_S / whole_s:.1f} x under the limit",
        )
    if "ray" in found:
        ratio = found["ray"].rows_per_s / found["pool"].rows_per_s
        same = found["pool"].cpu_s / found["ray"].cpu_s
        line(
            "Ray beside the pool, beyond start-up",
            f"{ratio:.2f}",
            f"limit 0.8 to 1.25; by processor seconds {same:.2f}",
        )
    line(f"a pool of {WORKERS} beside one process", f"{found['pool'].rows_per_s / found['serial'].rows_per_s:.2f}")


def memory(chunks: int) -> None:
    """The driver's most memory after so many chunks."""
    for _ in Pool(WORKERS).run(Nothing(), range(chunks)):
        pass
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    line(f"the driver of a pool after {chunks:,} chunks", f"{most_mb:.0f} MB", "flat: it keeps none of them")


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        memory(int(sys.argv[2]))
        return
    at_once()
    for chunks in (100, 1_000, 10_000):
        subprocess.run([sys.executable, __file__, "memory", str(chunks)], check=True)
    for_real(int(sys.argv[1]) if sys.argv[1:] else ROWS)


if __name__ == "__main__":
    import os

    # As workers have it, so that the serial engine is measured alike; NumPy reads it when it is first imported.
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})

    import bench_sweep  # by its name: workers can not import what is in `__main__`

    bench_sweep.main()

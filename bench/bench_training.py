"""The search over training mappings: complete candidates a second, and how many NumPy multiply-adds each costs.

A candidate counts when its seconds, bytes and joules were worked out and it was held against the front; what whole-number
rules leave out does not. Every run counts all of its work: enumeration, messages, kernels of layers, the sweep. Before a
rate is told, every candidate of the space is worked out again by the plain path (`evaluate`, one row each) and the largest
difference is shown. Rates are over seconds of one core (CPU time), so that a busy machine tells the same.

Published by others, for the same question: Calculon 28 to 45 a second, SimuMax 0.6 to 10.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calculon_space import AGAIN, COUNTED, CUT_SENDS, SCALE_UP, PeerSpace, calculon_chips, calculon_space
from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, box_from_record, chip_from_record
from gigawatt.physics.training import Shape, Space, best_mapping, evaluate, memory_of, shape_of
from gigawatt.physics.training.calibration import Coefficients, Context, coefficients, load_calibration
from gigawatt.physics.training.columns import Machine, machine_of
from gigawatt.physics.training.releases import context_of, release_of
from gigawatt.physics.training.search.best import FULL
from gigawatt.physics.training.search.bulk import Chips, Evaluated, Settings, chips_of, evaluated, messages_in
from gigawatt.physics.training.search.candidates import Grid, Job, candidates_of
from gigawatt.physics.training.search.front import Front
from gigawatt.physics.training.search.plain import sums_of
from gigawatt.physics.training.step.offload import usual_host
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from measure import line

REPEATS = 3
ROOM = 0.94
PLAIN_ROWS = 65_536
STACK = "megatron-tuned"
CASES = (("llama3-405b", "hgx-h200", 8192), ("llama3-70b", "gb300-nvl72", 4608), ("deepseek-v3", "hgx-b200", 2048))
# About a million candidates a job.
DENSE = Space(
    micro_batch=(1.0, 2.0, 4.0, 8.0, 16.0), recompute=(0.0, 0.25, 0.5, 0.75, 1.0), modules=(0.0, 1.0, 2.0, 3.0),
    sequence_parallel=(1.0, 0.0), sharding=(0.0, 1.0, 2.0, 3.0), overlap_tp=(1.0, 0.0), overlap_dp=(1.0, 0.0),
    offload_optimizer=(0.0, 1.0), schedule=(1.0, 2.0, 3.0, 5.0), every=True,
)  # fmt: skip
MIXTURE = replace(DENSE, offload_optimizer=(0.0,), schedule=(1.0,), paired=(0.0, 1.0))


def gpt(layers: int, hidden: int, heads: int) -> Shape:
    """A model of the Megatron papers, 51,200 words."""
    mixer, ffn = Mixer("gqa", heads, heads, hidden // heads), FeedForward("dense", 4 * hidden, gated=False)
    return shape_of(Architecture("gpt", "gpt", hidden, 51200, (LayerGroup(layers, mixer, ffn),), tied_embeddings=True))


@dataclass(frozen=True, slots=True)
class Ground:
    """What all cases run on: one chip, one stack, 16 bit."""

    chip: Chip
    machine: Machine
    c: Coefficients

    @property
    def room_bytes(self) -> float:
        return ROOM * self.chip.memory_bytes


def ground() -> Ground:
    chip = chip_from_record(Catalog.load().get("accelerator", "h100-sxm"))
    fit = load_calibration()
    c = coefficients([Context("hopper", "16", fit.stack(STACK))], fit.parameters)
    return Ground(chip, machine_of(chip, "16", host=usual_host(chip)), c)


def seconds_of(job: Callable[[], int], repeats: int = REPEATS) -> tuple[float, int]:
    """(fewest CPU seconds of some runs, what a run returned)."""
    fewest, found = float("inf"), 0
    for _ in range(repeats):
        began = time.process_time()
        found = job()
        fewest = min(fewest, time.process_time() - began)
    return fewest, found


def multiply_add_s(elements: int = 10_000) -> float:
    """CPU seconds of one float64 multiply-add in a NumPy column that stays in cache."""
    a, b, out = np.full(elements, 1.5), np.full(elements, 0.5), np.empty(elements)

    def work() -> int:
        for _ in range(300):
            np.multiply(a, b, out=out)
            np.add(out, a, out=out)
        return 300 * elements

    seconds, done = seconds_of(work)
    return seconds / done


def prepared(on: Ground, shape: Shape, job: Job, space: Space) -> tuple[Chips, tuple[Grid, ...]]:
    found = candidates_of(shape, job, space)
    settings = Settings.of(found, found.grids)
    fit = load_calibration()
    stack = fit.stack(STACK)
    context, plain = context_of("", shape, on.chip, "16", stack, release_of(""))
    sent = messages_in(shape, on.machine.network, settings, plain, sums_of(stack, "16", None))
    c = coefficients([context], fit.parameters)
    return chips_of(shape, on.chip, "16", on.machine, c, FULL, settings, sent), found.grids


def sweep(on: Ground, run: Chips, grids: Sequence[Grid], chips: int) -> int:
    """All candidates, whether they fit the memory or not; how many there were."""
    front, count = Front(on.room_bytes), 0
    for part in evaluated(run, grids, flash=1.0, room_bytes=np.inf, job_chips=chips):
        front.add(part, part.memory_bytes <= on.room_bytes)
        count += int(np.prod(part.block.shape))
    return count


def difference(on: Ground, shape: Shape, part: Evaluated, some: np.ndarray, chips: int) -> tuple[float, int]:
    """(largest relative difference to the plain path in seconds, bytes and joules, how many cells were looked at)."""
    largest = 0.0
    cells = np.flatnonzero(np.broadcast_to(some, part.block.shape))
    for start in range(0, cells.size, PLAIN_ROWS):
        mine = cells[start : start + PLAIN_ROWS]
        rows = part.block.rows(mine)
        steps = evaluate(shape, on.chip, rows, stack=STACK)
        busy = rows.chips * phase_watts(on.chip, steps).mean_w
        joules = steps.step_s * (busy + (chips - rows.chips) * on.chip.idle_w)
        memory = np.asarray(memory_of(shape, rows).total_bytes)
        for bulk, plain in ((part.step_s, steps.step_s), (part.memory_bytes, memory), (part.joules, joules)):
            values = np.broadcast_to(bulk, part.block.shape).ravel()[mine]
            largest = max(largest, float(np.max(np.abs(values / plain - 1.0))))
    return largest, int(cells.size)


def whole_space(on: Ground, name: str, shape: Shape, job: Job, space: Space, element_s: float, check: bool) -> None:
    """One job of ours: every candidate equal to the plain path, then the rate."""
    largest, looked = 0.0, 0
    if check:
        run, grids = prepared(on, shape, job, space)
        for part in evaluated(run, grids, flash=1.0, room_bytes=np.inf, job_chips=job.chips):
            one, count = difference(on, shape, part, np.ones(1, dtype=bool), job.chips)
            largest, looked = max(largest, one), looked + count

    def once() -> int:
        run, grids = prepared(on, shape, job, space)
        return sweep(on, run, grids, job.chips)

    told(name, *seconds_of(once), element_s, largest, looked)


def peer_space(on: Ground, shape: Shape, element_s: float, check: bool) -> None:
    """The whole of Calculon's space; the plain path has words for those on the networks where groups stand."""
    space = calculon_space(shape, 1024, 2048, 512)
    sums = sums_of(load_calibration().stack(STACK), "16", None)
    largest, looked = 0.0, 0
    if check:
        run = calculon_chips(shape, on.chip, "16", on.machine, on.c, FULL, space, sums)
        for part in evaluated(run, space.grids, flash=1.0, room_bytes=np.inf, job_chips=1024):
            one, count = difference(on, shape, part, plainly(space, part), 1024)
            largest, looked = max(largest, one), looked + count

    def once() -> int:
        found = calculon_space(shape, 1024, 2048, 512)
        run = calculon_chips(shape, on.chip, "16", on.machine, on.c, FULL, found, sums)
        return sweep(on, run, found.grids, 1024)

    line("Calculon's space, counted by its own -d", f"{COUNTED:,}", f"here {len(space):,}")
    told("Calculon's whole space, 175B on 1,024", *seconds_of(once), element_s, largest, looked)


def plainly(space: PeerSpace, part: Evaluated) -> np.ndarray:
    """Cells that a mapping says whole: groups on the network they stand on, sends and gathers as ever."""
    layer, *_, schedule = part.block.knob
    axes = space.axes
    tensor = (axes.tensor_net[layer] == SCALE_UP) & (axes.tensor[layer] != CUT_SENDS) & (axes.tensor[layer] != AGAIN)
    ends = (axes.pipeline_net[schedule] == SCALE_UP) & (axes.data_net[schedule] == SCALE_UP)
    return np.asarray(tensor.reshape(-1, 1, 1, 1, 1, 1) & ends.reshape(-1, 1))


def told(name: str, seconds: float, count: int, element_s: float, largest: float, looked: int) -> None:
    each = seconds / count
    equal = f"; {looked:,} by the plain path too, largest difference {largest:.0e}" if looked else ""
    line(
        f"{name}: {count:,}",
        f"{1 / each:,.0f} /s",
        f"{seconds:.2f} s of a core, {each / element_s:,.0f} multiply-adds a candidate{equal}",
    )


def searches(element_s: float) -> None:
    """The search as it is asked for: pruned by memory, with its front and what it tells."""
    catalog = Catalog.load()
    for model, platform, chips in CASES:
        arch = from_config(model, catalog.get("model", model).config)
        rack = catalog.get("platform", platform)
        box = box_from_record(rack, catalog.get("accelerator", rack.accelerator))
        for name, space, repeats in (("", Space(), REPEATS), (", wide", Space.wide(), 1)):
            kept = []

            def once(arch=arch, box=box, chips=chips, space=space, kept=kept) -> int:
                kept[:] = [best_mapping(arch, box, chips=chips, seq=8192, global_batch=2048, space=space)]
                return kept[0].timed

            seconds, timed = seconds_of(once, repeats)
            line(
                f"{model} on {chips:,} of {platform}{name}",
                f"{1e3 * seconds:,.0f} ms",
                f"{kept[0].candidates:,} enumerated, {timed:,} timed, {len(kept[0])} kept: {kept[0].mapping[kept[0].best]}",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-check", action="store_true", help="leave out the plain path, a minute")
    check = not parser.parse_args().no_check
    on, element_s = ground(), multiply_add_s()
    line("NumPy multiply-add, in cache", f"{1e9 * element_s:.2f} ns")
    mixture = shape_of(from_config("deepseek-v3", Catalog.load().get("model", "deepseek-v3").config))
    large = gpt(96, 12288, 96)
    whole_space(on, "GPT-3 175B on 1,024", large, Job(1024, 2048, 512), DENSE, element_s, check)
    whole_space(on, "GPT 1T on 3,072", gpt(128, 25600, 160), Job(3072, 2048, 3072), DENSE, element_s, check)
    whole_space(on, "DeepSeek-V3 on 2,048", mixture, Job(2048, 4096, 4096), MIXTURE, element_s, check)
    peer_space(on, large, element_s, check)
    searches(element_s)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    line("peak memory of all of this", f"{peak:,.0f} MB")
    line("others, published", "", "Calculon 28-45 /s, SimuMax 0.6-10 /s")


if __name__ == "__main__":
    main()

"""Pipeline schedules: how long a step is when stages of equal length run m micro-batches.

1F1B with p stages takes (m + p - 1) times forward + backward of a stage; the interleaved schedule with v model chunks a
stage takes (m + (p - 1) / v) [Narayanan et al., SC'21, sec. 2.2]. `replay` runs a schedule unit by unit and is what the
closed form is tested against.
"""

from __future__ import annotations

from typing import Any


def pipeline_s(micro_batches: Any, stages: Any, chunks: Any, longest_stage_s: Any, mean_stage_s: Any) -> Any:
    """Seconds of a 1F1B or interleaved pipeline: m * longest + (p - 1) / v * mean.

    >>> float(pipeline_s(8, 4, 1, 3.0, 3.0))
    33.0
    """
    return micro_batches * longest_stage_s + (stages - 1.0) / chunks * mean_stage_s


def bubble_share(micro_batches: Any, stages: Any, chunks: Any = 1.0) -> Any:
    """Idle share of a step: ((p-1)/v) / (m + (p-1)/v).

    >>> bubble_share(8, 4)
    0.2727272727272727
    """
    idle = (stages - 1.0) / chunks
    return idle / (micro_batches + idle)


def stored_micro_batches(micro_batches: Any, stages: Any, chunks: Any) -> Any:
    """Micro-batches of activations that the first stage holds, in units of a whole stage.

    1F1B holds min(m, p); interleaving adds (p - 1) / v more, since warm-up runs p - 1 chunks deeper
    [Korthikanti et al., arXiv 2205.05198, sec. 4.2.3: L (1 + (p - 1) / (p v)) layers' worth].
    """
    import numpy as np

    interleaved = np.asarray(chunks) > 1
    deep = stages + np.where(interleaved, (stages - 1.0) / chunks, 0.0)
    return np.minimum(micro_batches, deep)


def replay(micro_batches: int, stages: int, chunks: int = 1, forward_s: float = 1.0, backward_s: float = 2.0) -> float:
    """Makespan of the schedule run unit by unit, with stages of `forward_s` + `backward_s` for a micro-batch.

    A stage of v chunks spends forward_s / v on each. The order of units on a stage is Megatron's: warm-up forwards,
    then one forward one backward, then the remaining backwards; a unit starts when its stage is free and its input is
    there.

    Raises:
        ValueError: interleaved with micro-batches that are no multiple of the stages.
    """
    if chunks > 1 and micro_batches % stages:
        raise ValueError("the interleaved schedule needs micro-batches in multiples of the stages")
    orders = [_order(stage, micro_batches, stages, chunks) for stage in range(stages)]
    done: dict[tuple[str, int, int], float] = {}  # (pass, virtual stage, micro-batch) -> end
    free = [0.0] * stages
    cursor = [0] * stages
    last = stages * chunks - 1
    left = sum(len(order) for order in orders)
    while left:
        for stage, order in enumerate(orders):
            while cursor[stage] < len(order):
                kind, chunk, batch = order[cursor[stage]]
                virtual = chunk * stages + stage
                if kind == "F":
                    need = ("F", virtual - 1, batch) if virtual else None
                else:
                    need = ("B", virtual + 1, batch) if virtual < last else ("F", virtual, batch)
                if need is not None and need not in done:
                    break
                start = max(free[stage], done[need] if need else 0.0)
                free[stage] = start + (forward_s if kind == "F" else backward_s) / chunks
                done[kind, virtual, batch] = free[stage]
                cursor[stage] += 1
                left -= 1
    return max(free)


def _order(stage: int, micro_batches: int, stages: int, chunks: int) -> list[tuple[str, int, int]]:
    units = micro_batches * chunks

    def unit(i: int, kind: str) -> tuple[str, int, int]:
        if chunks == 1:
            return kind, 0, i
        group, inside = divmod(i, stages * chunks)
        chunk, lane = divmod(inside, stages)
        return kind, chunk if kind == "F" else chunks - 1 - chunk, group * stages + lane

    if chunks == 1:
        warm = min(stages - stage - 1, units)
    else:
        warm = min(2 * (stages - stage - 1) + (chunks - 1) * stages, units)
    order = [unit(i, "F") for i in range(warm)]
    for i in range(units - warm):
        order += [unit(warm + i, "F"), unit(i, "B")]
    return order + [unit(i, "B") for i in range(units - warm, units)]

"""A pipeline schedule run unit by unit: what the closed forms of `pipeline` are tested against.

A step of a rank starts when the rank is free and the inputs of all its units are there: F needs the F of the stage
before, B (or A) the B of the stage after, or at the end of the chain its own F; W its own B. What crosses ranks arrives
`send_s` later and occupies neither side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.physics.training.schedule.orders import Order, Step, Unit, order_of

Seconds = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class Replay:
    """A schedule as it ran. Of each rank: seconds busy, and the most micro-batches of activations it held at once, in
    units of all its layers, where activations live from the start of F to the end of B (`in_flight`) or of W
    (`until_weights`). `runs` are the steps as they ran: rank, start, end, units."""

    makespan_s: float
    busy_s: tuple[float, ...]
    in_flight: tuple[float, ...]
    until_weights: tuple[float, ...]
    runs: tuple[tuple[int, float, float, Step], ...] = ()

    @property
    def bubble_s(self) -> float:
        """Idle seconds of the busiest rank."""
        return self.makespan_s - max(self.busy_s)


def replay(
    schedule: float,
    micro_batches: int,
    ranks: int,
    chunks: int = 1,
    *,
    forward_s: Seconds = 1.0,
    input_s: Seconds = 1.0,
    weight_s: Seconds = 1.0,
    send_s: float = 0.0,
) -> Replay:
    """Run a schedule.

    Args:
        schedule: one of `columns.SCHEDULES`, by number.
        micro_batches: micro-batches of a step (of both directions together, in DualPipe).
        ranks: pipeline ranks.
        chunks: model chunks of a rank.
        forward_s, input_s, weight_s: seconds of F, B and W of a micro-batch through all chunks of a rank; a number, or
            one for each stage of the chain (then a chunk's own seconds).
        send_s: seconds of a message between ranks.

    Raises:
        InputError: the schedule is not defined for these numbers.
        RuntimeError: the order deadlocks (a fault in `orders`).
    """
    order = order_of(schedule, micro_batches, ranks, chunks)
    per_rank = order.chain_stages // ranks
    cost = {
        name: _spread(value, order.chain_stages, per_rank)
        for name, value in (("F", forward_s), ("B", input_s), ("W", weight_s))
    }
    cost["A"] = [b + w for b, w in zip(cost["B"], cost["W"], strict=True)]
    done: dict[tuple[str, int, int, int], float] = {}
    free, busy, cursor = [0.0] * ranks, [0.0] * ranks, [0] * ranks
    events: list[list[tuple[float, int, int, int]]] = [[] for _ in range(ranks)]
    runs: list[tuple[int, float, float, Step]] = []
    left = sum(len(steps) for steps in order.steps)
    while left:
        before = left
        for rank, steps in enumerate(order.steps):
            while cursor[rank] < len(steps):
                step = steps[cursor[rank]]
                ready = [_ready(unit, order, rank, done, send_s) for unit in step]
                if None in ready:
                    break
                start = max([free[rank], *(r for r in ready if r is not None)])
                length = sum(cost[u.work][u.stage] for u in step)
                free[rank], busy[rank] = start + length, busy[rank] + length
                runs.append((rank, start, free[rank], step))
                for unit in step:
                    _finish(unit, start, free[rank], done, events[rank])
                cursor[rank] += 1
                left -= 1
        if left == before:
            raise RuntimeError("the order deadlocks")
    unit_share = 1.0 / per_rank
    return Replay(
        makespan_s=max(free),
        busy_s=tuple(busy),
        in_flight=tuple(_most(rows, 0) * unit_share for rows in events),
        until_weights=tuple(_most(rows, 1) * unit_share for rows in events),
        runs=tuple(runs),
    )


def _spread(value: Seconds, stages: int, per_rank: int) -> list[float]:
    return [value / per_rank] * stages if isinstance(value, (int, float)) else [float(x) for x in value]


def _ready(
    unit: Unit, order: Order, rank: int, done: dict[tuple[str, int, int, int], float], send_s: float
) -> float | None:
    """When the inputs of a unit are on its rank; None where they are not made yet."""
    chain, stage, batch = unit.chain, unit.stage, unit.batch
    if unit.work == "F":
        need = ("F", chain, stage - 1, batch) if stage else None
    elif unit.work == "W":
        need = ("B", chain, stage, batch)
    else:
        need = ("B", chain, stage + 1, batch) if stage + 1 < order.chain_stages else ("F", chain, stage, batch)
    if need is None:
        return 0.0
    if need not in done:
        return None
    crosses = order.rank_of(chain, need[2]) != rank
    return done[need] + (send_s if crosses else 0.0)


def _finish(
    unit: Unit,
    start: float,
    end: float,
    done: dict[tuple[str, int, int, int], float],
    events: list[tuple[float, int, int, int]],
) -> None:
    """Note a unit as done, and what it does to the activations held: (time, order, until B, until W)."""
    work = "B" if unit.work == "A" else unit.work
    done[work, unit.chain, unit.stage, unit.batch] = end
    if unit.work == "F":
        events.append((start, 1, 1, 1))
    elif unit.work == "B":
        events.append((end, 0, -1, 0))
    elif unit.work == "A":
        events.append((end, 0, -1, -1))
    else:
        events.append((end, 0, 0, -1))


def _most(events: list[tuple[float, int, int, int]], which: int) -> int:
    """Of the counts until B (0) or until W (1), the largest running sum; at equal times what is freed comes first."""
    held = most = 0
    for event in sorted(events, key=lambda e: (round(e[0], 9), e[1])):
        held += event[2:][which]
        most = max(most, held)
    return most

"""What the simulation tells: a row a request, a row an instance, a row an interval of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.events import rows
from gigawatt.physics.serving.events.fleet import Fleet
from gigawatt.physics.serving.events.requests import Floats, Ints, Requests


@dataclass(frozen=True, slots=True)
class InstanceUse:
    """Integrals over the run, a row an instance (seconds, unless the name says otherwise).

    on_s powered; decode_s in steps that only decode; mixed_s in steps that prompts enter; queue_s, batch_s: waiting and
    decoding requests x seconds; context_token_s: cached tokens of those who decode x seconds; used_block_s: blocks in
    use x seconds; most_used, still_used: blocks at once, and at the end.
    """

    on_s: Floats
    decode_s: Floats
    mixed_s: Floats
    queue_s: Floats
    batch_s: Floats
    context_token_s: Floats
    used_block_s: Floats
    steps: Ints
    prompt_tokens: Ints
    output_tokens: Ints
    most_used: Ints
    still_used: Ints
    blocks: Ints
    lookup_tokens: Ints
    hit_tokens: Ints

    @property
    def busy_s(self) -> Floats:
        """Seconds in steps."""
        return self.decode_s + self.mixed_s


@dataclass(frozen=True, slots=True)
class Use:
    """The fleet's use by interval of `bin_s`: the same integrals, summed over instances. The last takes what comes after."""

    bin_s: float
    on_s: Floats
    busy_s: Floats
    mixed_s: Floats
    batch_s: Floats
    context_token_s: Floats
    used_block_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    steps: Floats


class Timed:
    """The times that requests feel, from the columns of their stamps."""

    __slots__ = ()
    arrival_s: Floats
    first_token_s: Floats
    finish_s: Floats
    output_tokens: Ints

    @property
    def ttft_s(self) -> Floats:
        """Arrival to first token."""
        return self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time between tokens after the first; NaN for answers of one token."""
        gaps = self.output_tokens - 1
        return np.where(gaps > 0, (self.finish_s - self.first_token_s) / np.maximum(gaps, 1), np.nan)

    @property
    def e2e_s(self) -> Floats:
        """Arrival to last token."""
        return self.finish_s - self.arrival_s


@dataclass(frozen=True, slots=True)
class Outcome(Timed):
    """A row a request, in the order of `Requests`; times in s from the trace's zero, NaN where it did not come to that.

    served: all tokens made; refused: too long, or the queue was full. What is neither was never served, for no instance
    was on. cached_tokens of the prompt were found in the cache when it was first admitted. restarts: after its instance
    broke. instance: where it was last.
    """

    arrival_s: Floats
    scheduled_s: Floats
    first_token_s: Floats
    finish_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    cached_tokens: Ints
    preemptions: Ints
    restarts: Ints
    instance: Ints
    served: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    use: InstanceUse
    by_time: Use
    end_s: float
    events: int

    @classmethod
    def read(cls, requests: Requests, fleet: Fleet, world: rows.World, order: Ints | None, *, closed: bool) -> Outcome:
        """Columns from the kernel's records."""
        reqs, insts = cast(NDArray[Any], world.reqs), cast(NDArray[Any], world.insts)
        state = cast(NDArray[Any], world.state)[0]
        if order is not None:
            sorted_back = np.empty_like(reqs)
            sorted_back[order] = reqs
            reqs = sorted_back
        status = reqs["status"]
        served = status == rows.DONE

        came = closed | (requests.after >= 0)

        def time_of(name: str, known: NDArray[np.bool_]) -> Floats:
            return np.where(known, reqs[name], np.nan)

        door_s = state["door_s"] + state["door_token_s"] * requests.input_tokens
        blocks = cast(NDArray[Any], world.curves)["blocks"][insts["curve"]]
        use = InstanceUse(
            on_s=insts["on_s"].copy(),
            decode_s=insts["decode_s"].copy(),
            mixed_s=insts["mixed_s"].copy(),
            queue_s=insts["queue_s"].copy(),
            batch_s=insts["batch_s"].copy(),
            context_token_s=insts["context_s"].copy(),
            used_block_s=insts["used_s"].copy(),
            steps=insts["all_steps"].copy(),
            prompt_tokens=insts["prompt_tokens"].copy(),
            output_tokens=insts["output_tokens"].copy(),
            most_used=insts["most_used"].copy(),
            still_used=blocks - insts["free"] - insts["idle"],
            blocks=blocks,
            lookup_tokens=insts["lookups"].copy(),
            hit_tokens=insts["hits"].copy(),
        )
        return cls(
            arrival_s=np.where(came, reqs["enter_s"] - door_s, requests.arrival_s),
            scheduled_s=time_of("scheduled_s", reqs["scheduled_s"] >= 0),
            first_token_s=time_of("first_s", reqs["first_s"] >= 0),
            finish_s=time_of("finish_s", served),
            input_tokens=requests.input_tokens,
            output_tokens=requests.output_tokens,
            cached_tokens=reqs["cached"].copy(),
            preemptions=reqs["preempted"].copy(),
            restarts=reqs["restarts"].copy(),
            instance=reqs["instance"].copy(),
            served=served,
            refused=status == rows.REFUSED,
            use=use,
            by_time=_by_time(world, use),
            end_s=float(state["now_s"]),
            events=int(state["events"]),
        )


# Column of the kernel's integrals by interval -> the same integral by instance.
_COLUMNS = {
    "on_s": rows.ON_TIME,
    "busy_s": rows.BUSY,
    "mixed_s": rows.MIXED,
    "batch_s": rows.BATCH,
    "context_token_s": rows.CONTEXT,
    "used_block_s": rows.USED,
    "prompt_tokens": rows.PROMPTS,
    "output_tokens": rows.OUTPUTS,
    "steps": rows.STEPS,
}


def _by_time(world: rows.World, use: InstanceUse) -> Use:
    """The kernel's intervals, or one made of the instances' sums."""
    state = cast(NDArray[Any], world.state)[0]
    if state["bins"] == 1:
        return Use(math.inf, **{name: np.array([float(getattr(use, name).sum())]) for name in _COLUMNS})
    bins = np.asarray(world.floats)[state["bins_at"] :].reshape(-1, rows.BIN_COLUMNS)
    return Use(float(state["bin_s"]), **{name: bins[:, at] for name, at in _COLUMNS.items()})

"""Agents: tasks of many calls whose context grows, with waits for tools in between, as tokens, cache and chip-seconds.

    call i      context c_i = first + i (tool + output); of its input, what was there before is found in the cache
    hit         h (1 - P(wait > keep))            a cache is kept `keep` seconds into a wait, then evicted, or parked in the
                                                  host's memory and fetched back: h
    call s      r = TTFT + output TPOT             steady state at C calls, with the mean context and the share found
    Little      X = C / r,  tasks/s = X / calls,  sessions N = X (r + wait)
    cache       X (r + E[min(wait, keep)]) contexts are held, and must fit

Waits for tools are log-normal with a given mean and median (in published traces the median is 0.1 s and the mean 17 s).
Keeping caches through long waits costs room and so calls at once; evicting them costs prefill, parking them a fetch. Means of
a task are used: tasks that differ in length use more than a task of mean length does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import calibration, chip_watts
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.calibration import sigmas
from gigawatt.physics.serving.engine.deployment import FULL, Deployment, Spec, deploy, take
from gigawatt.physics.serving.engine.layouts import layouts
from gigawatt.physics.serving.engine.memory import cache_bytes_per_request, free_bytes_per_chip, weight_bytes_per_chip
from gigawatt.physics.serving.engine.model import Floats, served_model
from gigawatt.physics.serving.engine.step import PARTS
from gigawatt.physics.serving.search.space import engines_of
from gigawatt.physics.serving.search.spent import BOUND_OF
from gigawatt.physics.serving.services.frontier import Candidates, ServiceFrontier, choose, positive
from gigawatt.physics.serving.services.work import precisions_of
from gigawatt.physics.serving.steady.aggregated import Load, SteadyState, steady_state
from gigawatt.physics.workload import Architecture

CALLS_AT_ONCE = np.unique(np.round(2.0 ** np.arange(0.0, 10.01, 0.25)))


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One task: `calls` of the model; tokens of the first prompt, of a tool's answer, of the model's; seconds of a tool.

    `hit` is the share of what could be found in a kept cache that is found; `keep_s` how long a cache is kept into a wait
    (0: evicted at once, infinite: held).
    """

    calls: float
    first_tokens: float
    tool_tokens: float
    output_tokens: float
    tool_mean_s: float
    tool_median_s: float
    hit: float
    keep_s: float = np.inf

    @property
    def growth(self) -> float:
        """Tokens that a call adds to the context of the next."""
        return self.tool_tokens + self.output_tokens

    @property
    def context_tokens(self) -> float:
        """Mean input of a call."""
        return self.first_tokens + (self.calls - 1.0) / 2.0 * self.growth

    @property
    def last_tokens(self) -> float:
        """Context as the task ends."""
        return self.first_tokens + (self.calls - 1.0) * self.growth + self.output_tokens

    @property
    def evicted(self) -> float:
        """Share of waits that outlast the cache."""
        return 1.0 - self._below(0.0)

    @property
    def kept_s(self) -> float:
        """Mean seconds of a wait during which the cache is held: E[min(wait, keep)]."""
        if self.tool_mean_s == 0.0 or self.keep_s == 0.0:
            return 0.0
        if not np.isfinite(self.keep_s):
            return self.tool_mean_s
        return self.tool_mean_s * self._below(self._sigma) + self.keep_s * self.evicted

    @property
    def repeated_share(self) -> float:
        """Share of all input tokens of a task that a cache which is never evicted would hold and find."""
        total = self.calls * self.context_tokens
        repeated = total - self.first_tokens - (self.calls - 1.0) * self.tool_tokens
        return self.hit * max(repeated, 0.0) / total

    @property
    def cached_share(self) -> float:
        """Share of all input tokens of a task that is found on the chips."""
        return (1.0 - self.evicted) * self.repeated_share

    @property
    def _sigma(self) -> float:
        return float(np.sqrt(2.0 * np.log(max(self.tool_mean_s / self.tool_median_s, 1.0 + 1e-9))))

    def _below(self, shift: float) -> float:
        """P(wait < keep), or the part of the mean that lies below it where shifted by sigma."""
        if self.tool_mean_s == 0.0 or not np.isfinite(self.keep_s):
            return 1.0
        if self.keep_s == 0.0:
            return 0.0
        return float(ndtr(np.log(self.keep_s / self.tool_median_s) / self._sigma - shift))


def usual_task(name: str = "coding", **changes: float) -> AgentTask:
    """A published kind of task (calibration `serving-services`), with what is asked to differ."""
    row = calibration.table("serving-services", "agents")[name]
    return replace(AgentTask(**{key: float(value) for key, value in row.items()}), **changes)


def check_task(task: AgentTask, arch: Architecture) -> None:
    """Refuse what no agent does.

    Raises:
        InputError: empty tasks, shares beyond 1, medians above means, a context beyond the model's positions; all at once.
    """
    problems = []
    for name in ("calls", "first_tokens", "output_tokens", "tool_median_s"):
        if not getattr(task, name) > 0:
            problems.append(
                Problem("wrong_value", f"agent task: {name} is {getattr(task, name):g}, and must be above zero")
            )
    for name in ("tool_tokens", "tool_mean_s", "keep_s"):
        if not getattr(task, name) >= 0:
            problems.append(Problem("wrong_value", f"agent task: {name} is {getattr(task, name):g}, below zero"))
    if not 0.0 <= task.hit <= 1.0:
        problems.append(Problem("wrong_value", f"agent task: hit is {task.hit:g}, and is a share"))
    if 0.0 < task.tool_mean_s < task.tool_median_s:
        hint = "waits are log-normal: give a median at most as long as the mean"
        problems.append(Problem("wrong_value", "agent task: a tool's mean wait is below its median", None, (hint,)))
    if arch.max_positions and task.last_tokens > arch.max_positions:
        message = f"agent task: the context ends at {task.last_tokens:,.0f} tokens, and '{arch.name}' knows "
        most = (arch.max_positions - task.first_tokens - task.output_tokens) / max(task.growth, 1e-9) + 1.0
        hint = f"at most {max(most, 0):,.0f} calls of this kind fit"
        problems.append(Problem("too_long", f"{message}{arch.max_positions:,} positions", None, (hint,)))
    if problems:
        raise InputError(problems)


def agents(
    arch: Architecture,
    chip: Chip,
    *,
    task: AgentTask | None = None,
    task_s: float = np.inf,
    tpot_s: float = np.inf,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = (),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    host: HostPath | None = None,
    host_cache_bytes: float = 0.0,
    decode_derate: float = 1.0,
    prefill_derate: float = 1.0,
    ladder: Floats = CALLS_AT_ONCE,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Tasks/s per chip: every layout, precision and engine, by calls at once.

    `decode_derate` and `prefill_derate` are what production leaves of a benchmark's speed. With a `host` what is evicted
    goes to its memory, of which each chip has `host_cache_bytes`, and is fetched back.
    `task_s` limits a whole task, waits for tools included, at the mean; `tpot_s` the time between tokens. `batch` is the
    calls at once of a replica. `details`: `sessions` (tasks in flight on it), `call_s`, `ttft_s`, `tpot_s`,
    `chip_s_per_task`, `prefill_share` (of the replica's time), `waiting_share` (of the held cache: sessions that wait for
    a tool), `fresh_tokens_per_task`, `host_bytes_per_chip`.

    Raises:
        InputError: a task that makes no sense, or longer than the model's positions.
    """
    asked = task or usual_task()
    check_task(asked, arch)
    positive(
        "agents",
        task_s=task_s,
        tpot_s=tpot_s,
        maturity=maturity,
        decode_derate=decode_derate,
        prefill_derate=prefill_derate,
    )
    wired = default_fabric(chip) if fabric is None else fabric
    able = precisions_of(chip, precisions)
    combos = [
        (layout, p, e)
        for layout in layouts(served_model(arch), wired.domain)
        for p in able
        for e in engines or engines_of(chip)
    ]
    base = deploy(
        [
            Spec(
                arch,
                chip,
                layout.gpus,
                layout.dp,
                layout.moe_tp,
                e,
                p,
                maturity=maturity,
                mode=mode,
                fabric=wired,
                host=host,
                host_cache_bytes=host_cache_bytes,
            )
            for layout, p, e in combos
        ]
    )
    rows = np.repeat(np.arange(len(combos)), len(ladder))
    at_once = np.tile(ladder, len(combos))
    d = take(base, rows)
    share, fetched = (asked.cached_share, 0.0) if host is None else (asked.repeated_share, asked.evicted)
    load = Load.of(
        asked.context_tokens,
        asked.output_tokens,
        at_once,
        cached_share=share,
        fetched_share=fetched,
        decode_derate=decode_derate,
        prefill_derate=prefill_derate,
    )
    state = steady_state(d, load)
    call_s = state.ttft_s + asked.output_tokens * state.tpot_s
    flow = at_once / call_s
    held = flow * (call_s + asked.kept_s)
    weights, free = weight_bytes_per_chip(d), free_bytes_per_chip(d)
    context = cache_bytes_per_request(d, np.asarray(asked.context_tokens), np.asarray(asked.output_tokens))
    whole_s = asked.calls * call_s + (asked.calls - 1.0) * asked.tool_mean_s
    per_chip = flow / asked.calls / d.gpus
    half = np.hypot(sigmas()["throughput_fitted"], d.kernels.half_width)
    fresh = asked.calls * asked.context_tokens * (1.0 - share)
    # Caches that wait in the hosts, on each chip's part of them.
    parked = flow * (asked.tool_mean_s - asked.kept_s) / d.dp * context * float(host is not None)
    candidates = Candidates(
        precision=np.array([p for _, p, _ in combos])[rows],
        chips=d.gpus,
        batch=at_once,
        latency_s=whole_s,
        units_per_s_per_chip=per_chip,
        chip_w=_watts(d, chip, state, mode),
        memory_bytes=weights + held / d.dp * context,
        room_bytes=weights + free,
        bound=_bound(state),
        low=np.exp(-half),
        high=np.exp(half),
        rungs=len(ladder),
        details={
            "sessions": flow * (call_s + asked.tool_mean_s * (asked.calls - 1.0) / asked.calls),
            "call_s": call_s,
            "ttft_s": state.ttft_s,
            "tpot_s": state.tpot_s,
            "chip_s_per_task": 1.0 / per_chip,
            "prefill_share": state.prefill_load,
            "waiting_share": asked.kept_s / (call_s + asked.kept_s),
            "fresh_tokens_per_task": np.full(len(rows), fresh),
            "host_bytes_per_chip": parked,
        },
    )
    return choose(
        "agents",
        "task",
        candidates,
        limit_s=task_s,
        limit="task time",
        refused=[
            (parked > host_cache_bytes, "more caches wait than the hosts hold", _host_room(parked, host_cache_bytes)),
            (state.tpot_s > tpot_s, "TPOT above the limit", _tpot_floor(state)),
        ],
        band="80 % factors of token serving's fit and its kernels; lengths of tasks are inputs and not in it",
        notes=(
            f"{asked.calls:g} calls, {asked.first_tokens:,.0f} to {asked.last_tokens:,.0f} tokens of context, "
            f"{share:.0%} of input found in the cache" + (f", {fetched:.0%} of that in hosts" if fetched else ""),
            f"waits of {asked.tool_mean_s:g} s on average, the cache kept for {asked.kept_s:.3g} s of them",
        ),
    )


def _watts(d: Deployment, chip: Chip, state: SteadyState, mode: PowerMode) -> Floats:
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    busy = 1.0 - state.parts.host / np.maximum(state.parts.total, 1e-12)
    return chip_watts(chip, state.flops_per_s / peak, state.bytes_per_s / d.chip.memory_bytes_per_s, busy, mode)


def _bound(state: SteadyState) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    """What most of a replica's time goes to: prompts, or a part of the decode step."""
    decoding = np.stack([getattr(state.parts, name) for name in PARTS]) / state.step_s * (1.0 - state.prefill_load)
    table = np.vstack([decoding, state.prefill_load[None]])
    names = np.array([*(BOUND_OF[name] for name in PARTS), BOUND_OF["stall"]])
    return np.asarray(names[np.argmax(table, axis=0)])


def _host_room(parked: Floats, room_bytes: float) -> str:
    least = float(parked.min()) if len(parked) else 0.0
    return f"at least {least / 1e9:,.1f} GB of host memory a chip, where there are {room_bytes / 1e9:,.1f} GB"


def _tpot_floor(state: SteadyState) -> str:
    fits = state.fits
    return f"the lowest TPOT of any candidate is {float(state.tpot_s[fits].min()) * 1e3:.3g} ms" if fits.any() else ""

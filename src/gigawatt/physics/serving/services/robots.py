"""Robot control loops: a policy looks, decides on a chunk of actions, and the robot carries it out while it decides again.

    decision s = sensing + hypot(sum of kernels, calls x launch)         launch of the policy's runtime
    period   P = actions carried out of a chunk / control rate    a decision must be there before the chunk ends
    on board     latency = decision                               one robot to a chip
    in the site  latency = round trip + p99 of dynamic batching   X P robots to a chip

Decisions of one robot follow each other, so it plans 1 / latency times a second at most. Kernels are the measured chip floor's.
A runtime is `eager` (a framework starts every kernel) or `captured` (one graph of a compiler's kernels); a launch's time stands
in calibration `serving-services`. The stages are those of `workload.control_step`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.serving.engine.deployment import FULL
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.services.batching import latency_name, saturated, streamed
from gigawatt.physics.serving.services.frontier import Candidates, ServiceFrontier, choose, positive
from gigawatt.physics.serving.services.work import (
    Work,
    eager_seconds,
    idle_watts,
    precisions_of,
    room_bytes,
    watts,
    widths,
    work,
)
from gigawatt.physics.workload import Architecture, control_step, image_tokens, parameters, serving_memory

BATCHES = 2.0 ** np.arange(0.0, 7.01, 0.5)


@dataclass(frozen=True, slots=True)
class Loop:
    """What a robot asks: cameras and words of an instruction; `control_hz` actions a second, `executed` of each chunk.

    `executed` 0 carries out the whole chunk, `control_hz` 0 is the family's own rate. `sensing_s` is the host's time for
    images and state (calibration `serving-services` where below zero: 2 to 6 ms in NVIDIA's GR00T table).
    """

    cameras: int = 2
    text_tokens: int = 32
    control_hz: float = 0.0
    executed: float = 0.0
    sensing_s: float = -1.0


def chunk_actions(policy: Architecture) -> float:
    """Actions that one decision gives: the action expert's horizon, or one where actions are words."""
    experts = [tower for tower in policy.towers if tower.family == "action_expert"]
    if not experts:
        return 1.0
    return float(max(experts[0].sample_tokens - 1, 1))


def decision_work(
    policy: Architecture, chip: Chip, batch: Floats, loop: Loop, precision: str, mode: PowerMode = FULL
) -> Work:
    """All kernels of one decision for `batch` robots."""
    stages = control_step(
        policy, cameras=loop.cameras, text_tokens=loop.text_tokens, batch=batch, widths=widths(precision)
    )
    return work(chip, stages.values(), precision, mode)


def decision_seconds(
    policy: Architecture,
    chip: Chip,
    batch: Floats,
    loop: Loop,
    *,
    precision: str = "bf16",
    runtime: str = "captured",
    mode: PowerMode = FULL,
) -> tuple[Floats, Work]:
    """Seconds from the cameras' images to the actions of `batch` robots, and the work in them.

    Raises:
        InputError: no such runtime, or what `workload.control_step` refuses.
    """
    own = runtime_named(runtime)
    found = decision_work(policy, chip, batch, loop, precision, mode)
    running = eager_seconds(found.kernel_s, found.calls, own["launch_us"] * 1e-6)
    sensing = calibration.parameters("serving-services")["sensing_ms"] * 1e-3 if loop.sensing_s < 0 else loop.sensing_s
    return np.asarray(running + sensing), found


def runtime_named(name: str) -> Mapping[str, float]:
    """`launch_us` and `half` (80 % half-width of the logarithm of a rate) of a policy's runtime.

    Raises:
        InputError: no such runtime.
    """
    known = calibration.table("serving-services", "runtimes")
    if name not in known:
        raise InputError(unknown_name("runtime", name, known))
    return {key: float(value) for key, value in known[name].items()}


def control(
    policy: Architecture,
    chip: Chip,
    *,
    loop: Loop | None = None,
    round_trip_s: float = -1.0,
    latency_s: float = 0.0,
    precisions: Sequence[str] = (),
    batches: Floats = BATCHES,
    runtime: str = "captured",
    percentile: float = 0.99,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Decisions/s of a chip: on board of one robot where `round_trip_s` is below zero, else in a site for many.

    `latency_s` limits a decision, the network with it; 0 is the period of the loop: the next chunk is there as the last
    one ends. `details`: `robots_per_chip`, `decisions_hz` (that a robot could reach), `actions_hz` (chunks end to end, at
    most the control rate), `reaction_s` (age of what was seen as the last action of its chunk is carried out), `service_s`,
    `load`.

    Raises:
        InputError: no policy, no camera, rates and times that make no sense.
    """
    asked = loop or Loop()
    chunk = chunk_actions(policy)
    executed = asked.executed or chunk
    usual = calibration.table("serving-services", "control_hz")
    rate_hz = asked.control_hz or float(usual.get(policy.family, usual["default"]))
    positive(f"policy '{policy.name}'", control_hz=rate_hz, executed=executed)
    period = min(executed, chunk) / rate_hz
    limit = latency_s or period
    positive(f"policy '{policy.name}'", latency_s=limit)
    aboard = round_trip_s < 0
    able = precisions_of(chip, precisions)
    sizes = batches[:1] if aboard else batches
    parts, bands = [], []
    for precision in able:
        seconds, found = decision_seconds(policy, chip, sizes, asked, precision=precision, runtime=runtime, mode=mode)
        parts.append(
            {
                "service_s": seconds,
                "chip_w": watts(chip, found, seconds, np.minimum(found.kernel_s / seconds, 1.0), mode),
                "memory_bytes": _held(policy, sizes, asked, precision),
                "bound": found.bound,
            }
        )
        bands.append(found.half_width)
    c = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    if aboard:
        c = c | _one_robot(c["service_s"], c["chip_w"], period, idle_watts(chip, mode))
        robots = np.ones(c["rate"].shape)
    else:
        c = streamed(c, sizes, percentile, idle_watts(chip, mode))
        c["latency_s"] = c["latency_s"] + round_trip_s
        robots = c["rate"] * period
    groups, rungs = c["service_s"].shape
    flat = {name: column.ravel() for name, column in c.items()}
    half = max(float(np.max(bands)), runtime_named(runtime)["half"])
    planned = 1.0 / flat["latency_s"]
    candidates = Candidates(
        precision=np.repeat(np.array(able), rungs),
        chips=np.ones(groups * rungs),
        batch=flat["batch"],
        latency_s=flat["latency_s"],
        units_per_s_per_chip=flat["rate"],
        chip_w=flat["chip_w"],
        memory_bytes=flat["memory_bytes"],
        room_bytes=np.full(groups * rungs, room_bytes(chip)),
        bound=flat["bound"],
        low=np.full(groups * rungs, np.exp(-half)),
        high=np.full(groups * rungs, np.exp(half)),
        rungs=rungs,
        details={
            "robots_per_chip": robots.ravel(),
            "decisions_hz": planned,
            "actions_hz": np.minimum(planned * min(executed, chunk), rate_hz),
            "reaction_s": flat["latency_s"] + period,
            "service_s": flat["service_s"],
            "load": flat["load"],
        },
    )
    return choose(
        "robot control",
        "step",
        candidates,
        limit_s=limit,
        limit=latency_name(percentile, not aboard),
        refused=() if aboard else [saturated(flat["load"])],
        band=f"80 % half-width {half:.2f}: published rates of policies beside this form, or the kernels' own where wider",
        notes=(
            f"a decision every {period:.3g} s: {min(executed, chunk):g} of {chunk:g} actions at {rate_hz:g} Hz",
            "on board" if aboard else f"in a site, {round_trip_s * 1e3:g} ms away and back",
        ),
    )


def _one_robot(service: Floats, busy_w: Floats, period: float, idle_w: float) -> dict[str, Floats]:
    """A chip on board decides once a period and waits in between; it can do no more than one after the other."""
    rate = np.minimum(1.0 / service, 1.0 / period)
    busy = rate * service
    return {
        "rate": rate,
        "latency_s": service,
        "batch": np.ones(service.shape),
        "load": busy,
        "chip_w": busy * busy_w + (1.0 - busy) * idle_w,
    }


def _held(policy: Architecture, batch: Floats, loop: Loop, precision: str) -> Floats:
    wide = widths(precision)
    prompt = loop.cameras * image_tokens(policy) + loop.text_tokens
    own = serving_memory(policy, tokens=prompt, batch=batch, widths=wide)
    towers = sum(parameters(tower) for tower in policy.towers) * wide.weights
    return np.asarray(own.weights_bytes + own.cache_bytes + own.activations_bytes + towers)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where the power of a robot's thinking is drawn, W a robot: on its board, and at the meter of a site.

    `robots_per_mw` of site (infinite where all thinking is on board). `decision_j`: energy of one decision on either side.
    """

    board_w: float
    site_w: float
    robots_per_mw: float
    decision_j: float

    @property
    def total_w(self) -> float:
        return self.board_w + self.site_w


def fleet(found: ServiceFrontier, row: int, *, board_w: float, meter_per_chip_w: float = 0.0) -> Fleet:
    """Power of one robot of a fleet at a point of `control`.

    Args:
        found: points of one place.
        row: which of them.
        board_w: what the board draws beside the policy's chip: cameras, radio, motor control.
        meter_per_chip_w: watts at the site's meter for a watt of chip (hosts, fans, losses, cooling); 0 where the chip is on
            board.

    Raises:
        InputError: negative watts.
    """
    positive("fleet", **{name: w for name, w in (("board_w", board_w), ("meter_per_chip_w", meter_per_chip_w)) if w})
    robots = float(found.details["robots_per_chip"][row])
    chip_w = float(found.chip_w[row]) / robots
    each = float(found.units_per_s_per_chip[row]) / robots
    site_w = chip_w * meter_per_chip_w
    aboard = meter_per_chip_w == 0.0
    return Fleet(
        board_w=board_w + (chip_w if aboard else 0.0),
        site_w=site_w,
        robots_per_mw=float("inf") if aboard else 1e6 / site_w,
        decision_j=(chip_w if aboard else site_w) / each,
    )

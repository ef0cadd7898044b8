"""Tasks of agents as a whole job: so many tasks, each of many calls with waits for tools between them.

    s = tasks / (tasks a second of a chip x chips) + the last task alone       `serving.services.agents`, without a limit

The last tasks leave places empty, as the longest answers of a batch do: one task's own time is added for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gigawatt.core.errors import Infeasible, InputError, Problem
from gigawatt.physics.chip import Box, Chip, HostPath, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.serving.services import AgentTask, agents, usual_task
from gigawatt.physics.workload.architecture import Architecture


def agent_tasks(
    arch: Architecture,
    chip: Chip,
    *,
    tasks: float,
    chips: int,
    task: AgentTask | None = None,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = (),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    host: HostPath | None = None,
    host_cache_bytes: float = 0.0,
    mode: PowerMode = FULL,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "agents",
) -> JobRun:
    """`tasks` tasks on `chips` chips; tokens are those read anew and written.

    Raises:
        InputError: no tasks, or one that makes no sense (`serving.services.agents`). Infeasible: the model fits no replica.
    """
    if not tasks > 0 or chips < 1:
        raise InputError(Problem("out_of_range", f"{tasks:g} tasks on {chips} chips: both must be above zero"))
    asked = task or usual_task()
    found = agents(
        arch, chip, task=asked, fabric=fabric, precisions=precisions, engines=engines, maturity=maturity, host=host,
        host_cache_bytes=host_cache_bytes, mode=mode,
    )  # fmt: skip
    fitting = [k for k in range(len(found)) if float(found.chips[k]) <= chips]
    if not fitting:
        lines = [f"{r.reason}: {r.nearest_fix}" for r in found.rejected]
        message = lines[0] if lines else f"a replica takes at least {float(min(found.chips)):g} chips"
        raise Infeasible(f"tasks of '{arch.name}' on {chips} chips of {chip.name}: {message}", lines or [message])

    def whole_s(k: int) -> float:
        """Seconds of all tasks at a point: whole replicas, and the last task."""
        replicas = chips // float(found.chips[k])
        return tasks / (float(found.units_per_s_per_chip[k]) * float(found.chips[k]) * replicas)

    k = min(fitting, key=lambda point: whole_s(point) + float(found.latency_s[point]))
    used = (chips // float(found.chips[k])) * float(found.chips[k]) / chips
    idle_w = waiting_w(chip)
    watts = used * float(found.chip_w[k]) + (1.0 - used) * idle_w
    fresh = float(found.details["fresh_tokens_per_task"][k])
    low, high = 1 / float(found.high[k]), 1 / float(found.low[k])
    rows = [
        Phase("tasks", "serve", chips, whole_s(k), watts, tasks * (fresh + asked.calls * asked.output_tokens),
              str(found.bound[k]), low=low, high=high),
        Phase("the last tasks", "idle", chips, float(found.latency_s[k]), idle_w, bound="waits of a task", load=0.0,
              low=low, high=high),
    ]  # fmt: skip
    notes = (f"{found.precision[k]}, {float(found.chips[k]):g} chips a replica, {float(found.batch[k]):g} calls at once",
             *found.notes)  # fmt: skip
    return job_run(name, rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes)

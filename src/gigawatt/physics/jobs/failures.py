"""What failures cost a job: checkpoints, lost work and restarts beside its useful seconds, as phases.

    s of a part = useful x share of the part / productive share        shares of `reliability.effective_training`

Lost work drew the watts of work, all else those of waiting. The bytes saved are those of the trained parameters' state.
"""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.physics.jobs.run import Phase
from gigawatt.physics.reliability import Effective, Fleet, Plan, Storage, effective_training, state_bytes
from gigawatt.physics.reliability.failures import SETTLED

LOST = ("lost", "silent")  # shares of the time in which chips work in vain


@dataclass(frozen=True, slots=True)
class Failures:
    """How a job meets failures: how it is guarded (what suits its size where None), whose rates, what is saved where.

    `state` is the recipe of what is saved of a parameter.
    """

    plan: Plan | None = None
    fleet: Fleet = SETTLED
    storage: Storage | None = None
    state: str = "adam"


DEFAULT = Failures()


def interruptions(
    failures: Failures, trained_parameters: float, tracks: tuple[Phase, ...], useful_s: float, idle_w: float
) -> tuple[list[Phase], str]:
    """Phases of what failures take, on each track, and a note.

    Args:
        failures: guards, rates and stores.
        trained_parameters: what a checkpoint holds the state of.
        tracks: one phase of each track, whose chips, watts and band are taken.
        useful_s: seconds of work without failures.
        idle_w: watts of a chip that waits.
    """
    chips = sum(p.chips for p in tracks)
    saved = state_bytes(trained_parameters, failures.state)
    left = effective_training(chips, saved, plan=failures.plan, fleet=failures.fleet, storage=failures.storage)
    kept = float(left.productive)
    parts = {name: float(share) for name, share in left.parts().items() if name != "productive"}
    lost = sum(parts.pop(name) for name in LOST)
    stalls = parts.pop("checkpoint")
    low, high = (_over(left, edge) for edge in (float(left.high), float(left.low)))
    rows = [
        Phase(name, "idle", p.chips, useful_s * share / kept, watts, bound="failures", track=p.track, load=load,
              low=p.low * low, high=p.high * high)
        for p in tracks
        for name, share, watts, load in (
            ("checkpoints", stalls, idle_w, 1.0),
            ("work lost to failures", lost, p.chip_w, 1.0),
            ("restarts and repairs", sum(parts.values()), idle_w, 0.0),
        )
    ]  # fmt: skip
    note = (
        f"goodput {kept:.1%}: a failure every {float(left.mttf_s) / 3600:.3g} h of {chips:,.0f} chips, {saved / 1e12:.3g} TB "
        f"of state saved every {float(left.interval_s):,.0f} s of work, {float(left.spare_chips):,.0f} chips standing by"
    )
    return rows, note


def _over(left: Effective, edge: float) -> float:
    """What failures take at an edge of the band, over what they take in the middle."""
    kept = float(left.productive)
    return (1.0 / max(edge, 1e-3) - 1.0) / max(1.0 / kept - 1.0, 1e-12)

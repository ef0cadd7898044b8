"""A run by itself: what it takes on a platform, and where that comes from. Rows for the run folder, trees for `explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.document import Path_
from gigawatt.core.table import Table
from gigawatt.physics.jobs import JobRun
from gigawatt.physics.workload import from_config
from gigawatt.study.answer import Answer
from gigawatt.study.explain import Node, choice, fitted, given, node
from gigawatt.study.explain import worked as made_of
from gigawatt.study.jobs.owed import Run
from gigawatt.study.jobs.perform import place_of
from gigawatt.study.jobs.points import Sized, sized
from gigawatt.study.jobs.work import Place, worked
from gigawatt.study.network import fabric_of
from gigawatt.study.software import speed_at
from gigawatt.study.source import Source
from gigawatt.study.workloads import Training

DAY_S = 86_400.0
COLUMNS = ("workload", "kind", "platform", "chips", "spare_chips", "wall_days", "wall_low_days", "wall_high_days", "chip_hours",
           "mwh", "mean_mw", "peak_mw", "tokens", "busy_share", "mean_racks")  # fmt: skip
UNITS = {"wall_days": "d", "wall_low_days": "d", "wall_high_days": "d", "chip_hours": "h", "mwh": "MWh", "mean_mw": "MW",
         "peak_mw": "MW", "tokens": "token", "busy_share": "share"}  # fmt: skip
CALIBRATIONS = {
    "train": "training-step",
    "serve": "serving-steady-state",
    "cpu": "data-work",
    "idle": "training-failures",
}


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A run on a platform: the run with its phases, the chips it takes, tokens by which it is counted."""

    spec: Run
    platform: str
    made: Sized

    def row(self, racks: float = 0.0) -> dict[str, Any]:
        """The headline of the run by itself; power and energy are at the racks' input."""
        run = self.made.run
        return {
            "workload": self.spec.id,
            "kind": getattr(self.spec, "kind", ""),
            "platform": self.platform,
            "chips": self.made.chips,
            "spare_chips": run.spare_chips,
            "wall_days": run.wall_s / DAY_S,
            "wall_low_days": run.wall_low_s / DAY_S,
            "wall_high_days": run.wall_high_s / DAY_S,
            "chip_hours": run.chip_hours,
            "mwh": run.mwh,
            "mean_mw": run.mean_w / 1e6,
            "peak_mw": run.peak_w / 1e6,
            "tokens": self.spec.owed_tokens,
            "busy_share": run.busy_share,
            "mean_racks": racks,
        }

    def phases(self) -> list[dict[str, Any]]:
        """One row a phase."""
        mine = {"workload": self.spec.id, "platform": self.platform}
        return [mine | row for row in self.made.run.table().rows()]

    def tree(self, catalog: Catalog | None = None, source: Source | None = None, at: Path_ = ()) -> Node:
        """Where the wall time comes from: phases, the calibrations behind them, what was chosen.

        Args:
            catalog: where the calibrations' records are; the packaged one where None.
            source: the scenario's file, and where in it the run stands, so that its own fields are leaves too.
        """
        run, known = self.made.run, catalog or Catalog.load()
        behind = {name: fitted(known.get("calibration", record)) for name, record in CALIBRATIONS.items()}
        asked = self._asked(source, at)
        tracks = []
        for track in run.tracks:
            rows = []
            for p in (p for p in run.phases if p.track == track):
                label = f"{p.name}, {p.chips:,.0f} chips at {p.chip_w:,.0f} W" + (
                    f", side {track + 1}" if track else ""
                )
                bound = f"physics of the phase; {p.bound} binds" if p.bound else "physics of the phase"
                rows.append(node("formula", label, p.wall_s / DAY_S, "d", bound, [behind[p.runs], *asked]))
            tracks.append(made_of("sum", f"side {track + 1}: its phases follow each other", "d", rows))
        rests = [choice("chips of the job", self.made.chips, "chips", "the size that its date asks for")]
        rests += [choice(note) for note in run.notes]
        label = f"wall time of {self.spec.id} on {self.made.chips:,} chips of {self.platform}"
        wall = run.wall_s / DAY_S
        if len(tracks) == 1:
            return made_of(
                "sum", label, "d", tracks[0]["children"], wall, rests_on=rests, source="phases follow each other"
            )
        return made_of("max", label, "d", tracks, wall, rests_on=rests, source="longest side of the job")

    def _asked(self, source: Source | None, at: Path_) -> list[Node]:
        """Plain fields of the run, as the scenario gives them."""
        if source is None:
            return []
        units = {"tokens": "token", "sequence_length": "token", "global_batch": "sequences", "input_tokens": "token",
                 "output_tokens": "token", "samples": "samples", "epochs": "epochs",
                 "rounds": "rounds", "model": ""}  # fmt: skip
        found = {name: getattr(self.spec, name, None) for name in units}
        return [
            given(source, (*at, name), f"{name.replace('_', ' ')} of {self.spec.id}", value, units[name])
            for name, value in found.items()
            if isinstance(value, (int, float, str)) and value != "auto"
        ]


def answer_job(spec: Run, config: Any, place: Place, *, seconds: float = np.inf, platform: str = "") -> JobAnswer:
    """A run by itself, on its own chips or on those that `seconds` ask for.

    Args:
        spec: the run.
        config: its model's record of the catalog.
        place: rack, network, hosts and software speeds.
        seconds: within which it is to be done.
        platform: a name for the rows.

    Raises:
        InputError: numbers that can not be. Infeasible: it fits in no way, or is not done in time.
    """
    arch = from_config(config.id, config.config)
    return JobAnswer(spec, platform or place.box.name, sized(spec, arch, seconds, place))


def answers(answer: Answer) -> Iterator[tuple[JobAnswer, float]]:
    """Every run on every platform where it can run, with the racks that the plan gives it; pre-training where it is used."""
    points, use = answer.priced.inputs.points, answer.plan.mean_use
    performance = answer.priced.performance
    for j, work in enumerate(answer.resolved.works):
        if not isinstance(work.spec, Run):
            continue
        for i, offered in enumerate(answer.resolved.offers):
            racks = float(use[(points.platform == i) & (points.workload == j)].sum())
            if (i, j) in performance.jobs:
                run = performance.jobs[i, j]
                made = Sized(run, round(run.chips))
            elif isinstance(work.spec, Training) and racks > 0 and (i, j) in performance.guards:
                made = _trained(answer, i, j)
            else:
                continue
            yield JobAnswer(work.spec, offered.offer.id, made), racks


def _trained(answer: Answer, i: int, j: int) -> Sized:
    """A pre-training run of the plan as a job: the same size and guards."""
    resolved, performance = answer.resolved, answer.priced.performance
    offered, work, box = resolved.offers[i], resolved.works[j], performance.boxes[i]
    fabric = fabric_of(offered.fabric, offered.platform, box, resolved.catalog, offered.offer.endpoints)
    assert isinstance(work.spec, Training)
    place = place_of(offered, resolved, box, fabric, speed_at(performance.software[i, j], work.spec.release))
    chips = performance.guards[i, j].chips
    run: JobRun = worked(work.spec, from_config(work.model.id, work.model.config), chips, place)
    return Sized(run, chips)


def jobs_tables(found: list[tuple[JobAnswer, float]]) -> tuple[Table | None, Table | None]:
    """Runs by themselves, and the phases of those that the plan runs."""
    if not found:
        return None, None
    note = (
        "Each run by itself on the chips that its date asks for, in the first power mode; power and energy at the racks' "
        "input, without spares. The plan shares racks out by tokens per second: mean racks are over the whole horizon, and a "
        "run may stand on more of them for a shorter time."
    )
    jobs = Table.from_rows("jobs", [one.row(racks) for one, racks in found], COLUMNS, UNITS, "Jobs", note)
    rows = [row for one, racks in found if racks > 0 for row in one.phases()]
    if not rows:
        return jobs, None
    units = {"wall_s": "s", "wall_low_s": "s", "wall_high_s": "s", "chip_hours": "h", "chip_energy_j": "J", "energy_j": "J",
             "mean_w": "W", "peak_w": "W"}  # fmt: skip
    note = "Phases of one track follow each other, tracks run beside each other."
    return jobs, Table.from_rows("job_phases", rows, list(rows[0]), units, "Phases of the jobs that run", note)


def job_trees(found: list[tuple[JobAnswer, float]], answer: Answer) -> dict[str, Node]:
    """A tree for `explain` of each run that the plan runs: `job.<id>`, on the platform that has most racks of it."""
    out: dict[str, Node] = {}
    places = {spec.id: n for n, spec in enumerate(answer.resolved.scenario.workloads)}
    for one, racks in sorted(found, key=lambda item: item[1]):
        if racks > 0:
            at = ("workloads", places[one.spec.id])
            out[f"job.{one.spec.id}"] = one.tree(answer.resolved.catalog, answer.resolved.loaded.source, at)
    return out

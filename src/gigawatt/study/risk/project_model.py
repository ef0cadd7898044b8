"""A project under its own uncertainty: all draws in one solution of the project's columns, the debt held as signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gigawatt.finance.project import ProjectModel as Solved
from gigawatt.finance.project import solve
from gigawatt.study.project import LoadedProject, ProjectFile, draws_of, sampler_of
from gigawatt.study.project_tables import HEADLINES
from gigawatt.study.risk.model import Array, Input, Metric, Promise
from gigawatt.study.sampling import Sampler

WORDS = {"price": "price of what is sold", "utilisation": "utilisation", "cost": "capital cost", "opex": "running costs",
         "rate": "rate of the loans"}  # fmt: skip


@dataclass
class ProjectRisk:
    """A solved project whose price, utilisation, cost, running costs and rate may be drawn."""

    loaded: LoadedProject
    solved: Solved
    quick: bool = True
    held: str = "the debt held as signed"

    @cached_property
    def sampler(self) -> Sampler:
        return sampler_of(self.loaded.file)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What is drawn, as shown: factors."""
        laws = self.sampler.laws
        return tuple(Input(name, WORDS[name], law, "x", "file", "the project") for name, law in laws.items())

    @cached_property
    def _keys(self) -> dict[str, str]:
        """Metrics that the project has, by the name they go by."""
        subordinated = self.solved.terms.subordinated is not None
        return {
            name: key
            for name, key, *_ in HEADLINES
            if key in self.solved.metrics
            and (subordinated or not name.startswith("sub_"))
            and np.isfinite(float(self.solved.metrics[key].reshape(-1)[0]))
        }

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every headline of the project as it stands."""
        return tuple(
            Metric(name, float(self.solved.metrics[key].reshape(-1)[0]), unit, formula, inputs)
            for name, key, unit, formula, inputs in HEADLINES
            if name in self._keys
        )

    def values(self, normal: Array, say: Callable[[int], Any] = lambda done: None, only: str = "") -> dict[str, Array]:
        """Metrics of every row."""
        made = draws_of(self.solved, self.sampler.columns(normal), len(normal))
        say(len(normal))
        return {name: np.asarray(made[key]) for name, key in self._keys.items()}

    def promises(self) -> tuple[Promise, ...]:
        """Lock-up and default of the project's own covenants."""
        return promises_of(self.loaded.file)


def promises_of(file: ProjectFile) -> tuple[Promise, ...]:
    """Lock-up and default of a project, on the least cover of any period."""
    levels = (("lock-up", file.project.covenants.lock_up), ("default", file.project.covenants.default))
    made = ((name, float(np.max(np.asarray(getattr(level, "value", level))))) for name, level in levels)
    return tuple(Promise(f"{name}: cover at least {level:g}", "dscr_min", level, True) for name, level in made if level)


def project_risk(loaded: LoadedProject) -> ProjectRisk:
    """A project ready to be drawn."""
    return ProjectRisk(loaded, solve(loaded.terms))

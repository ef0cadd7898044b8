"""A plan under uncertainty: physics and programme are asked once, every draw is columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.study.answer import Answer
from gigawatt.study.bands import BLOCK, inputs_for
from gigawatt.study.headline import HEADLINES, headline_draws, values
from gigawatt.study.load import Loaded
from gigawatt.study.pipeline import bare_answer
from gigawatt.study.resolve import resolve
from gigawatt.study.risk.channels import channels
from gigawatt.study.risk.check import check_varied, level
from gigawatt.study.risk.held import Held
from gigawatt.study.risk.model import Array, Input, Metric, Promise
from gigawatt.study.risk.world import Inputs
from gigawatt.study.sampling import Sampler
from gigawatt.study.scenario import TermLoan


@dataclass
class PlanModel:
    """The plan of a scenario, its fleet held."""

    answer: Answer
    held_plan: Held
    drawn: Inputs
    quick: bool = True
    held: str = "the fleet held"

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What is drawn, as shown."""
        known = channels(self.answer.resolved)
        out = []
        for one in self.drawn.uncertain:
            channel = known.get(one.name)
            if channel is None or not channel.base:
                out.append(Input(one.name, one.words, one.law, "x", one.kind, one.source))
                continue
            unit, times = _SHOWN.get(channel.dimension, ("", 1.0))
            out.append(
                Input(one.name, one.words, one.law, unit, one.kind, one.source, one.scale * channel.base * times)
            )
        return tuple(out)

    @property
    def sampler(self) -> Sampler:
        return self.drawn.sampler

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every headline that the plan has."""
        found = values(self.answer)
        return tuple(
            Metric(h.name, found[h.name][0], h.unit, h.formula, h.inputs) for h in HEADLINES if h.name in found
        )

    def values(self, normal: Array, say: Callable[[int], Any] = lambda done: None, only: str = "") -> dict[str, Array]:
        """Headlines of every row, in blocks of one size, so that a row does not depend on how many stand beside it."""
        count = len(normal)
        padded = np.zeros((-(-count // BLOCK) * BLOCK, normal.shape[1]))
        padded[:count] = normal
        parts: dict[str, list[Array]] = {}
        for first in range(0, len(padded), BLOCK):
            columns = self.held_plan.columns(self.drawn.world(padded[first : first + BLOCK]), only)
            made = headline_draws(self.answer, columns) | {k: v for k, v in columns.items() if k.startswith("missed.")}
            for name, column in made.items():
                parts.setdefault(name, []).append(column)
            say(min(first + BLOCK, count))
        return {name: np.concatenate(several)[:count] for name, several in parts.items()}

    @property
    def objective(self) -> str:
        """The metric that the plan maximises, or the nearest to it that is told."""
        name = f"{self.answer.priced.inputs.objective}_npv"
        return name if any(one.name == name for one in self.metrics) else "system_npv"

    def promises(self) -> tuple[Promise, ...]:
        """Covenants of the scenario and of its term loans."""
        units = {one.name: one.unit for one in HEADLINES}
        out = []
        for one in self.answer.resolved.scenario.uncertainty.covenants:
            least = one.at_least is not None
            words = f"{one.metric} {'at least' if least else 'at most'} {one.at_least if least else one.at_most}"
            out.append(Promise(one.id or words, one.metric, level(one, units[one.metric]), least))
        cover = any(one.name == "dscr_min" for one in self.metrics)
        for deal in self.answer.resolved.scenario.contracts if cover else ():
            if isinstance(deal, TermLoan) and deal.covenant is not None:
                out.append(
                    Promise(f"{deal.id}: cover at least {deal.covenant.dscr:g}", "dscr_min", deal.covenant.dscr, True)
                )
        return tuple(out)


# How values of each dimension are shown: unit, and factor from the unit inside.
_SHOWN = {
    "money": ("USD", 1.0),
    "energy_price": ("USD/MWh", 3.6e9),
    "token_price": ("USD/Mtok", 1e6),
    "rent": ("USD/MW/yr", 1e6 * 8760 * 3600),
    "power_price": ("USD/MW", 1e6),
    "share": ("share", 1.0),
    "token_rate": ("token/s", 1.0),
}


def plan_model(
    loaded: Loaded, say: Callable[[str], Any] = lambda text: None, catalog: Catalog | None = None
) -> PlanModel:
    """Work the plan out and make it ready to be drawn.

    Raises:
        InputError: an id, a law, a correlation or a covenant that can not be.
        Infeasible: no plan fits.
    """
    say("looking up the catalog")
    resolved = resolve(loaded, catalog)
    check_varied(resolved)
    answer = bare_answer(resolved, say)
    held = Held(resolved, answer.priced, answer.plan, answer.line, answer.settled)
    return PlanModel(answer, held, inputs_for(resolved, answer.priced))

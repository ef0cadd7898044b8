"""What a build-out's words must fulfil beside their types: names that exist, days in the horizon, power that does not fall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from gigawatt.core.errors import Problems, nearest
from gigawatt.study.fleet.calendar import Quarters
from gigawatt.study.load import Loaded
from gigawatt.study.scenario import Scenario
from gigawatt.study.workloads import Serving


def check_build_out(loaded: Loaded, line: Quarters) -> None:
    """Refuse what can not be meant.

    Raises:
        InputError: every problem, each at its place.
    """
    problems = Problems()
    scenario = loaded.scenario
    _names(loaded, problems)
    _ramp(loaded, line, problems)
    _inside(loaded, line, ("build_out", "capital"), [step.from_ for step in scenario.build_out.capital], problems)
    for name, offer in scenario.build_out.offers.items():
        path = ("build_out", "offers", name, "supply")
        _inside(loaded, line, path, [step.from_ for step in offer.supply], problems, before=True)
    if scenario.objective.for_ == "lab":
        problems.add(
            "no_such_plan",
            "objective: a lab owns no racks; the build-out is its operator's, or the system's",
            loaded.source.where(("objective",)),
            "for example  objective: {for: system}",
        )
    problems.raise_if_any()


def sold_names(scenario: Scenario) -> list[str]:
    """Workloads and their levels that are sold by the token, as `trends` may name them."""
    names = []
    for spec in scenario.workloads:
        if isinstance(spec, Serving):
            names += [spec.id, *(level.id for level in spec.levels() if level.id != spec.id)]
    return names


def _names(loaded: Loaded, problems: Problems) -> None:
    scenario = loaded.scenario
    sold = sold_names(scenario)
    runs = {spec.id for spec in scenario.workloads if not isinstance(spec, Serving)}
    for name in scenario.build_out.trends:
        where = loaded.source.where(("build_out", "trends", name))
        if name in runs:
            said = f"build_out.trends.{name}: a run has its own tokens, price and date; trends are of what is served"
            problems.add("no_trend", said, where, "give later runs as workloads of their own")
        elif name not in sold:
            near = nearest(name, sold)
            hints = [f"did you mean '{near}'?"] if near else []
            problems.add("unknown_name", f"build_out.trends: no workload '{name}' is served here", where, *hints,
                         "known: " + ", ".join(sold))  # fmt: skip
    offers = [offer.id for offer in scenario.fleet]
    for name in scenario.build_out.offers:
        if name not in offers:
            near = nearest(name, offers)
            hints = [f"did you mean '{near}'?"] if near else []
            where = loaded.source.where(("build_out", "offers", name))
            problems.add("unknown_name", f"build_out.offers: there is no offer '{name}' in the fleet", where, *hints,
                         "known: " + ", ".join(offers))  # fmt: skip


def _ramp(loaded: Loaded, line: Quarters, problems: Problems) -> None:
    """Power that stands does not go away, and the last step is what the site's own power says."""
    site = loaded.scenario.site
    before = None
    for index, step in enumerate(site.ramp):
        where = loaded.source.where(("site", "ramp", index))
        if before is not None and step.from_ <= before.from_:
            said = f"site.ramp: {step.from_} does not come after {before.from_}"
            problems.add("out_of_order", said, where, "steps in the order of their days, one a day")
        if before is not None and step.power < before.power:
            said = f"site.ramp: falls from {before.power / 1e6:,.6g} MW to {step.power / 1e6:,.6g} MW on {step.from_}"
            problems.add("falling_ramp", said, where, "a step says all that stands, not what is added")
        if step.from_ >= line.end:
            problems.add("outside_horizon", f"site.ramp: {step.from_} {_after(line)}", where, _longer(step.from_, line))
        if step.power > site.grid_power * (1 + 1e-9):
            said = f"site.ramp: {step.power / 1e6:,.6g} MW is over the site's grid power of {site.grid_power / 1e6:,.6g} MW"
            problems.add(
                "contradiction", said, where, f"state  grid_power: {step.power / 1e6:,.6g} MW".replace(",", "")
            )
        before = step


def _inside(
    loaded: Loaded, line: Quarters, path: Sequence[str], days: Iterable[date], problems: Problems, before: bool = False
) -> None:
    """Steps in order, none after the horizon; none before it either, unless `before`: then the last of those is where it
    starts."""
    last: date | None = None
    shown = ".".join(path)
    for index, day in enumerate(days):
        where = loaded.source.where((*path, index))
        if last is not None and day <= last:
            said = f"{shown}: {day} does not come after {last}"
            problems.add("out_of_order", said, where, "steps in the order of their days, one a day")
        if day >= line.end:
            problems.add("outside_horizon", f"{shown}: {day} {_after(line)}", where, _longer(day, line))
        elif day < line.starts[0] and not before:
            said = f"{shown}: {day} is before the horizon, which begins on {line.starts[0]}"
            problems.add("outside_horizon", said, where, f"from: {line.starts[0]} at the earliest")
        last = day


def _after(line: Quarters) -> str:
    return f"is after the horizon, which ends before {line.end}"


def _longer(day: date, line: Quarters) -> str:
    first = line.starts[0]
    years = ((day.year - first.year) * 12 + day.month - first.month) // 12 + 1
    return f"an earlier day, or a horizon of {years} years"

"""What of a day's events can not be: spans that run past the end, racks of an offer that is not there."""

from __future__ import annotations

from collections.abc import Sequence

from gigawatt.core.errors import Problems, unknown_name
from gigawatt.study.load import Loaded
from gigawatt.study.operate.spec import Curtailment, Outage


def check_operate(loaded: Loaded) -> None:
    """Every curtailment and outage must lie within the period, and every outage name an offer.

    Raises:
        InputError: all that do not, each at its place.
    """
    scenario, source, problems = loaded.scenario, loaded.source, Problems()
    asked = scenario.operate
    length = 24 * asked.days
    spans: list[tuple[str, Sequence[Curtailment | Outage]]] = [
        ("curtailments", asked.curtailments),
        ("outages", asked.outages),
    ]
    for kind, events in spans:
        for index, event in enumerate(events):
            end = event.start + event.hours
            if end > length:
                long = event.hours > length
                what = f"lasts {event.hours:g} hours" if long else f"runs from hour {event.start:g} to {end:g}"
                problems.add(
                    "too_long",
                    f"operate.{kind}.{index} {what}; the period has {length}",
                    source.where(("operate", kind, index, "hours")),
                    f"at most hours: {length - event.start:g}" if event.start < length else f"a start before {length}",
                    f"or more days: operate.days: {min(-(-int(end) // 24), 14)}",
                )
    if asked.curtailments and not scenario.site.grid_power:
        problems.add(
            "no_grid",
            "operate.curtailments: the site has no grid connection that could be curtailed",
            source.where(("operate", "curtailments")),
            "leave them out, or give  site.grid_power",
        )
    names = [offer.id for offer in scenario.fleet]
    for index, outage in enumerate(asked.outages):
        if outage.offer not in names:
            found = unknown_name("offer", outage.offer, names)
            where = source.where(("operate", "outages", index, "offer"))
            problems.add(found.code, f"operate.outages.{index}: {found.message}", where, *found.hints)
    problems.raise_if_any()

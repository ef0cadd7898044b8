"""Operating points, remembered: scenarios that differ in site, prices, money or contracts alone share one search.

What a scenario's points depend on is its whole text less what is listed here. The list is short on purpose: a field that is
not in it costs a search more, one that is wrongly in it would give a wrong answer; a test changes each and compares points.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from gigawatt.study.perform import Performance, Physics
from gigawatt.study.resolve import Resolved
from gigawatt.study.timeline import Timeline

KEPT = 32
# What no second and no watt of a chip depends on.
MONEY = (
    "name", "title", "description", "objective", "site", "capital", "costs", "discount_rate", "companies", "contracts",
    "uncertainty", "integer_racks", "moats", "build_out", "operate", "drift", "joint", "claim",
)  # fmt: skip
OFFER_MONEY = ("supply", "list_price")
WORK_MONEY = ("price", "price_per_run", "demand", "at")
# Of records said in the scenario: whole kinds, and fields of the others.
RECORD_KINDS = ("site", "facility", "cost", "generation")
RECORD_MONEY = ("list_price", "price", "production_cost_share", "network_share", "storage_share")


class RememberedPhysics(Physics):
    """Keeps the last answers; one catalog, whose records do not change."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, Performance] = OrderedDict()
        self.searched = 0

    def perform(self, resolved: Resolved, line: Timeline) -> Performance:
        key = physics_of(resolved)
        return self._ask((key,), lambda: super(RememberedPhysics, self).perform(resolved, line))

    def alone(
        self, performance: Performance, pairs: Collection[tuple[int, int]], resolved: Resolved, line: Timeline
    ) -> Performance:
        # Pairs that were seen to before are in `performance`: which ones, its sizes tell.
        before = tuple(sorted(performance.held_chips.items()))
        key = (physics_of(resolved), before, tuple(sorted(pairs)))
        return self._ask(key, lambda: super(RememberedPhysics, self).alone(performance, pairs, resolved, line))

    def _ask(self, key: Any, made: Any) -> Performance:
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        self.searched += 1
        answer: Performance = made()
        self._known[key] = answer
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return answer


def physics_of(resolved: Resolved) -> str:
    """All that the operating points of a scenario may depend on, as text; records of the catalog go by their ids."""
    whole = resolved.scenario.model_dump(mode="json", exclude=set(MONEY))
    whole["fleet"] = [_without(offer, OFFER_MONEY) for offer in whole["fleet"]]
    whole["workloads"] = [
        _without(work, WORK_MONEY)
        | ({"slo_tiers": [_without(tier, WORK_MONEY) for tier in work["slo_tiers"]]} if "slo_tiers" in work else {})
        for work in whole["workloads"]
    ]
    said = {
        name: _without(values, RECORD_MONEY)
        for name, values in whole["catalog"].items()
        if name.partition("/")[0] not in RECORD_KINDS
    }
    whole["catalog"] = {name: values for name, values in said.items() if values}
    return json.dumps(whole, sort_keys=True)


def _without(item: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}

"""Tokens of a platform in somebody else's network, worked out by the physics rooms: what a network is worth by itself.

The chip keeps its matrix units, its memory and its software; of the other platform it takes, one after another,

| part   | taken                                                         |
|--------|---------------------------------------------------------------|
| domain | chips of a scale-up domain                                    |
| links  | bytes per second of a chip in it, and how it is wired         |
| fabric | the scale-out network and its NICs                            |
| sites  | what its network reaches of the cables between sites          |

The ratio of the best rate so to the best rate of its own is what the network gives; price and watts stay the platform's own.
Every rate is found by the same search as the plan's points, at full power, so that a layout that fits the other network is
used. The last part counts where the scenario spreads training over several sites (`moats.across`). The only published figure
of it is a vendor's claim, up to 1.9 times the all-reduce of ordinary Ethernet between sites at 10 km: the middle of 1 and 1.9
is taken, both are within the band. No other vendor publishes one, and has none here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from gigawatt.physics.chip import Box
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.across.constants import packaged
from gigawatt.physics.jobs.searches import best_mapping, frontiers
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.workload import from_config
from gigawatt.study.jobs.perform import place_of
from gigawatt.study.jobs.points import rate
from gigawatt.study.moats.spec import Across
from gigawatt.study.network import fabric_of
from gigawatt.study.perform import SERVING_PRECISIONS, asked_of
from gigawatt.study.points import usable_precisions
from gigawatt.study.pretrain import TRAINING_PRECISIONS, fastest_modes
from gigawatt.study.price import Priced
from gigawatt.study.resolve import Resolved
from gigawatt.study.software import Software, software, speed_at
from gigawatt.study.workloads import Serving, Training

PARTS = ("domain", "links", "fabric", "sites")
CLAIMS = {"nvidia": "spectrum-xgs"}  # of a vendor's network between sites, in the calibration scale-across


@dataclass(slots=True)
class Networks:
    """Rates by (offer, work, whose network, how many parts of it); each is searched once."""

    resolved: Resolved
    priced: Priced
    across: Across | None = None
    _known: dict[tuple[int, int, int, int], float] = field(default_factory=dict)

    def ratio(self, offer: int, work: int, like: int, parts: int = len(PARTS)) -> float:
        """Tokens of an offer with the first `parts` of the network of `like`, over those in its own; 1 where it runs in
        neither, 0 where it runs in its own alone."""
        own = self.rate(offer, work, offer, 0)
        return self.rate(offer, work, like, parts) / own if own > 0 else 1.0

    def rate(self, offer: int, work: int, like: int, parts: int) -> float:
        """Best tokens/s of a chip; 0 where it runs in no way."""
        key = (offer, work, like, parts)
        if key not in self._known:
            box, fabric = self._placed(offer, like, parts)
            spec = self.resolved.works[work].spec
            if parts == len(PARTS) and (self.across is None or not isinstance(spec, Training)):
                self._known[key] = self.rate(offer, work, like, parts - 1)  # nothing of it crosses between sites
            elif isinstance(spec, Serving) and parts == 0:
                self._known[key] = self._planned(offer, work)
            elif isinstance(spec, Serving):
                for level, found in self._served(offer, work, box, fabric).items():
                    self._known[offer, level, like, parts] = found
            else:
                self._known[key] = self._run(offer, work, box, fabric, self._cables(offer, like, parts))
        return self._known[key]

    def _placed(self, offer: int, like: int, parts: int) -> tuple[Box, Fabric]:
        """The box and the network that its messages meet."""
        offers, catalog = self.resolved.offers, self.resolved.catalog
        mine, theirs = offers[offer], offers[like]
        box, other = self.priced.performance.boxes[offer], self.priced.performance.boxes[like]
        changed: dict[str, Any] = {}
        if parts >= 1:
            changed["scaleup_domain"] = other.chip.scaleup_domain
        if parts >= 2 and other.chip.scaleup_bytes_per_s > 0:
            changed["scaleup_bytes_per_s"] = other.chip.scaleup_bytes_per_s
        if parts >= 3:
            changed["nic_bytes_per_s"] = other.chip.nic_bytes_per_s
        placed = replace(box, chip=replace(box.chip, **changed))
        fabric = theirs if parts >= 3 else mine
        wired = theirs if parts >= 2 else mine
        return placed, fabric_of(fabric.fabric, wired.platform, placed, catalog, fabric.offer.endpoints)

    def _cables(self, offer: int, like: int, parts: int) -> Between | None:
        """What a chip's network makes of the cables between sites: a claim is of the claimant over all others."""
        if self.across is None:
            return None
        bought = self.resolved.offers[like if parts == len(PARTS) else offer].platform.vendor
        claim = CLAIMS.get(bought)
        gain = 1.0 if claim is None else math.sqrt(float(packaged().claims[claim]["value"]))
        best = max(math.sqrt(float(packaged().claims[name]["value"])) for name in CLAIMS.values())
        return Between(self.across.fibre / 1e3, self.across.rate * gain / best)

    def _software(self, offer: int, work: int) -> Software:
        known = self.priced.performance.software.get((offer, work))
        if known is not None:
            return known
        one = self.resolved.works[work]
        arch = from_config(one.model.id, one.model.config)
        return software(self.resolved.offers[offer], one.uses, arch, self.resolved)

    def _planned(self, i: int, w: int) -> float:
        """The best rate of a service in the plan's own points, which the same search has made."""
        made = self.priced.performance.points
        return max((p.tokens_out_per_s for p in made if p.offer == i and p.work == w), default=0.0)

    def _served(self, i: int, w: int, box: Box, fabric: Fabric) -> dict[int, float]:
        """Rates of a service at each of its levels, which differ in their SLOs alone: one search for all."""
        work, state = self.resolved.works[w], self._software(i, w)
        family = [(j, other.spec) for j, other in enumerate(self.resolved.works) if other.family == work.family]
        levels = {j: spec for j, spec in family if isinstance(spec, Serving)}
        first = next(iter(levels.values()))
        found = frontiers(
            from_config(work.model.id, work.model.config), box.chip,
            [(spec.slo.ttft_p99, spec.slo.tpot_p99) for spec in levels.values()], fabric=fabric,
            modes=fastest_modes(box.modes)[:1], maturity=state.speed,
            precisions=usable_precisions(first.precisions, SERVING_PRECISIONS, box), **asked_of(first),
        )  # fmt: skip
        return {j: float(one.tokens_out_per_s_per_chip.max(initial=0.0)) for j, one in zip(levels, found, strict=True)}

    def _run(self, i: int, w: int, box: Box, fabric: Fabric, cables: Between | None) -> float:
        work, state = self.resolved.works[w], self._software(i, w)
        arch = from_config(work.model.id, work.model.config)
        spec, modes = work.spec, fastest_modes(box.modes)[:1]
        assert not isinstance(spec, Serving)
        chips = self._chips(i, w, box)
        if not isinstance(spec, Training):
            serving = state if work.uses == "serving" else software(
                self.resolved.offers[i], "serving", arch, self.resolved
            )  # fmt: skip
            place = place_of(self.resolved.offers[i], self.resolved, box, fabric, state.speed, serving.speed)
            return rate(spec, arch, chips, place)
        points = best_mapping(
            arch, box.chip, fabric=fabric, chips=chips, seq=spec.sequence_length, global_batch=spec.global_batch,
            precisions=usable_precisions(spec.precisions, TRAINING_PRECISIONS, box), modes=modes,
            maturity=speed_at(state, spec.release), stack="" if spec.stack == "auto" else spec.stack,
            release="" if spec.release == "auto" else spec.release,
            sites=1 if self.across is None else self.across.sites, between=cables,
        )  # fmt: skip
        return float(points.tokens_per_s_per_chip.max(initial=0.0))

    def _chips(self, i: int, w: int, box: Box) -> int:
        """The size at which the plan has the run; eight hosts where it has none."""
        made = [p.chips for p in self.priced.performance.points if p.offer == i and p.work == w]
        return int(max(made, default=8 * box.chips_per_node))

"""How strong each moat is here, from facts and physics, so that no measurement feeds two of them.

On a workload the vendor's best platform b makes T_b tokens a second and MW, the rival T_r. Between the two stand three
factors,

    T_r / T_b = s x n / e

    s   maturity of the rival's software over ours             catalog: speed of each stack at equal hardware
    n   tokens of b in the rival's network over those in its   physics: domain, links and fabric exchanged, all else kept
        own
    e   what is left: tokens a joule at equal software and     e = s x n x T_b / T_r
        equal network

so that b with all three off makes exactly what the rival makes of a megawatt here, and nothing is counted twice: whatever s
and n take is not in e. An error of s or n is an error of e with the other sign; their sum stays what was measured. Where the
rival does not run the work, or where the scenario asks for it, e is the ratio of dense peak per watt at the meter, and is
labelled so: then the three need not multiply to what is measured here.

Watts without the moat are x e on every platform of the vendor: it is the vendor's best technology that is lost, and an older
platform of its own does not become better by that. Software and network are taken platform by platform.

Moving to another stack also costs time and life: months of a port over the months of the life, and a shorter life. Work that
the rival's stack does not run waits for its port where the rival's offer says `port: true`, else it is lost.

Given to a rival, each factor is the better of the two: software and network first, watts for the rest up to T_b.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.cost import quarterly_crf
from gigawatt.factory.moats import MoatTerms
from gigawatt.physics.chip.software import PORTING, families_of, support
from gigawatt.physics.site import meter_watts
from gigawatt.physics.training.calibration import MEASURED
from gigawatt.physics.workload import from_config
from gigawatt.study.moats.boxes import cheaper_boxes
from gigawatt.study.moats.networks import PARTS, Networks
from gigawatt.study.moats.setting import Setting
from gigawatt.study.workloads import Training

Array = NDArray[np.float64]
PEAKS = ("fp8", "fp4", "bf16")  # the first stands in where nothing is measured
GAIN_RANGE = (
    0.0,
    2.0,
)  # exponents of the network's gain: none of it, its square (MLPerf and InferenceMAX lie so far apart)
SHORTEST_LIFE = 0.5  # years


@dataclass(frozen=True, slots=True)
class Latents:
    """Where a draw lies in each range: -1 at its low end, 0 at its value, 1 at its high end.

    `basis`: -1 the smallest of all bases of performance per watt, 1 the largest. `speed` [offers, workloads] are factors on
    what was worked out.
    """

    serving: float = 0.0
    training: float = 0.0
    networking: float = 0.0
    basis: float = 0.0
    porting: float = 0.0
    life: float = 0.0
    speed: Array | None = None


MIDDLE = Latents()


@dataclass(frozen=True, slots=True)
class Strengths:
    """What the terms are made of. Index i offer, w workload.

    Attributes:
        level: [i, w, (value, low, high)] speed of the software over the calibrations' release.
        carried: [i, w] the level is part of the speeds that were worked out (it is not where a fit carries the stack).
        trains: [w] training software counts. best: [w] the vendor's platform with most tokens a MW.
        network: [i, w] tokens in the rival's network over its own, of the vendor's platforms; `parts`: the same after each
            part, of the best on each workload (1 where it was not asked for).
        given_network: [i, w] of rivals, in the network of the vendor's best.
        months: [w, (value, low, high)] of the port; lost: [w] it never runs. life: (value, low, high) years lost.
        peaks: [basis, i] dense peak per watt at the meter.
    """

    setting: Setting
    level: Array
    carried: NDArray[np.bool_]
    trains: NDArray[np.bool_]
    best: NDArray[np.int64]
    network: Array
    parts: Array
    given_network: Array
    months: Array
    lost: NDArray[np.bool_]
    life: Array
    life_years: float
    peaks: Array
    box_price: Array
    box_watts: Array
    box_names: tuple[str, ...]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """[w] both run it here, and the vendor's best still does in the rival's network."""
        w = np.arange(len(self.best))
        mine, theirs = self.setting.per_mw[self.best, w], self.setting.per_mw[self.setting.rival]
        return np.asarray((mine > 0) & (theirs > 0) & (self.network[self.best, w] > 0))

    @property
    def bases(self) -> tuple[str, ...]:
        """[w] what performance per watt rests on."""
        asked = self.setting.spec.basis
        if asked != "measured":
            return tuple(f"dense peak, {asked}" for _ in self.best)
        return tuple("measured here" if m else f"dense peak, {PEAKS[0]}" for m in self.measured)

    def levels(self, at: Latents = MIDDLE) -> Array:
        """[i, w] speeds of software in a draw: the vendor's own is what the others are measured by, and stays."""
        z = np.where(self.trains, at.training, at.serving)[None, :]
        value, low, high = self.level[..., 0], self.level[..., 1], self.level[..., 2]
        end = np.where(z > 0, high, low)
        drawn = value * (end / value) ** np.abs(z)
        drawn[list(self.setting.focal)] = value[list(self.setting.focal)]
        return np.asarray(drawn)

    def moved(self, at: Latents) -> Array:
        """[i, w] factors on tokens in a draw, from levels that the worked-out speeds carry."""
        return np.asarray(np.where(self.carried, self.levels(at) / self.level[..., 0], 1.0))

    def per_watt(self, at: Latents = MIDDLE) -> Array:
        """[w] e, on the basis asked for; a draw moves it towards the smallest or the largest of all bases."""
        w, rival = np.arange(len(self.best)), self.setting.rival
        level = self.levels(at)
        rate = self.setting.per_mw * self.moved(at) * (1.0 if at.speed is None else at.speed)
        ours = rate[self.best, w] * self._network(at)[self.best, w] * level[rival] / level[self.best, w]
        here = np.divide(ours, rate[rival], out=np.ones(len(w)), where=self.measured)
        peaks = self.peaks[:, self.best] / self.peaks[:, [rival]]
        asked = self.setting.spec.basis
        chosen = np.where(self.measured, here, peaks[0]) if asked == "measured" else peaks[PEAKS.index(asked)]
        every = np.vstack([peaks, np.where(self.measured, here, peaks[0])])
        end = every.max(axis=0) if at.basis > 0 else every.min(axis=0)
        return np.asarray(chosen * (end / chosen) ** abs(at.basis))

    def _network(self, at: Latents) -> Array:
        return np.asarray(self.network ** _gain(at))

    def porting(self, at: Latents = MIDDLE) -> Array:
        """[w] share of the life that is left after the port."""
        months = _between(self.months[:, 0], self.months[:, 1], self.months[:, 2], at.porting)
        left = 1 - self.setting.spec.ports * months / (12 * self.life_years)
        return np.where(self.lost, 0.0, np.clip(left, 0.0, 1.0))

    def terms(self, at: Latents = MIDDLE) -> MoatTerms:
        """The factors of the game, in the middle or in a draw."""
        s, level, rival = self.setting, self.levels(at), self.setting.rival
        network, w = self._network(at), np.arange(len(self.best))
        e = self.per_watt(at)
        lost = float(_between(self.life[0], self.life[1], self.life[2], at.life))
        rate = s.resolved.scenario.discount_rate
        left = max(self.life_years - lost, SHORTEST_LIFE)
        charge = float(quarterly_crf(rate, left) / quarterly_crf(rate, self.life_years))
        software = level[[rival]] / level * self.porting(at)[None, :]
        given = np.maximum(level[self.best, w][None, :] / level, 1.0)
        wide = np.maximum(self.given_network, 1.0) ** _gain(at)
        made = s.per_mw * self.moved(at) * (1.0 if at.speed is None else at.speed)
        top = made[self.best, w][None, :]
        reach = np.divide(made * given * wide, top, out=np.ones_like(made), where=(top > 0) & (made > 0))
        if s.spec.basis != "measured":
            row = self.peaks[PEAKS.index(s.spec.basis)]
            reach = row[:, None] / row[self.best][None, :] * np.ones_like(made)
        return MoatTerms.of(
            s.focal,
            len(s.names),
            len(self.best),
            software=software,
            networking=network,
            watts=e[None, :],
            charge=charge,
            given_software=given,
            given_networking=wide,
            given_watts=np.minimum(reach, 1.0),
            cost_share=s.cost_share,
            sold_share=s.sold_share,
            box_price=self.box_price,
            box_watts=self.box_watts,
        )


def _gain(at: Latents) -> float:
    """Exponent on what a network gives in a draw."""
    return float(_between(1.0, *GAIN_RANGE, at.networking))


def _between(value: Array | float, low: Array | float, high: Array | float, z: float) -> Array:
    """On a line from low (-1) over the value (0) to high (1)."""
    return np.asarray(value + abs(z) * ((high if z > 0 else low) - value))


def strengths_of(setting: Setting, *, in_parts: bool = False) -> Strengths:
    """Work out every part of the terms; `in_parts`: also what the domain and its links give of a network, for `parts`."""
    resolved, priced = setting.resolved, setting.priced
    works, offers = resolved.works, resolved.offers
    nets = Networks(resolved, priced, setting.spec.across)
    if setting.spec.across is not None:
        setting = _spread(setting, nets)
    n_i, n_w = len(offers), len(works)
    level, carried = np.ones((n_i, n_w, 3)), np.ones((n_i, n_w), dtype=np.bool_)
    for i, offered in enumerate(offers):
        for w, work in enumerate(works):
            level[i, w] = _level(setting, i, w)
            carried[i, w] = work.uses == "serving" or offered.accelerator.generation not in MEASURED
            carried[i, w] |= offered.offer.maturity is not None
    focal = list(setting.focal)
    best = np.array([max(focal, key=lambda i: (setting.per_mw[i, w], -i)) for w in range(n_w)], dtype=np.int64)
    network, parts, given = np.ones((n_i, n_w)), np.ones((n_i, n_w, len(PARTS))), np.ones((n_i, n_w))
    for w in range(n_w):
        for i in range(n_i):
            if setting.per_mw[i, w] <= 0:
                continue
            if i in focal:
                network[i, w] = parts[i, w, -1] = nets.ratio(i, w, setting.rival)
                if in_parts and i == best[w]:
                    parts[i, w, :-1] = [nets.ratio(i, w, setting.rival, k + 1) for k in range(len(PARTS) - 1)]
            elif setting.per_mw[best[w], w] > 0:
                given[i, w] = nets.ratio(i, w, int(best[w]))
    months, lost = _ports(setting)
    years = resolved.catalog.get("porting", PORTING).life_lost_years
    boxes = cheaper_boxes(setting)
    return Strengths(
        setting, level, carried, np.array([work.uses == "training" for work in works]), best, network, parts, given,
        months, lost, np.array([years.value, *years.range]), float(resolved.costs.it_life_years.value),
        _peaks(setting), *boxes,
    )  # fmt: skip


def _spread(setting: Setting, nets: Networks) -> Setting:
    """The site with every platform's training over its own network between sites: what that costs it, it costs everywhere."""
    here = Networks(setting.resolved, setting.priced)
    crossing = np.ones_like(setting.per_mw)
    for w, work in enumerate(setting.resolved.works):
        for i in np.flatnonzero(setting.per_mw[:, w] > 0) if isinstance(work.spec, Training) else ():
            one = here.rate(int(i), w, int(i), 0)
            crossing[i, w] = nets.rate(int(i), w, int(i), 0) / one if one > 0 else 1.0
    points = setting.inputs.points
    spread = points.scaled(tokens=crossing[points.platform, points.workload])
    return replace(setting, inputs=replace(setting.inputs, points=spread), per_mw=setting.per_mw * crossing)


def _level(setting: Setting, i: int, w: int) -> tuple[float, float, float]:
    offered, work = setting.resolved.offers[i], setting.resolved.works[w]
    if offered.offer.maturity is not None:
        return (offered.offer.maturity,) * 3
    datum = getattr(offered.platform.software, work.uses)
    state = setting.priced.performance.software.get((i, w))
    growth = 1.0 if state is None else state.growth
    return datum.value * growth, datum.range[0] * growth, datum.range[1] * growth


def _ports(setting: Setting) -> tuple[Array, NDArray[np.bool_]]:
    """Months that each workload waits for on the rival's stack, and which it never runs."""
    resolved, rival = setting.resolved, setting.resolved.offers[setting.rival]
    bring_up = resolved.catalog.get("porting", PORTING).bring_up.months
    months, lost = np.zeros((len(resolved.works), 3)), np.zeros(len(resolved.works), dtype=np.bool_)
    for w, work in enumerate(resolved.works):
        families = families_of(from_config(work.model.id, work.model.config))
        found = support(rival.accelerator.stack, families, work.uses, resolved.catalog)
        datum = found.delay_months if found.refused and found.delay_months is not None else bring_up
        months[w] = datum.value, *datum.range
        lost[w] = found.refused and not rival.offer.port
    return months, lost


def _peaks(setting: Setting) -> Array:
    """[basis, offers] dense flop/s a watt at the meter; a precision that a chip lacks is taken at its FP8 or BF16 peak."""
    chain = setting.priced.chain
    out = np.ones((len(PEAKS), len(setting.names)))
    for i, box in enumerate(setting.priced.performance.boxes):
        chip = box.chip
        beside = (box.host_w + box.fabric_w + box.nic_w + box.fan_w) / box.chips
        rack = (chip.tdp_w + beside) / box.supply_efficiency + setting.resolved.offers[i].network.power.value
        for k, name in enumerate(PEAKS):
            flops = next((chip.peak_flops[p] for p in (name, "fp8", "bf16") if p in chip.peak_flops), 0.0)
            out[k, i] = max(flops, 1.0) / float(meter_watts(np.array([rack]), chain)[0])
    return out

"""Operating points of one host: the space of the engine with whole replicas, watts at three boundaries, bands, and the SLO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.physics.serving.engine.calibration import CALIBRATION, ENGINES, sigmas
from gigawatt.physics.serving.engine.speculation import Draft, eagle_head
from gigawatt.physics.serving.power import constants_of
from gigawatt.physics.serving.search.frontier import bounds, throughput_half_width
from gigawatt.physics.serving.search.space import CONCURRENCY, Searched, Space, search
from gigawatt.physics.serving.search.whole import whole_workers
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.hosts import Host
from gigawatt.study.serve.question import Drafts, Question

HELD = 0.99  # the percentile of TTFT and TPOT beside their means
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Points:
    """Columns beside those of `space`, of equal length.

    `replicas` (of pools: decode workers) and `prefill_workers` are whole where the number of chips is given; else there is
    one replica, with as much of a prefill worker as it needs. `requests_per_s` are answered by all of them, of `most_per_s`
    that the SLO would hold; `load` is the share of what they can take (NaN in a closed loop), `ttft_low_s` and `ttft_high_s`
    are the ends of TTFT at its percentile. `chips` is what rates are counted over (all there are), `chips_used` what works.
    `*_half` are 80 % half-widths of the logarithm, `watts_low` and `watts_high` the ends of the chip's watts, within what it
    can draw. `held`: the chips hold it; `quick`, `smooth`: TTFT and TPOT are within the SLO.
    """

    space: Space
    replicas: Floats
    prefill_workers: Floats
    chips: Floats
    chips_used: Floats
    requests_per_s: Floats
    most_per_s: Floats
    load: Floats
    ttft_low_s: Floats
    ttft_high_s: Floats
    it_w: Floats
    meter_w: Floats
    rate_half: Floats
    ttft_half: Floats
    tpot_half: Floats
    watts_low: Floats
    watts_high: Floats
    held: Mask
    quick: Mask
    smooth: Mask
    bound: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.chips)

    @property
    def possible(self) -> Mask:
        """It fits: the cache holds the requests, the chips the replicas."""
        return self.space.roomy & self.held

    @property
    def good(self) -> Mask:
        """It fits and meets the SLO."""
        return self.possible & self.quick & self.smooth

    @property
    def per_chip(self) -> Floats:
        """Requests/s per chip."""
        return self.requests_per_s / self.chips

    @property
    def per_mw(self) -> Floats:
        """Requests/s per MW at the meter of the chips that work; NaN where no platform is known."""
        return self.requests_per_s / np.maximum(self.chips_used, 1e-9) / self.meter_w * 1e6

    def take(self, rows: Rows) -> Points:
        """The rows named, in that order."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(Points) if f.name != "space"}
        return Points(space=self.space.take(rows), **columns)


def searched(
    question: Question, arch: Architecture, host: Host, input_cv: float = 0.0, output_cv: float = 0.0
) -> Searched:
    """Everything that the engine makes of a question on one host; lengths vary by so much of their mean."""
    draft = draft_of(question.speculation, arch)
    return search(
        arch,
        host.chip,
        fabric=host.fabric,
        input_tokens=float(question.input_tokens),
        output_tokens=float(question.output_tokens),
        ttft_s=min(question.slo.ttft_p99_s, question.slo.ttft_mean_s),
        precisions=host.precisions,
        engines=question.engines,
        maturity=host.speed,
        modes=host.modes,
        aggregate=question.pools != "only",
        disaggregate=question.pools != "never",
        speculation=question.speculation.factor,
        drafts=(draft,),
        mappings=question.mappings,
        replica_chips=question.replica_chips,
        most_chips=question.chips,
        stages=question.stages,
        partners=question.partners,
        percentile=HELD,
        ladder=np.array(question.concurrency, dtype=np.float64) if question.concurrency else CONCURRENCY,
        release=question.release,
        input_cv=input_cv,
        output_cv=output_cv,
        **of_load(question),
    )


def of_load(question: Question) -> dict[str, Any]:
    """What a load is beside lengths and concurrency."""
    return {
        "cached_share": question.cached_share,
        "decode_derate": question.derate.decode,
        "prefill_derate": question.derate.prefill,
    } | ({"max_batch": float(question.most_at_once)} if question.most_at_once else {})


def draft_of(asked: Drafts, arch: Architecture) -> Draft | None:
    """What drafts beside a model.

    Raises:
        InputError: the model predicts no tokens, or the numbers make no sense.
    """
    if not asked.by:
        return None
    return Draft(asked.tokens, asked.acceptance, eagle_head(arch) if asked.by == "eagle" else None)


def points_of(found: Searched, question: Question, host: Host, catalog: Catalog) -> Points:
    """The operating points of everything that fits."""
    space = found.space
    one = np.ones(len(space))
    if question.chips:
        chips = np.full(len(space), float(question.chips))
        whole = whole_workers(
            float(question.chips),
            np.where(space.pooled, space.prefill_each, 1.0),
            np.where(space.pooled, space.prefill_capacity, 1.0),
            space.decode_each,
            space.requests_per_s,
        )
        alone = np.floor(chips / space.decode_each + 1e-9)
        replicas = np.where(space.pooled, whole.decode_workers, alone)
        prefill = np.where(space.pooled, whole.prefill_workers, 0.0)
        rate = np.where(space.pooled, whole.requests_per_s, alone * space.requests_per_s)
        used = replicas * space.decode_each + prefill * space.prefill_each
        space = replace(
            space, prefill_chips=np.where(space.pooled, np.maximum(prefill * space.prefill_each, 1e-9), 0.0)
        )
    else:
        chips, replicas, rate, used = space.chips, one, space.requests_per_s, space.chips
        prefill = np.where(space.pooled, space.prefill_chips / np.maximum(space.prefill_each, 1e-9), 0.0)
    quick, smooth = kept(space, question)
    return Points(
        space=space,
        replicas=replicas,
        prefill_workers=prefill,
        chips=chips,
        chips_used=used,
        requests_per_s=rate,
        most_per_s=rate,
        load=np.full(len(space), np.nan),
        **banded(space, host, question, catalog),
        held=replicas >= 1.0,
        quick=quick,
        smooth=smooth,
        bound=bounds(space, len(found.ladder), space.roomy, quick, smooth),
    )


def kept(space: Space, question: Question) -> tuple[Mask, Mask]:
    """Which rows keep the limits on the first token, and which those on what follows it."""
    slo = question.slo
    quick = (space.ttft_slo_s <= slo.ttft_p99_s) & (space.ttft_s <= slo.ttft_mean_s)
    whole_s = space.ttft_s + question.output_tokens * space.tpot_s
    return quick, (space.tpot_s <= slo.tpot_s) & (space.tpot_slo_s <= slo.tpot_p99_s) & (whole_s <= slo.latency_s)


def banded(space: Space, host: Host, question: Question, catalog: Catalog) -> dict[str, Floats]:
    """The columns of `Points` that follow from a space: watts at the rack and the meter, 80 % ranges."""
    ttft, tpot = latency_half_widths(space, host, question, catalog)
    low_w, high_w = watts_of(space, host)
    return {
        "ttft_low_s": space.ttft_slo_s * np.exp(-ttft),
        "ttft_high_s": space.ttft_slo_s * np.exp(ttft),
        "it_w": host.it_w(space.chip_w),
        "meter_w": host.meter_w(space.chip_w),
        "rate_half": rate_half_width(space.pooled, space.kernel_half, host, question),
        "ttft_half": ttft,
        "tpot_half": tpot,
        "watts_low": low_w,
        "watts_high": high_w,
    }


def watts_of(space: Space, host: Host) -> tuple[Floats, Floats]:
    """Ends of the 80 % range of a chip's watts, within what it can draw."""
    constants = constants_of(host.chip)
    shares = {mode.name: mode.power_share for mode in host.modes}
    limit_w = host.chip.tdp_w * np.array([shares[str(name)] for name in space.mode])
    low = np.maximum(constants.low * space.chip_w, host.chip.idle_w)
    return low, np.minimum(constants.high * space.chip_w, np.maximum(limit_w, space.chip_w))


def latency_half_widths(space: Space, host: Host, question: Question, catalog: Catalog) -> tuple[Floats, Floats]:
    """80 % half-widths of the logarithm of TTFT and TPOT, by engine: wider for chips and models that the fit has not seen.

    A deployment that was measured has its own.
    """
    groups = sigmas()
    seen: Mapping[str, Sequence[str]] = catalog.get("calibration", CALIBRATION).tables.get("seen", {})
    classes = [] if question.model in seen.get("models", ()) else ["model"]
    classes += [] if host.chip.name in seen.get("chips", ()) else ["generation", "model"]

    def width(metric: str, known: float | None) -> Floats:
        least = max((groups[f"agg.{metric}.{name}"] for name in classes), default=0.0)
        by_engine = {name: max(groups.get(f"agg.{metric}.{name}", groups[f"agg.{metric}"]), least) for name in ENGINES}
        alone = np.array([by_engine[str(name)] if known is None else known for name in space.engine])
        return np.where(space.pooled, np.maximum(groups[f"disagg.{metric}"], alone), alone)

    return width("ttft_ms", question.known.ttft), width("tpot_ms", question.known.tpot)


def rate_half_width(pooled: Mask, kernel_half: Floats, host: Host, question: Question) -> Floats:
    """80 % half-width of the logarithm of throughput; of a measured deployment that of its TPOT."""
    half = throughput_half_width(host.chip, pooled, kernel_half)
    return half if question.known.tpot is None else np.where(pooled, half, question.known.tpot)


def front(latency: Floats, rate: Floats, count: int) -> Rows:
    """Rows that no other beats in both (less latency, more rate), at most `count`, by rising latency; the ends stay.

    >>> front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, 2.5]), 9).tolist()
    [0, 1]
    """
    if not len(rate):
        return np.zeros(0, dtype=np.intp)
    order = np.lexsort((-rate, latency))
    best = np.maximum.accumulate(rate[order])
    kept = order[np.concatenate([[True], rate[order][1:] > best[:-1] * (1.0 + 1e-9)])]
    if len(kept) <= count:
        return np.asarray(kept)
    # Even in the logarithm of latency: few points tell the curve.
    at = np.log(latency[kept])
    steps = np.linspace(at[0], at[-1], count)
    chosen = np.unique([int(np.argmin(np.abs(at - step))) for step in steps])
    return np.asarray(kept[chosen])

"""What a chip can serve at an SLO: every layout, precision, engine, power mode and concurrency, in one array pass.

A point meets the SLO where its TTFT (99th percentile of the steady state, no start burst) and its TPOT (mean over requests) are
within it; or, where a percentile is asked for, both at that one. Points are rates of one replica over its chips. What stops a
point from carrying one step more is its `bound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.calibration import BLACKWELL, WEIGHT_BYTES, sigmas
from gigawatt.physics.serving.engine.deployment import FULL, usable_memory_bytes
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.physics.serving.search.space import Mask, PrefillOn, Searched, Space, search
from gigawatt.physics.serving.steady.transfer import CachePath
from gigawatt.physics.workload.architecture import Architecture

MAX_POINTS = 12


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why candidates fell out, how many, and the smallest change that would let one in."""

    reason: str
    count: int
    nearest_fix: str


@dataclass(frozen=True, slots=True)
class Frontier:
    """Operating points that meet the SLO, by rising tokens out; columns of equal length.

    `low` and `high` are 80 % factors on throughput. `candidates` counts what was evaluated.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    engine: NDArray[np.str_]
    mode: NDArray[np.str_]
    chips_per_replica: Floats
    concurrency: Floats
    tokens_in_per_s_per_chip: Floats
    tokens_out_per_s_per_chip: Floats
    ttft_s: Floats
    tpot_s: Floats
    chip_w: Floats
    bound: NDArray[np.str_]
    low: Floats
    high: Floats
    candidates: int = 0
    rejected: tuple[Rejected, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.chip_w)

    def take(self, rows: NDArray[np.intp]) -> Frontier:
        """The points named, in that order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Frontier(**columns, candidates=self.candidates, rejected=self.rejected)

    @property
    def best(self) -> int | None:
        """The point with most tokens out per chip, or None where nothing meets the SLO."""
        return int(np.argmax(self.tokens_out_per_s_per_chip)) if len(self) else None

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a point, plain values."""
        return [{name: getattr(self, name)[i].item() for name in COLUMNS} for i in range(len(self))]


COLUMNS = tuple(f.name for f in fields(Frontier) if f.name not in ("candidates", "rejected"))
TEXT = ("mapping", "precision", "engine", "mode", "bound")


def frontier(
    arch: Architecture,
    chip: Chip,
    *,
    fabric: Fabric | None = None,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float = np.inf,
    tpot_s: float = np.inf,
    precisions: Sequence[str] = ("fp8",),
    engine: str = "best",
    maturity: float = 1.0,
    modes: Sequence[PowerMode] = (FULL,),
    disaggregate: bool = True,
    speculation: float = 1.0,
    mapping: str = "",
    replica_chips: int = 0,
    max_points: int = MAX_POINTS,
    percentile: float | None = None,
    drafts: Sequence[Draft | None] = (None,),
    stages: int = 1,
    partners: int = 1,
    prefill_on: PrefillOn | None = None,
    path: CachePath | None = None,
    **of_load: Any,
) -> Frontier:
    """The serving frontier of one model on one chip under an SLO, thinned in (watts, tokens out) to `max_points`.

    Replicas stay inside the scale-up domain of `fabric` (the chip's default one where None), where few messages are worth the
    network between domains; `replica_chips` lets them grow to as many chips over several domains, and a `mapping` that is
    named may be of any size; `stages` allows pipelines. `engine` "best" tries every stack that runs on the chip. Nothing meets
    the SLO: an empty frontier whose `rejected` says why and what would. The other arguments are those of `space.search`.
    """
    (found,) = frontiers(
        arch,
        chip,
        [(ttft_s, tpot_s)],
        max_points=max_points,
        fabric=fabric,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        precisions=precisions,
        engines=() if engine == "best" else (engine,),
        maturity=maturity,
        modes=modes,
        disaggregate=disaggregate,
        speculation=speculation,
        mappings=(mapping,) if mapping else (),
        replica_chips=replica_chips,
        percentile=percentile,
        drafts=drafts,
        stages=stages,
        partners=partners,
        prefill_on=prefill_on,
        path=path,
        **of_load,
    )
    return found


def frontiers(
    arch: Architecture,
    chip: Chip,
    slos: Sequence[tuple[float, float]],
    *,
    fabric: Fabric | None = None,
    input_tokens: float,
    output_tokens: float,
    max_points: int = MAX_POINTS,
    **asked: Any,
) -> tuple[Frontier, ...]:
    """The frontier under each of several SLOs, (TTFT, TPOT) in s, of one search; `asked` is passed on to `space.search`."""
    wired = default_fabric(chip) if fabric is None else fabric
    limits = tuple(dict.fromkeys(ttft_s for ttft_s, _ in slos))
    found = search(
        arch, chip, fabric=wired, input_tokens=input_tokens, output_tokens=output_tokens, ttft_s=limits, **asked
    )
    if not found.specs:
        why = Rejected("no layout", 0, "name one of tp1, tp2, tp8-ep8, dp8-ep8, ...")
        return tuple(_empty((why,)) for _ in slos)
    if not len(found.space):
        return tuple(_empty((does_not_fit(found, chip, wired.domain),), len(found.specs)) for _ in slos)
    return tuple(
        _choose(found, chip, wired.domain, input_tokens, output_tokens, ttft_s, tpot_s, max_points)
        for ttft_s, tpot_s in slos
    )


def _choose(
    found: Searched,
    chip: Chip,
    domain: int,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float,
    tpot_s: float,
    max_points: int,
) -> Frontier:
    space = found.space
    roomy, quick, smooth = space.roomy, space.ttft_slo_s <= ttft_s, space.tpot_slo_s <= tpot_s
    good = roomy & quick & smooth
    rejected = _rejections(space, roomy, quick, smooth)
    if not found.fits.all():
        rejected.insert(0, does_not_fit(found, chip, domain))
    if not good.any():
        return _empty(tuple(rejected), found.candidates)
    bound = bounds(space, len(found.ladder), roomy, quick, smooth)
    rows = np.flatnonzero(good)
    rate = space.requests_per_s_per_chip
    kept = thin(space.chip_w[rows], rate[rows] * output_tokens, max_points)
    rows = rows[kept]
    half = throughput_half_width(chip, space.pooled[rows], space.kernel_half[rows])
    return Frontier(
        **{name: getattr(space, name)[rows] for name in ("mapping", "precision", "engine", "mode")},
        chips_per_replica=space.chips[rows],
        concurrency=space.concurrency[rows],
        tokens_in_per_s_per_chip=rate[rows] * input_tokens,
        tokens_out_per_s_per_chip=rate[rows] * output_tokens,
        ttft_s=space.ttft_slo_s[rows],
        tpot_s=space.tpot_slo_s[rows],
        chip_w=space.chip_w[rows],
        bound=bound[rows],
        low=np.exp(-half),
        high=np.exp(half),
        candidates=found.candidates,
        rejected=tuple(rejected),
    )


def throughput_half_width(chip: Chip, pooled: Mask, kernel_half: Floats) -> Floats:
    """80 % half-widths of the logarithm of throughput: pools are known less well than one kind of replica.

    On chips of generations that no serving point was seen of (kin), the floor's own band joins that of serving, and the
    wider band of kin is the least.
    """
    groups = sigmas()
    seen = chip.generation == "hopper" or (chip.generation in BLACKWELL and chip.generation != "rubin")
    half = np.full(len(pooled), groups["throughput_fitted"])
    if not seen or chip.stack != "cuda":
        half = np.maximum(groups["throughput_kin"], np.hypot(half, kernel_half))
    return np.where(pooled, np.maximum(half, groups["disagg.tpot_ms"]), half)


def bounds(space: Space, rungs: int, roomy: Mask, quick: Mask, smooth: Mask) -> NDArray[Any]:
    """What the next of `rungs` of the ladder breaks, and what the time between tokens is spent on."""

    def following(mask: Mask) -> Mask:
        grid = mask.reshape(-1, rungs)
        return np.concatenate([grid[:, 1:], grid[:, -1:]], axis=1).ravel()

    stop = np.full(len(space), "", dtype="U16")
    stop[~following(quick)] = "TTFT SLO"
    stop[~following(smooth)] = "TPOT SLO"
    stop[~following(roomy)] = "KV memory"
    joined = np.char.add(np.char.add(stop, np.where(stop == "", "", ", ")), space.part.astype(str))
    return np.asarray(joined)


def thin(watts: Floats, tokens: Floats, count: int) -> NDArray[np.intp]:
    """Pareto points (more tokens, fewer watts), at most `count`, both ends kept, by rising tokens."""
    order = np.lexsort((-tokens, watts))
    best = np.maximum.accumulate(tokens[order])
    first = np.concatenate([[True], tokens[order][1:] > best[:-1] * (1.0 + 1e-9)])
    kept = order[first]
    if len(kept) <= count:
        return np.asarray(kept)
    # Even in tokens: few points tell the curve, and the ends (fewest watts, most tokens) stay.
    steps = np.linspace(tokens[kept[0]], tokens[kept[-1]], count)
    chosen = np.unique([int(np.argmin(np.abs(tokens[kept] - step))) for step in steps])
    return np.asarray(kept[chosen])


def _rejections(space: Space, roomy: Mask, quick: Mask, smooth: Mask) -> list[Rejected]:
    found = []
    if not roomy.all():
        most = int(np.argmax(space.room))
        fix = f"at most {space.room[most]:,.0f} requests at once fit, with {space.mapping[most]}"
        found.append(Rejected("more requests than the cache holds", int((~roomy).sum()), fix))
    if (roomy & ~smooth).any():
        floor = space.tpot_slo_s[roomy].min()
        fix = f"the lowest TPOT of any candidate is {floor * 1e3:.3g} ms"
        found.append(Rejected("TPOT above the SLO", int((roomy & ~smooth).sum()), fix))
    if (roomy & smooth & ~quick).any() or not quick.any():
        floor = space.ttft_slo_s[roomy].min()
        fix = f"the lowest TTFT (p99) of any candidate is {floor * 1e3:.4g} ms"
        found.append(Rejected("TTFT above the SLO", int((roomy & ~quick).sum()), fix))
    return found


def does_not_fit(found: Searched, chip: Chip, domain: int) -> Rejected:
    """How many configurations have no room for their weights, and the least that would have it."""
    asked = min({s.precision for s in found.specs}, key=WEIGHT_BYTES.__getitem__)
    weights = float(found.model.weights) * WEIGHT_BYTES[asked]
    room = 0.8 * usable_memory_bytes(chip)
    short = weights - room * domain
    text = (
        f"{weights / 1e9:,.0f} GB of {asked} weights need at least {_chips(weights, room)} chips of "
        f"{chip.memory_bytes / 1e9:.0f} GB"
    )
    if short > 0:
        text += f"; a scale-up domain of {domain} is {short / 1e9:,.0f} GB short"
    narrower = [q for q in WEIGHT_BYTES if WEIGHT_BYTES[q] < WEIGHT_BYTES[asked] and q in chip.peak_flops]
    if narrower:
        less = [f"{q} on {_chips(float(found.model.weights) * WEIGHT_BYTES[q], room)}" for q in narrower]
        text += f"; or weights in {', or '.join(less)}"
    return Rejected("the model does not fit", int((~found.fits).sum()), text)


def _chips(weights: float, room: float) -> int:
    return int(np.ceil(weights / room))


def _empty(rejected: tuple[Rejected, ...], candidates: int = 0) -> Frontier:
    columns: dict[str, Any] = {name: np.array([], dtype=np.str_) if name in TEXT else np.zeros(0) for name in COLUMNS}
    return Frontier(**columns, candidates=candidates, rejected=rejected)

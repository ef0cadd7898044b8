"""Every layout, precision, engine, power mode, draft and concurrency of one model on one chip, in one array pass.

Rows stand in runs of one ladder of concurrencies, which is the same for all. Rates are those of one replica; of pools, of one
decode worker beside as much of a prefill pool as it needs, in fractions of a chip (`whole` makes whole workers of them).

    aggregated      the closed loop of `steady.aggregated`
    disaggregated   decode workers of every layout beside the prefill configurations worth having (see `pairs`), which may be
                    of another chip
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.deployment import FULL, Spec, take
from gigawatt.physics.serving.engine.layouts import Layout, layouts
from gigawatt.physics.serving.engine.model import Floats, ServedModel, served_model
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.physics.serving.engine.step import PARTS
from gigawatt.physics.serving.power import phases_of
from gigawatt.physics.serving.search.combos import Side, engines_of, side
from gigawatt.physics.serving.search.pairs import pooled
from gigawatt.physics.serving.search.spent import SPENT, largest
from gigawatt.physics.serving.steady.aggregated import Load, steady_state
from gigawatt.physics.serving.steady.spread import closed_spread, tpot_quantile, ttft_quantile
from gigawatt.physics.serving.steady.transfer import CachePath
from gigawatt.physics.workload.architecture import Architecture

__all__ = ["CONCURRENCY", "SPENT", "Mask", "PrefillOn", "Searched", "Space", "engines_of", "search"]

CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.51, 0.125)))

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Space:
    """Columns of equal length, a row for each configuration and concurrency.

    `chips` are those of a replica, of which `prefill_chips` prefill alone (0: aggregated); `prefill_each` are the chips of
    one prefill worker and `prefill_capacity` the requests/s it takes, `decode_each` the chips of a decode worker (the whole
    replica where aggregated). `room` is how many requests the cache holds at once, `spent_s` (parts of SPENT, rows) what the
    mean time between two tokens goes to, `part` the largest of it. Times in s, `chip_w` the mean watts of a chip.
    `precision`, `mode` are those of what decodes, `prefill_*` of what prefills. `ttft_slo_s` and `tpot_slo_s` are the times
    that an SLO is held against: at the percentile asked for, else the 99th of TTFT and the mean of TPOT. `drafted` tokens
    are drafted in a step.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    engine: NDArray[np.str_]
    mode: NDArray[np.str_]
    prefill_precision: NDArray[np.str_]
    prefill_mode: NDArray[np.str_]
    chips: Floats
    prefill_chips: Floats
    prefill_each: Floats
    prefill_capacity: Floats
    decode_each: Floats
    concurrency: Floats
    requests_per_s: Floats
    room: Floats
    ttft_s: Floats
    ttft_p99_s: Floats
    ttft_slo_s: Floats
    tpot_s: Floats
    tpot_slo_s: Floats
    chip_w: Floats
    prefill_load: Floats
    kernel_half: Floats
    drafted: Floats
    part: NDArray[np.str_]
    spent_s: Floats

    def __len__(self) -> int:
        return len(self.tpot_s)

    @property
    def pooled(self) -> Mask:
        """Prefill and decode on chips of their own."""
        return self.prefill_chips > 0

    @property
    def requests_per_s_per_chip(self) -> Floats:
        """Requests answered per second and chip."""
        return self.requests_per_s / self.chips

    @property
    def roomy(self) -> Mask:
        """All of the concurrency is in the cache at once."""
        return self.concurrency <= np.maximum(self.room, 1.0)

    def take(self, rows: NDArray[np.intp]) -> Space:
        """The rows named, in that order."""
        return Space(**{f.name: getattr(self, f.name)[..., rows] for f in fields(Space)})


TEXT = ("mapping", "precision", "engine", "mode", "prefill_precision", "prefill_mode", "part")


@dataclass(frozen=True, slots=True)
class PrefillOn:
    """Another kind of chip for the prefill pool, and the way of the caches from it to the decoders."""

    chip: Chip
    path: CachePath
    fabric: Fabric | None = None
    precisions: tuple[str, ...] = ()
    modes: tuple[PowerMode, ...] = (FULL,)
    maturity: float = 1.0


@dataclass(frozen=True, slots=True)
class Searched:
    """A space with what it was made of: `specs` one a configuration, `fits` where its weights leave room for a request."""

    space: Space
    specs: tuple[Spec, ...]
    fits: Mask
    model: ServedModel
    ladder: Floats

    @property
    def candidates(self) -> int:
        """What was looked at: every row, and every configuration that does not fit."""
        return len(self.space) + int((~self.fits).sum())


def search(
    arch: Architecture,
    chip: Chip,
    *,
    fabric: Fabric | None = None,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float | Sequence[float] = np.inf,
    precisions: Sequence[str] = ("fp8",),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    release: str = "",
    modes: Sequence[PowerMode] = (FULL,),
    aggregate: bool = True,
    disaggregate: bool = True,
    speculation: float = 1.0,
    drafts: Sequence[Draft | None] = (None,),
    mappings: Sequence[str] = (),
    replica_chips: int = 0,
    most_chips: int = 0,
    stages: int = 1,
    ladder: Floats = CONCURRENCY,
    partners: int = 1,
    prefill_on: PrefillOn | None = None,
    path: CachePath | None = None,
    percentile: float | None = None,
    **of_load: Any,
) -> Searched:
    """Evaluate everything; nothing is left out for an SLO.

    Args:
        fabric: the network; the chip's default one where None.
        ttft_s: what a prefill layout must meet to stand beside decoders; one or several limits.
        engines: every stack that runs on the chip where empty.
        release: of the engine, or a date of the software; the newest that constants were fitted to where none is named.
        drafts: speculative decoding to try, None for none of it; `speculation` is a plain factor on all.
        mappings: layouts by name, however wide; all within a scale-up domain, or within `replica_chips`, where empty.
        most_chips: no replica and no worker is wider (0: no limit).
        stages: pipelines of 2, 4, ... up to so many stages are tried beside single ones.
        ladder: concurrencies of a replica, rising.
        partners: prefill configurations tried beside each decode layout.
        prefill_on: another kind of chip to prefill on; the same one where None, its caches moved over `path`.
        percentile: of TTFT and TPOT that the SLO is held against (0.99); p99 of TTFT and the mean of TPOT where None.
        of_load: further fields of `Load`: cached_share, fetched_share, decode_derate, prefill_derate, input_cv, output_cv.
    """
    model = served_model(arch)
    wired = default_fabric(chip) if fabric is None else fabric
    load = Load.of(input_tokens, output_tokens, 1.0, **of_load)
    common: dict[str, Any] = {"release": release, "speculation": speculation}
    plans = _plans(model, wired.domain, mappings, replica_chips, stages, most_chips)
    stacks = tuple(engines or engines_of(chip))
    sides = [
        side(arch, chip, wired, plans, load, precisions=precisions, engines=stacks, modes=modes, draft=draft,
             maturity=maturity, **common)
        for draft in drafts
    ]  # fmt: skip
    laid = [s for s in sides if s is not None]
    if not laid:
        return Searched(nothing(), (), np.zeros(0, dtype=bool), model, ladder)
    other = None
    if (on := prefill_on) is not None:
        near = default_fabric(on.chip) if on.fabric is None else on.fabric
        shared = [engine for engine in stacks if engine in engines_of(on.chip)]
        wide = _plans(model, near.domain, (), 0, 1, most_chips)
        other = side(arch, on.chip, near, wide, load, precisions=on.precisions or precisions, engines=shared,
                     modes=on.modes, cache_for=chip, maturity=on.maturity, **common)  # fmt: skip
    way = path if prefill_on is None else prefill_on.path
    limits = (float(ttft_s),) if isinstance(ttft_s, float | int) else tuple(ttft_s)
    made = []
    for s in laid:
        if aggregate and s.fits.any():
            made.append(_aggregated(s, load, ladder, percentile))
        beside = s if prefill_on is None else other
        if disaggregate and beside is not None:
            found = pooled(
                s, beside, load, ladder, limits_s=limits, partners=partners, share=percentile or 0.99, path=way
            )
            made += [] if found is None else [found]
    specs = tuple(spec for s in laid for spec in s.specs)
    fits = np.concatenate([s.fits for s in laid])
    if not made:
        return Searched(nothing(), specs, fits, model, ladder)
    columns = {name: np.concatenate([part[name] for part in made], axis=-1) for name in made[0]}
    return Searched(Space(**columns), specs, fits, model, ladder)


def _plans(
    model: ServedModel, domain: int, mappings: Sequence[str], replica_chips: int, stages: int, most_chips: int
) -> list[Layout]:
    found = [p for only in mappings or ("",) for p in layouts(model, domain, only, replica_chips, stages)]
    return [p for p in dict.fromkeys(found) if not most_chips or p.chips <= most_chips]


def _aggregated(s: Side, load: Load, ladder: Floats, percentile: float | None) -> dict[str, NDArray[Any]]:
    """The columns of every configuration that fits, at every concurrency."""
    fitting = np.flatnonzero(s.fits)
    rows = np.repeat(fitting, len(ladder))
    d = take(s.base, rows)
    load = load.at(np.tile(ladder, len(fitting)))
    state = steady_state(d, load)
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    stall = state.tpot_s - state.step_s / d.yields
    # Over one step, `yields` tokens long: its own parts, the prompts' stalls, and what the derate loses, in which chips wait.
    lost = np.maximum(state.step_s - state.parts.total, 0.0)
    phases = phases_of(state.parts, stall * d.yields, peak, d.chip.memory_bytes_per_s, idle_s=lost)
    used = {"compute_util": state.flops_per_s / peak, "memory_util": state.bytes_per_s / d.chip.memory_bytes_per_s}
    phases = replace(phases, **used)
    spent = np.stack([*(getattr(state.parts, name) / d.yields for name in PARTS), stall])
    none = np.zeros_like(d.gpus)
    ttft, tpot = state.ttft_p99_s, state.tpot_s
    if percentile is not None:
        spread = closed_spread(d, load, state)
        ttft, tpot = ttft_quantile(spread, percentile), tpot_quantile(spread, percentile)
    names = s.names(rows)
    return {
        "mapping": s.mappings()[rows],
        **names,
        "prefill_precision": names["precision"],
        "prefill_mode": names["mode"],
        "chips": d.chips,
        "prefill_chips": none,
        "prefill_each": none,
        "prefill_capacity": none,
        "decode_each": d.chips,
        "concurrency": load.concurrency,
        "requests_per_s": state.requests_per_s,
        "room": state.max_requests,
        "ttft_s": state.ttft_s,
        "ttft_p99_s": state.ttft_p99_s,
        "ttft_slo_s": ttft,
        "tpot_s": state.tpot_s,
        "tpot_slo_s": tpot,
        "chip_w": s.watts(phases, rows),
        "prefill_load": state.prefill_load,
        "kernel_half": d.kernels.half_width,
        "drafted": none if d.draft is None else d.draft.tokens,
        "part": largest(spent, state.parts.compute_share, d.messages.domains),
        "spent_s": spent,
    }


def nothing() -> Space:
    """A space of no rows."""
    columns: dict[str, Any] = {
        f.name: np.array([], dtype=np.str_) if f.name in TEXT else np.zeros(0) for f in fields(Space)
    }
    return Space(**columns | {"spent_s": np.zeros((len(SPENT), 0))})

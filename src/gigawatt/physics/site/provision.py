"""How many racks a megawatt holds: by rating, by plan, by a percentile of what they draw together, or steered.

A rack draws  static + chips x X,  X its chips' draw over their limit. Between racks X differs by what they run (`between`),
within one it moves in time (`within`). For N racks the mean share of all has

    mean  mu
    variance  v(N) = between^2 (alike + (1 - alike)/N) + within^2 (together + (1 - together)/N)

`alike` is 1 where all racks run one thing and 0 where each runs its own; `together` is 1 for a synchronous job, whose racks
move in step, and near 0 for replicas that serve each their own requests. The share is taken as Beta on [low, high] with that
mean and variance: bounded, as watts are, and normal for many independent racks.

What is set aside for a rack:

    nameplate    its rating
    planning     all chips at their limit and everything beside them at full load (never above the rating)
    percentile   the percentile of the sum of the racks behind one feed, over their number; nobody moves power between feeds
    dynamic      the same of all racks of the site, since power that one feed leaves goes to another; chips are capped for
                 the rest of the time

A share c set aside is exceeded in P(X > c) of the time. Where chips are then held to it, they lose speed as (c/X)^e:

    tokens lost = E[(1 - (c/X)^e); X > c],   e = 0 memory-bound (a lower core clock costs no time), about 0.5 compute-bound

Watts at the rack input; no workload and no dollar is known here. The idea is that of power oversubscription (Patel et al.,
arXiv 2308.12908); the closed form is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
POLICIES = ("nameplate", "planning", "percentile", "dynamic")
NARROW = 1e-9  # of the squared width: a share this steady has no percentiles of its own
QUANTILES = 64  # of the tail, in the mean of the tokens lost


@dataclass(frozen=True, slots=True)
class Loads:
    """Columns, one row a load of one rack; watts at the rack input, shares of the chips' limit.

    Attributes:
        chips: accelerators of the rack.
        static_w: drawn whatever the chips do: hosts, NICs, switches, fans, their share of the supplies' loss.
        chips_w: what the chips add when all are at their limit.
        nameplate_w, planning_w: what the maker rates the rack at, and plans for it.
        mean: of the chips' draw over their limit, over racks and time.
        between, within: standard deviation between racks, and in time of one rack.
        alike, together: correlation of the two between racks.
        low, high: the least and the most that the share takes.
        cap_exponent: of speed over the watts that a cap leaves.

    Raises:
        InputError: a number is out of range, or spreads are too wide for the mean: the share would pile up at both ends.
    """

    chips: Array
    static_w: Array
    chips_w: Array
    nameplate_w: Array
    planning_w: Array
    mean: Array
    between: Array
    within: Array
    alike: Array
    together: Array
    low: Array
    high: Array
    cap_exponent: Array

    def __post_init__(self) -> None:
        found = [
            Problem("out_of_range", f"a load's {name} must be within {low:g} and {high:g}")
            for name, low, high in (
                ("alike", 0.0, 1.0),
                ("together", 0.0, 1.0),
                ("cap_exponent", 0.0, 1.0),
                ("between", 0.0, 1.0),
                ("within", 0.0, 1.0),
            )
            if not np.all((getattr(self, name) >= low) & (getattr(self, name) <= high))
        ]
        ordered = (self.low >= 0) & (self.low < self.high) & (self.low < self.mean) & (self.mean < self.high)
        if not np.all(ordered):
            found.append(Problem("out_of_range", "a load's mean share must lie between its least and its most"))
        elif not np.all(self.variance(1.0) <= self.widest):
            found.append(
                Problem(
                    "out_of_range", "a load's spreads are too wide for its mean: the share would pile up at both ends"
                )
            )
        watts = (self.static_w >= 0) & (self.chips_w > 0) & (self.chips > 0) & (self.planning_w <= self.nameplate_w)
        if not np.all(watts & (self.planning_w >= self.static_w + self.high * self.chips_w * (1 - 1e-9))):
            found.append(
                Problem(
                    "out_of_range",
                    "a rack's planning figure must hold its full draw, and its rating the planning figure",
                )
            )
        if found:
            raise InputError(found)

    def __len__(self) -> int:
        return len(self.mean)

    @classmethod
    def of(cls, **columns: ArrayLike) -> Loads:
        """Columns from scalars and sequences, broadcast to one length; `low` is 0, `high` 1 where left out, spreads 0."""
        usual = {
            "between": 0.0,
            "within": 0.0,
            "alike": 0.0,
            "together": 0.0,
            "low": 0.0,
            "high": 1.0,
            "cap_exponent": 0.5,
        }
        given = [np.asarray((usual | columns)[f.name], dtype=np.float64) for f in fields(cls)]
        return cls(*(np.array(np.atleast_1d(c)) for c in np.broadcast_arrays(*given)))

    def with_(self, **columns: ArrayLike) -> Loads:
        """The same with some columns replaced."""
        shape = self.mean.shape
        return replace(self, **{k: np.array(np.broadcast_to(np.asarray(v, float), shape)) for k, v in columns.items()})

    @property
    def widest(self) -> Array:
        """The largest variance of a Beta share with one mode at most, [L]: 1 <= a, b."""
        t = (self.mean - self.low) / (self.high - self.low)
        least = np.minimum(t, 1 - t)
        return np.asarray(least**2 * (1 - least) / (1 + least) * (self.high - self.low) ** 2)

    def variance(self, racks: ArrayLike) -> Array:
        """Variance of the mean share of so many racks; `racks` broadcasts against the rows."""
        n = np.maximum(np.asarray(racks, dtype=np.float64), 1.0)
        own = self.between**2 * (self.alike + (1 - self.alike) / n)
        return np.asarray(own + self.within**2 * (self.together + (1 - self.together) / n))

    def rack_w(self, share: ArrayLike) -> Array:
        """Watts of a rack whose chips draw `share` of their limit."""
        return np.asarray(self.static_w + self.chips_w * np.asarray(share, dtype=np.float64))


def mixed(loads: Loads, shares: ArrayLike, racks: ArrayLike) -> Loads:
    """A site of several loads as one load of a mean rack, [1].

    Loads are independent of each other. The result is of so many racks as are given: its `between` and `within` stand for the
    whole, with `alike` and `together` 1.

    Args:
        shares: of the racks, one a load; they are scaled to sum to 1.
        racks: of all loads together.

    Raises:
        InputError: no share is positive.
    """
    part = np.asarray(shares, dtype=np.float64)
    if part.shape != (len(loads),) or not np.all(part >= 0) or not part.sum() > 0:
        raise InputError(
            Problem("out_of_range", "a mix needs a share of the racks for each load, some of them positive")
        )
    part = part / part.sum()
    chips_w = part @ loads.chips_w
    weigh = part * loads.chips_w / chips_w
    n = np.maximum(part * np.asarray(racks, dtype=np.float64), 1.0)
    own = loads.between**2 * (loads.alike + (1 - loads.alike) / n)
    moving = loads.within**2 * (loads.together + (1 - loads.together) / n)
    return Loads.of(
        chips=part @ loads.chips,
        static_w=part @ loads.static_w,
        chips_w=chips_w,
        nameplate_w=part @ loads.nameplate_w,
        planning_w=part @ loads.planning_w,
        mean=weigh @ loads.mean,
        between=np.sqrt(weigh**2 @ own),
        within=np.sqrt(weigh**2 @ moving),
        alike=1.0,
        together=1.0,
        low=weigh @ loads.low,
        high=weigh @ loads.high,
        cap_exponent=weigh @ loads.cap_exponent,
    )


def percentile_share(loads: Loads, racks: ArrayLike, percentile: ArrayLike) -> Array:
    """The share of their limit that the chips of so many racks together stay below in `percentile` of the time.

    `racks` and `percentile` broadcast against the rows, which come last.
    """
    a, b, steady = _shape(loads, racks)
    from scipy.special import betaincinv

    p = np.asarray(percentile, dtype=np.float64)
    inside = betaincinv(a, b, p)
    return np.where(steady, loads.mean, loads.low + (loads.high - loads.low) * inside)


def exceeded_share(loads: Loads, racks: ArrayLike, share: ArrayLike) -> Array:
    """Share of the time in which so many racks together draw more than `share` of their chips' limit."""
    from scipy.special import betainc

    a, b, steady = _shape(loads, racks)
    c = np.asarray(share, dtype=np.float64)
    inside = np.clip((c - loads.low) / (loads.high - loads.low), 0.0, 1.0)
    return np.where(steady, (loads.mean > c * (1 + 1e-12)).astype(np.float64), 1.0 - betainc(a, b, inside))


def tokens_lost(loads: Loads, racks: ArrayLike, share: ArrayLike) -> Array:
    """Expected share of the tokens lost when the chips of so many racks are held to `share` of their limit together.

    The mean over the tail of the draw, at the middles of equal parts of its probability.
    """
    from scipy.special import betaincinv

    over = exceeded_share(loads, racks, share)
    held = (
        np.asarray(share, dtype=np.float64),
        *_shape(loads, racks),
        loads.low,
        loads.high,
        loads.mean,
        loads.cap_exponent,
    )
    lost = np.zeros_like(over)
    # Most loads lose nothing: they stay below, or their work does not follow the clock.
    some = (over > 0) & (np.broadcast_to(loads.cap_exponent, over.shape) != 0)
    c, a, b, steady, low, high, mean, exponent = (np.broadcast_to(column, over.shape)[some][:, None] for column in held)
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    at = 1.0 - over[some][:, None] * (1.0 - middles)
    drawn = np.where(steady, mean, low + (high - low) * betaincinv(a, b, at))
    left = np.minimum(c / np.maximum(drawn, 1e-12), 1.0) ** exponent
    lost[some] = over[some] * (1.0 - left).mean(axis=-1)
    return lost


def _shape(loads: Loads, racks: ArrayLike) -> tuple[Array, Array, NDArray[np.bool_]]:
    """a and b of the Beta share of so many racks, and where it does not move at all."""
    width = loads.high - loads.low
    t = (loads.mean - loads.low) / width
    scaled = loads.variance(racks) / width**2
    steady = scaled < NARROW
    size = t * (1 - t) / np.maximum(scaled, NARROW) - 1.0
    return np.asarray(t * size), np.asarray((1 - t) * size), np.asarray(steady)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What each policy sets aside, [policies, percentiles, levels, loads].

    Attributes:
        policies, percentiles, level_racks: what the first three axes stand for.
        set_aside_w: watts at the rack input for each rack.
        racks_per_mw, gpus_per_mw: at the meter.
        gain: GPUs per MW over those by nameplate, less 1.
        exceeded: share of the time in which racks draw more than what is set aside for them.
        lost: expected share of the tokens lost by caps that then hold them to it.
    """

    policies: tuple[str, ...]
    percentiles: tuple[float, ...]
    level_racks: tuple[float, ...]
    set_aside_w: Array
    racks_per_mw: Array
    gpus_per_mw: Array
    gain: Array
    exceeded: Array
    lost: Array


def provision(
    loads: Loads,
    *,
    level_racks: Sequence[float],
    percentiles: Sequence[float] = (0.99,),
    policies: Sequence[str] = POLICIES,
    meter_per_it: float = 1.0,
) -> Provisioned:
    """Every policy at every percentile and level for every load.

    Args:
        loads: [L].
        level_racks: racks behind one feed at each level (a rack, a row, the site); the largest is the site, whose racks
            `dynamic` steers among at every level.
        percentiles: of the time in which the draw must stay below what is set aside, each over 0.5 and below 1.
        policies: of `POLICIES`.
        meter_per_it: watts at the meter for each at the rack input.

    Raises:
        InputError: an unknown policy, a percentile or a number of racks out of range.
    """
    unknown = [name for name in policies if name not in POLICIES]
    if (
        unknown
        or not all(0.5 < p < 1 for p in percentiles)
        or not level_racks
        or min(level_racks) < 1
        or meter_per_it < 1
    ):
        raise InputError(
            Problem(
                "out_of_range",
                f"policies are {', '.join(POLICIES)}; percentiles lie over 0.5 and below 1; a level holds a rack or more",
            )
        )
    p = np.array(percentiles, dtype=np.float64)[:, None, None]
    feed = np.array(level_racks, dtype=np.float64)[None, :, None]
    whole = np.full_like(feed, max(level_racks))
    shape = (len(percentiles), len(level_racks), len(loads))
    aside, over, lost = [], [], []
    for name in policies:
        if name in ("nameplate", "planning"):
            fixed = loads.nameplate_w if name == "nameplate" else loads.planning_w
            aside.append(np.broadcast_to(fixed, shape))
            over.append(np.zeros(shape))
            lost.append(np.zeros(shape))
            continue
        racks = feed if name == "percentile" else whole
        share = np.broadcast_to(percentile_share(loads, racks, p), shape)
        # Many independent racks have a narrower sum than few; a skewed share may round that by a hair.
        aside.append(np.minimum(loads.rack_w(share), loads.planning_w))
        over.append(exceeded_share(loads, np.broadcast_to(racks, shape), share))
        lost.append(tokens_lost(loads, np.broadcast_to(racks, shape), share))
    watts = np.stack(aside)
    per_mw = 1e6 / (watts * meter_per_it)
    return Provisioned(
        tuple(policies),
        tuple(float(x) for x in percentiles),
        tuple(float(x) for x in level_racks),
        watts,
        per_mw,
        per_mw * loads.chips,
        loads.nameplate_w / watts - 1.0,
        np.stack(over),
        np.stack(lost),
    )

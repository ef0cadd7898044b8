"""What the fleet is chosen from: platforms, workloads with their prices and duties, limits, and whose money counts.

Plain numbers and columns only; no scenario and no catalog record is known here. Index p platform, w workload,
j operating point, s price segment, f phase (a consecutive part of the horizon; its `weight` is its discounted share,
and weights sum to 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.factory.points import Points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
SECONDS_PER_YEAR = 8760 * 3600.0
NO_LIMIT = float("inf")


def column(values: object, length: int | None = None) -> Array:
    """Values as a float column; a scalar fills `length` rows."""
    out = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return np.array(np.broadcast_to(out, (length,))) if length is not None and out.size == 1 else out


@dataclass(frozen=True, slots=True)
class Platforms:
    """What may be bought: one row a platform, one unit a rack.

    Attributes:
        names: ids, unique.
        capex_usd: list price of a rack position with everything that is paid per rack; the shell is paid per MW.
        supply_racks: how many are on offer; infinity is no limit.
        chips_per_rack: accelerators in one, for rates per chip.
    """

    names: tuple[str, ...]
    capex_usd: Array
    supply_racks: Array
    chips_per_rack: Array

    @classmethod
    def of(
        cls, names: tuple[str, ...], capex_usd: object, supply_racks: object = NO_LIMIT, chips_per_rack: object = 1.0
    ) -> Platforms:
        """Columns from sequences or scalars."""
        n = len(names)
        return cls(tuple(names), column(capex_usd, n), column(supply_racks, n), column(chips_per_rack, n))


@dataclass(frozen=True, slots=True)
class Segments:
    """Demand by price: each row takes up to `tokens_per_s` output tokens of a workload at `usd_per_mtok`.

    Give a workload several rows of falling price for a demand curve (the plan sells to the dearest first). A price per
    output token includes what its input tokens bring: price_out + price_in x input tokens / output tokens. Trained
    tokens count as output.
    """

    names: tuple[str, ...]
    workload: Indices
    usd_per_mtok: Array
    tokens_per_s: Array

    @classmethod
    def of(cls, names: tuple[str, ...], workload: object, usd_per_mtok: object, tokens_per_s: object) -> Segments:
        """Columns from sequences or scalars."""
        n = len(names)
        index = np.atleast_1d(np.asarray(workload, dtype=np.int64))
        return cls(tuple(names), index, column(usd_per_mtok, n), column(tokens_per_s, n))

    @classmethod
    def none(cls) -> Segments:
        """No demand at all."""
        empty = np.zeros(0)
        return cls((), np.zeros(0, dtype=np.int64), empty, empty)


@dataclass(frozen=True, slots=True)
class Obligation:
    """At least `tokens_per_s` of a workload (trained tokens, or output tokens) in each of `phases`."""

    name: str
    workload: int
    tokens_per_s: float
    phases: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Phase:
    """A consecutive part of the horizon; `weight` is its discounted share of it."""

    name: str = "whole horizon"
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Coefficients:
    """One party's money: what each point, rack and MW is worth to it per year, beside sold tokens.

    Attributes:
        name: system, operator or lab.
        other_usd_per_yr: [points] earned (+) or paid (-) per rack-year in use, beside energy and token revenue.
        energy_usd_per_yr: [points] paid for energy per rack-year in use.
        platform_usd_per_yr: [platforms] paid per rack-year owned: capital charge and upkeep.
        price_usd_per_yr: [platforms] the part of the above that falls in proportion with the price of the rack.
        shell_usd_per_mw_yr: paid per MW of site power and year: the shell's capital charge and upkeep.
        revenue_share: of token revenue that this party receives.
        fixed_usd_per_yr: paid whatever is bought, such as for plant that stands on the site already decided.
    """

    name: str
    other_usd_per_yr: Array
    energy_usd_per_yr: Array
    platform_usd_per_yr: Array
    price_usd_per_yr: Array
    shell_usd_per_mw_yr: float = 0.0
    revenue_share: float = 1.0
    fixed_usd_per_yr: float = 0.0

    @classmethod
    def of(
        cls,
        name: str,
        points: Points,
        *,
        platform_usd_per_yr: object,
        price_usd_per_yr: object | None = None,
        energy_usd_per_mw_yr: float = 0.0,
        other_usd_per_mw_yr: float = 0.0,
        other_usd_per_yr: object = 0.0,
        shell_usd_per_mw_yr: float = 0.0,
        revenue_share: float = 1.0,
    ) -> Coefficients:
        """From rates per MW-year at the meter (`other` is earned, so staff is negative) and charges per rack."""
        other = column(other_usd_per_yr, len(points.mw)) + other_usd_per_mw_yr * points.mw
        charge = column(platform_usd_per_yr)
        price = charge if price_usd_per_yr is None else column(price_usd_per_yr, len(charge))
        energy = energy_usd_per_mw_yr * points.mw
        return cls(name, other, energy, charge, price, shell_usd_per_mw_yr, revenue_share)


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything `plan` needs. USD, MW at the meter, tokens per second, racks; per year where it says so.

    Attributes:
        platforms, workloads, points, segments, obligations, phases: what may be done; `workloads` are names.
        coefficients: whose money, one set a party; the plan maximises the one named by `objective`.
        power_mw: site power at the meter; `capital_usd`: what may be spent on racks at list price and on the shell.
        shell_usd_per_mw: capital of the shell per MW of site power used.
        integer_racks: buy whole blocks of `block_racks`.

    Raises:
        InputError: a limit or a name is wrong (all at once). ValueError: columns do not fit each other.
    """

    platforms: Platforms
    workloads: tuple[str, ...]
    points: Points
    segments: Segments
    coefficients: tuple[Coefficients, ...]
    power_mw: float = NO_LIMIT
    capital_usd: float = NO_LIMIT
    shell_usd_per_mw: float = 0.0
    obligations: tuple[Obligation, ...] = ()
    phases: tuple[Phase, ...] = (Phase(),)
    objective: str = "system"
    integer_racks: bool = False
    block_racks: int = 1
    integer_gap: float = 1e-4

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def chosen(self) -> Coefficients:
        """The coefficient set of `objective`."""
        return next(c for c in self.coefficients if c.name == self.objective)

    def with_objective(self, name: str) -> PlanInputs:
        """The same question for another party."""
        return replace(self, objective=name)

    def thinned(self) -> PlanInputs:
        """The same question with hull points only (see `Points.hull`): the same optimum with fewer columns."""
        keep = self.points.hull()
        parties = tuple(
            replace(c, other_usd_per_yr=c.other_usd_per_yr[keep], energy_usd_per_yr=c.energy_usd_per_yr[keep])
            for c in self.coefficients
        )
        return replace(self, points=self.points.take(keep), coefficients=parties)


def _check_shapes(inputs: PlanInputs) -> None:
    """A wrong shape is the caller's mistake, not the user's."""
    n_p, n_j, n_s = len(inputs.platforms.names), len(inputs.points.mw), len(inputs.segments.names)
    lengths = [
        ("platforms.capex_usd", inputs.platforms.capex_usd, n_p),
        ("platforms.supply_racks", inputs.platforms.supply_racks, n_p),
        ("segments.workload", inputs.segments.workload, n_s),
        ("segments.usd_per_mtok", inputs.segments.usd_per_mtok, n_s),
        ("segments.tokens_per_s", inputs.segments.tokens_per_s, n_s),
    ]
    for c in inputs.coefficients:
        lengths += [
            (f"{c.name}.other_usd_per_yr", c.other_usd_per_yr, n_j),
            (f"{c.name}.energy_usd_per_yr", c.energy_usd_per_yr, n_j),
            (f"{c.name}.platform_usd_per_yr", c.platform_usd_per_yr, n_p),
            (f"{c.name}.price_usd_per_yr", c.price_usd_per_yr, n_p),
        ]
    wrong = [f"{name} has {len(values)} rows, not {n}" for name, values, n in lengths if len(values) != n]
    n_w = len(inputs.workloads)
    for name, index, n in (
        ("points.platform", inputs.points.platform, n_p),
        ("points.workload", inputs.points.workload, n_w),
        ("segments.workload", inputs.segments.workload, n_w),
        ("obligations", np.array([o.workload for o in inputs.obligations], dtype=np.int64), n_w),
        ("phases", np.array([f for o in inputs.obligations for f in o.phases], dtype=np.int64), len(inputs.phases)),
    ):
        if index.size and not (index.min() >= 0 and index.max() < n):
            wrong.append(f"{name} points outside 0..{n - 1}")
    if wrong:
        raise ValueError("; ".join(wrong))


def _check_values(inputs: PlanInputs) -> None:
    found: list[Problem] = []
    names = [c.name for c in inputs.coefficients]
    if inputs.objective not in names:
        near = nearest(inputs.objective, names)
        hint = (f"did you mean '{near}'?",) if near else ()
        found.append(Problem("unknown_name", f"there is no objective '{inputs.objective}'", hints=hint))
    for what, names_ in (
        ("platform", inputs.platforms.names),
        ("price segment", inputs.segments.names),
        ("obligation", tuple(o.name for o in inputs.obligations)),
    ):
        for name in sorted({n for n in names_ if names_.count(n) > 1}):
            found.append(Problem("duplicate_name", f"{what} '{name}' stands twice"))
    for name, value in (("power", inputs.power_mw), ("capital", inputs.capital_usd)):
        if not value >= 0:
            found.append(Problem("out_of_range", f"{name} is {value:g}; it must not be negative"))
    if not all(np.isfinite(inputs.segments.tokens_per_s)) or np.any(inputs.segments.tokens_per_s < 0):
        found.append(Problem("out_of_range", "every price segment needs a finite demand that is not negative"))
    if np.any(~(inputs.platforms.supply_racks >= 0)) or np.any(~(inputs.platforms.capex_usd >= 0)):
        found.append(Problem("out_of_range", "supply and price of a platform must not be negative"))
    if any(not (np.isfinite(o.tokens_per_s) and o.tokens_per_s >= 0) for o in inputs.obligations):
        found.append(Problem("out_of_range", "an obligation needs a finite rate that is not negative"))
    if abs(sum(f.weight for f in inputs.phases) - 1) > 1e-9 or any(f.weight < 0 for f in inputs.phases):
        found.append(Problem("out_of_range", "the weights of the phases must be shares that sum to 1"))
    if inputs.block_racks < 1:
        found.append(Problem("out_of_range", "a block holds at least one rack"))
    if found:
        raise InputError(found)

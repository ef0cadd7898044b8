"""What a build-out over quarters is chosen from: platforms, points, limits and money, all by quarter.

Plain numbers and columns only. Index p platform, w workload, j operating point, s price segment, o obligation, t quarter. A
platform is its own technology vintage: points need no index of the quarter in which racks were bought, and a used rack is
worth what its platform is worth then, whenever it was bought.

What happens when: at the start of quarter t money comes in, racks leave and are sold, racks and shell are bought, racks that
were ordered `lead_quarters` before come into use; over the quarter the fleet runs; at its end margins are earned, and
`reinvest_share` of them may be spent from the start of t + 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.factory.points import Points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """Everything that `build_out` needs. USD, MW at the meter, tokens per second, racks.

    Attributes:
        quarters: [T] their names. platforms, workloads, segments, obligations: names, unique each.
        points: rates and watts of one rack at the software of `speed` 1.
        segment_workload, obligation_workload: which workload each belongs to.
        discount: [T] present value of a USD at a quarter's end; `opening_discount` at its start, when purchases are paid.
        power_mw: [T] power at the meter that may be drawn in the quarter (infinity: no limit). Shell for it may be built
            before its power comes, and stays once built.
        capital_usd: [T] money that comes in at its start; what is not spent is carried over (infinity: no limit from then on).
        supply_racks: [P, T] racks that may be bought in the quarter (0 before a platform is there; infinity: no limit).
        demand_tokens_per_s, price_usd_per_mtok: [S, T]. owed_tokens_per_s: [O, T].
        speed: [P, W, T] factor on tokens.
        cost_usd: [P, T] what the objective counts for a rack bought in t; list_usd: [P, T] what the capital row counts.
        upkeep_usd_per_yr: [P] per rack owned; energy_usd_per_yr [J, T] and other_usd_per_yr [J] per rack in use (other is
            earned).
        shell_usd_per_mw: [T] capital of a MW of shell built in t; shell_upkeep_usd_per_mw_yr.
        resale_usd: [P, T] for a rack that leaves in t; terminal_usd: [P] for one owned at the end; shell_terminal_usd_per_mw:
            [T] worth at the end of a MW built in t. All of these at the time when they fall.
        lead_quarters: [P] from purchase to first use. life_quarters: [P] of use, after which a rack leaves (a large number:
            never); the oldest of a platform leave first.
        opening_racks: [P] that stand before the first quarter, as new.
        revenue_share: of token revenue that the objective counts. reinvest_share: of what operation earns (after energy and
            upkeep) that may be spent on more.
        charge_usd_per_yr, shell_charge_usd_per_mw_yr: where given, capital is rented at these rates instead of bought, and
            neither resale nor terminal worth counts (the rental form of a one-period plan).
        block_racks: racks are bought in blocks of so many; 0: any part of one. integer_gap: share of the optimum at which the
            search for whole blocks stops.
        period_yr: length of a "quarter".
        opening_mw: shell that stands before the first quarter.
        arriving_racks: [P, T] ordered before the first quarter, in use from t on. expiring_racks: [P, T] of those and of
            `opening_racks`, how many reach their life at the start of t. None: none.

    Raises:
        InputError: a value is out of range or a name stands twice (all at once). ValueError: columns do not fit each other.
    """

    quarters: tuple[str, ...]
    platforms: tuple[str, ...]
    workloads: tuple[str, ...]
    points: Points
    segments: tuple[str, ...]
    segment_workload: Indices
    obligations: tuple[str, ...]
    obligation_workload: Indices
    discount: Array
    opening_discount: Array
    power_mw: Array
    capital_usd: Array
    supply_racks: Array
    demand_tokens_per_s: Array
    price_usd_per_mtok: Array
    owed_tokens_per_s: Array
    speed: Array
    cost_usd: Array
    list_usd: Array
    upkeep_usd_per_yr: Array
    energy_usd_per_yr: Array
    other_usd_per_yr: Array
    shell_usd_per_mw: Array
    shell_upkeep_usd_per_mw_yr: float
    resale_usd: Array
    terminal_usd: Array
    shell_terminal_usd_per_mw: Array
    lead_quarters: Indices
    life_quarters: Indices
    opening_racks: Array
    revenue_share: float = 1.0
    reinvest_share: float = 0.0
    charge_usd_per_yr: Array | None = None
    shell_charge_usd_per_mw_yr: float | None = None
    block_racks: int = 0
    integer_gap: float = 1e-3
    period_yr: float = 0.25
    opening_mw: float = 0.0
    arriving_racks: Array | None = None
    expiring_racks: Array | None = None

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def rented(self) -> bool:
        """Whether capital is rented at a charge per year instead of bought."""
        return self.charge_usd_per_yr is not None

    @property
    def arriving(self) -> Array:
        """[P, T] racks ordered before the first quarter that come into use in t."""
        return np.zeros(self.supply_racks.shape) if self.arriving_racks is None else self.arriving_racks

    @property
    def expiring(self) -> Array:
        """[P, T] racks owned or on order before the first quarter whose life ends at the start of t."""
        if self.expiring_racks is not None:
            return self.expiring_racks
        out = np.zeros(self.supply_racks.shape)
        n_t = len(self.quarters)
        ends = self.life_quarters < n_t
        np.add.at(out, (np.flatnonzero(ends), self.life_quarters[ends]), self.opening_racks[ends])
        p, t = np.nonzero(self.arriving)
        leaves = t + self.life_quarters[p]
        kept = leaves < n_t
        np.add.at(out, (p[kept], leaves[kept]), self.arriving[p[kept], t[kept]])
        return out

    def part(self, first: int, after: int) -> BuildInputs:
        """Quarters `first` to `after` - 1 alone; what stands at the opening stays as it is here."""
        cut = slice(first, after)
        changes = {name: getattr(self, name)[cut] for name in ("quarters", *_BY_QUARTER)}
        changes |= {name: getattr(self, name)[..., cut] for name in _LAST_QUARTER}
        for name in ("arriving_racks", "expiring_racks"):
            given = getattr(self, name)
            changes[name] = None if given is None else given[:, cut]
        return replace(self, **changes)

    def take(self, rows: NDArray[np.bool_]) -> BuildInputs:
        """Some of the operating points (a mask)."""
        return replace(
            self,
            points=self.points.take(rows),
            energy_usd_per_yr=self.energy_usd_per_yr[rows],
            other_usd_per_yr=self.other_usd_per_yr[rows],
        )


_BY_QUARTER = (
    "discount",
    "opening_discount",
    "power_mw",
    "capital_usd",
    "shell_usd_per_mw",
    "shell_terminal_usd_per_mw",
)
_LAST_QUARTER = (
    "supply_racks",
    "demand_tokens_per_s",
    "price_usd_per_mtok",
    "owed_tokens_per_s",
    "speed",
    "cost_usd",
    "list_usd",
    "energy_usd_per_yr",
    "resale_usd",
)
_MAY_BE_NEGATIVE = ("other_usd_per_yr", "price_usd_per_mtok", "energy_usd_per_yr")
_MAY_BE_INFINITE = ("power_mw", "capital_usd", "supply_racks", "demand_tokens_per_s")


def _check_shapes(inputs: BuildInputs) -> None:
    """A wrong shape is the caller's mistake, not the user's."""
    n_t, n_p, n_w = len(inputs.quarters), len(inputs.platforms), len(inputs.workloads)
    n_s, n_o, n_j = len(inputs.segments), len(inputs.obligations), len(inputs.points)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_BY_QUARTER, (n_t,))
    shapes |= dict.fromkeys(("supply_racks", "cost_usd", "list_usd", "resale_usd"), (n_p, n_t))
    shapes |= dict.fromkeys(("upkeep_usd_per_yr", "terminal_usd", "opening_racks"), (n_p,))
    shapes |= dict.fromkeys(("lead_quarters", "life_quarters"), (n_p,))
    shapes |= dict.fromkeys(("demand_tokens_per_s", "price_usd_per_mtok"), (n_s, n_t))
    shapes |= {"owed_tokens_per_s": (n_o, n_t), "speed": (n_p, n_w, n_t)}
    shapes |= {"energy_usd_per_yr": (n_j, n_t), "other_usd_per_yr": (n_j,)}
    shapes |= {"segment_workload": (n_s,), "obligation_workload": (n_o,)}
    for name, shape in (("charge_usd_per_yr", (n_p,)), ("arriving_racks", (n_p, n_t)), ("expiring_racks", (n_p, n_t))):
        if getattr(inputs, name) is not None:
            shapes[name] = shape
    wrong = [
        f"{name} has shape {np.shape(getattr(inputs, name))}, not {shape}"
        for name, shape in shapes.items()
        if np.shape(getattr(inputs, name)) != shape
    ]
    for name, index, n in (
        ("points.platform", inputs.points.platform, n_p),
        ("points.workload", inputs.points.workload, n_w),
        ("segment_workload", inputs.segment_workload, n_w),
        ("obligation_workload", inputs.obligation_workload, n_w),
    ):
        if np.size(index) and not (np.min(index) >= 0 and np.max(index) < n):
            wrong.append(f"{name} points outside 0..{n - 1}")
    if (inputs.charge_usd_per_yr is None) != (inputs.shell_charge_usd_per_mw_yr is None):
        wrong.append("racks and shell are both rented or both bought")
    if n_t == 0:
        wrong.append("there is no quarter")
    if wrong:
        raise ValueError("; ".join(wrong))


def _check_values(inputs: BuildInputs) -> None:
    found: list[Problem] = []
    for what in ("quarters", "platforms", "workloads", "segments", "obligations"):
        names = getattr(inputs, what)
        for name in sorted({n for n in names if names.count(n) > 1}):
            found.append(Problem("duplicate_name", f"'{name}' stands twice among the {what}"))
    for field in fields(inputs):
        values = getattr(inputs, field.name)
        if not isinstance(values, (np.ndarray, float)) or isinstance(values, bool):
            continue
        bad = np.isnan(values)
        if field.name not in _MAY_BE_INFINITE:
            bad |= np.isinf(values)
        if field.name not in _MAY_BE_NEGATIVE:
            bad |= np.asarray(values) < 0
        if np.any(bad):
            worst = float(np.atleast_1d(values)[np.atleast_1d(bad)][0])
            found.append(Problem("out_of_range", f"{field.name} holds {worst:g}; see its meaning"))
    if not 0 <= inputs.reinvest_share <= 1:
        found.append(Problem("out_of_range", f"reinvest_share is {inputs.reinvest_share:g}; a share lies in 0 to 1"))
    if np.any(inputs.life_quarters < 1) or np.any(inputs.lead_quarters < 0):
        found.append(Problem("out_of_range", "a rack lives at least one quarter, and its lead is not negative"))
    if inputs.block_racks < 0 or not inputs.period_yr > 0:
        found.append(Problem("out_of_range", "a block and the length of a quarter must not be negative"))
    if not inputs.rented:
        lasting = inputs.discount[-1] * inputs.shell_terminal_usd_per_mw
        if np.any(lasting > inputs.opening_discount * inputs.shell_usd_per_mw * (1 + 1e-9)):
            found.append(
                Problem("out_of_range", "shell is worth more at the end than it costs: building it idle would earn")
            )
    if found:
        raise InputError(found)

"""`build_out`: what is bought, run and retired when, by one optimisation over the horizon or by one that sees less of it.

Three policies:

* perfect: all quarters are known when the first one is decided.
* rolling: in each quarter the next `window` quarters are known; the quarter's decisions are kept, and the window moves on.
  It is counted from the day on which what is ordered now comes into use: with a lead of two quarters a window of four sees six.
* myopic: a rolling window of one.

Behind its last quarter a window sees nothing and expects no change: it plans as if that quarter went on to the horizon's end,
with the horizon's terminal worths then. So it knows what a rack earns over the years and does not know what will be different:
what seeing less loses is the worth of foresight, and not of a rule for the value of what stands. (To count what stands at its
resale instead makes a short window buy too little wherever a used rack sells for much less than it earns; see the docs.)
A window that sees the last quarter is the rest of the horizon, and is decided at once: so a full window is perfect foresight.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible
from gigawatt.factory.buildout.blocks import with_block_prices
from gigawatt.factory.buildout.hull import useful
from gigawatt.factory.buildout.inputs import BuildInputs
from gigawatt.factory.buildout.limits import PeriodLimit, shadow_prices
from gigawatt.factory.buildout.notes import notes_of
from gigawatt.factory.buildout.programme import KINDS, build
from gigawatt.factory.buildout.result import BuildPlan, Decisions, cash
from gigawatt.factory.buildout.solve import Solved, solve
from gigawatt.factory.model import MILLION

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
POLICIES = ("perfect", "rolling", "myopic")
_DUST_USD = 10.0  # the solver's tolerance of 1e-9 on M USD, times what a window adds up


def build_out(
    inputs: BuildInputs, *, policy: str = "perfect", window: int = 4, prices: bool = True, probed: int | None = None
) -> BuildPlan:
    """The build-out of highest present value under `policy`.

    Args:
        inputs: platforms, points, limits and money by quarter.
        policy: perfect, rolling or myopic. window: quarters that a rolling plan sees.
        prices: work out the limits (of a policy that sees less: duals alone, as each window sees its first quarter; in a
            window of one that is the worth of having it to the end, since the quarter is expected to go on).
        probed: how many limits are solved for on both sides (None: 200, and 16 of a large programme).

    Raises:
        Infeasible: the limits conflict; names an irreducible set of them by quarter and the smallest change that fits. With
            a window, also where what was decided before leaves no plan. ValueError: the policy is none of the three.
    """
    if policy not in POLICIES or window < 1:
        raise ValueError(
            f"policy '{policy}' with a window of {window}: one of {', '.join(POLICIES)}, at least one quarter"
        )
    rows = useful(inputs)
    thin = inputs.take(rows)
    whole = solve(build(thin))
    best = _perfect(inputs, rows, whole)
    if policy == "perfect":
        limits = _limits(whole, probed) if prices else ()
        return replace(best, limits=limits, notes=notes_of(best))
    seen = 1 if policy == "myopic" else window
    decisions, limits = _rolled(thin, rows, seen, prices)
    plan = _plan(inputs, policy, seen, decisions)
    plan = replace(plan, bound_usd=best.bound_usd, perfect_usd=best.npv_usd, limits=limits)
    return replace(plan, notes=notes_of(plan))


def _limits(whole: Solved, probed: int | None) -> tuple[PeriodLimit, ...]:
    linear = whole.linear
    limits = shadow_prices(whole.programme, whole.solver, linear.row_dual, linear.value, linear.x, whole.x, probed)
    return with_block_prices(whole, limits) if whole.programme.inputs.block_racks else limits


def _perfect(inputs: BuildInputs, rows: Mask, whole: Solved) -> BuildPlan:
    plan = _plan(inputs, "perfect", None, Decisions.of(whole.programme, whole.x, rows))
    return replace(plan, bound_usd=whole.linear.value * MILLION, perfect_usd=plan.npv_usd)


def _plan(inputs: BuildInputs, policy: str, window: int | None, made: Decisions) -> BuildPlan:
    """Decisions with their value and their cash, both added up from what is done."""
    plan = BuildPlan(
        inputs,
        policy,
        window,
        0.0,
        0.0,
        0.0,
        made.racks,
        made.bought,
        made.retired,
        made.use,
        made.sold,
        made.built_mw,
        made.site_mw,
        np.zeros(len(inputs.quarters)),
    )
    return replace(plan, npv_usd=sum(plan.present_usd.values()), cash_usd=cash(inputs, plan))


def _rolled(inputs: BuildInputs, rows: Mask, window: int, prices: bool) -> tuple[Decisions, tuple[PeriodLimit, ...]]:
    """Decisions quarter by quarter (points as `rows` of all), and the limits as each window sees its first quarter."""
    n_t = len(inputs.quarters)
    ahead = window + int(inputs.lead_quarters.max(initial=0))
    coming = {name for name, row in zip(inputs.platforms, inputs.supply_racks, strict=True) if row.any()}
    kept: list[Decisions] = []
    limits: list[PeriodLimit] = []
    now = inputs
    for t in range(n_t):
        end = min(ahead, n_t - t)
        seen = _window(now, end)
        why = (
            f"in {inputs.quarters[t]}, after what was decided before with a window of {window} quarters: " if t else ""
        )
        solved = solve(build(seen), why)
        made = Decisions.of(solved.programme, solved.x, rows)
        last = t + end == n_t
        if prices:
            linear = solved.linear
            found = shadow_prices(solved.programme, solved.solver, linear.row_dual, linear.value, linear.x, solved.x, 0)
            known = [limit for limit in found if limit.subject not in coming or limit.limit > 0]
            limits += [replace(limit, t=limit.t + t) for limit in known if last or limit.t == 0]
        kept.append(made if last else _first(made))
        if last:
            break
        now = _after(now, made, rows)
    joined = {
        name: np.concatenate([getattr(part, name) for part in kept], axis=-1) for name in Decisions.__dataclass_fields__
    }
    place = {name: i for i, name in enumerate((*inputs.platforms, *inputs.segments, *inputs.obligations))}
    limits.sort(key=lambda limit: (KINDS.index(limit.kind), place.get(limit.subject, 0), limit.t))
    return Decisions(**joined), tuple(limits)


def _first(made: Decisions) -> Decisions:
    return Decisions(**{name: getattr(made, name)[..., :1] for name in Decisions.__dataclass_fields__})


def _window(now: BuildInputs, length: int) -> BuildInputs:
    """The next `length` quarters, the last of which goes on to the end: its margins count as often as they are expected."""
    if length == len(now.quarters):
        return now
    seen = now.part(0, length)
    discount = seen.discount.copy()
    discount[-1] = now.discount[length - 1 :].sum()
    # Terminal worths still fall at the horizon's end.
    at_end = now.discount[-1] / discount[-1]
    return replace(
        seen,
        discount=discount,
        terminal_usd=seen.terminal_usd * at_end,
        shell_terminal_usd_per_mw=seen.shell_terminal_usd_per_mw * at_end,
    )


def _after(now: BuildInputs, made: Decisions, rows: Mask) -> BuildInputs:
    """What is left from the next quarter on, with what stands, is on order and is in hand then."""
    rest = now.part(1, len(now.quarters))
    n_p, n_t = rest.supply_racks.shape
    plan = _plan_of_window(now, made, rows)
    margin = sum(float(flow[0]) for flow in plan.running_usd.values())
    capital = rest.capital_usd.copy()
    carried = float(plan.cash_usd[0]) + now.reinvest_share * margin
    if capital[0] + carried < -_DUST_USD:
        lost = -(capital[0] + carried) / MILLION
        raise Infeasible(
            f"{rest.quarters[0]} opens {lost:,.4g} M USD short: a window of one quarter did not see its own losses"
        )
    capital[0] = max(capital[0] + carried, 0.0)
    # Orders of this quarter arrive `lead` quarters after it; from the next quarter that is `lead - 1`.
    arriving, expiring = now.arriving[:, 1:].copy(), now.expiring[:, 1:].copy()
    comes, platforms = now.lead_quarters - 1, np.arange(n_p)
    later = (comes >= 0) & (comes < n_t)
    arriving[platforms[later], comes[later]] += made.bought[later, 0]
    goes = comes + now.life_quarters
    within = goes < n_t
    expiring[platforms[within], goes[within]] += made.bought[within, 0]
    # The oldest leave first: what left before its life ended comes off the next to expire.
    early = np.maximum(made.retired[:, 0] - now.expiring[:, 0], 0.0)
    ahead = np.maximum(np.cumsum(expiring, axis=1) - early[:, None], 0.0)
    return replace(
        rest,
        opening_racks=made.racks[:, 0],
        opening_mw=float(made.site_mw[0]),
        capital_usd=capital,
        arriving_racks=arriving,
        expiring_racks=np.diff(ahead, axis=1, prepend=0.0),
    )


def _plan_of_window(now: BuildInputs, made: Decisions, rows: Mask) -> BuildPlan:
    """The decisions as a plan of the thinned points that `now` holds."""
    length = made.racks.shape[1]
    return _plan(now.part(0, length), "rolling", None, replace(made, use=made.use[rows]))

"""The section `allocate`: a power budget among uses, whether one must choose, and at which weight the choice turns."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Power, inherit
from gigawatt.core.table import Table
from gigawatt.factory.allocate import Allocation, Uses, allocate, either_or, fits, needed_mw, turning_factor
from gigawatt.study.door import Power as Watts
from gigawatt.study.door import Strict
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band, ended, ends
from gigawatt.study.market.uses import MW, Use, mean_mw, peaks, worth_usd_per_yr

Array = NDArray[np.float64]


class AllocateSection(Strict):
    """`budget` at the meter, for `uses`; `budgets` are further ones to look at."""

    budget: Power
    uses: Annotated[list[Use], Field(min_length=1, max_length=40)]
    budgets: list[Watts] = []

    @model_validator(mode="after")
    def _once(self) -> AllocateSection:
        names = [use.id for use in self.uses]
        if len(set(names)) < len(names):
            raise ValueError(f"two uses have one id: {', '.join(names)}")
        return self


def run(
    section: AllocateSection, seed: int, samples: int, as_of: AsOf = None, context: Context | None = None
) -> SectionResult:
    """Which uses fit, what is given up, when the either/or binds, in the chosen forms and with each other form in turn.

    Raises:
        InputError: an input that was not known as of the date.
    """
    section = inherit(section, "allocate")
    drawn = Sourced("allocate", seed, samples, as_of, context.where if context is not None else None)
    budget = drawn.column("budget", section.budget, least=1.0) / MW
    uses = _uses(section, drawn)
    forms = {(u, name): mean_mw(use, name, drawn) for u, use in enumerate(section.uses) for name in use.forms}
    made, needed = allocate(uses, budget), needed_mw(uses)
    pair = _pair(section)
    names = [use.id for use in section.uses]
    metrics = [
        metric("power_needed", needed[0] * MW, "W", "the larger of mean power and of the peak of what can not wait",
               "uses", _watts(needed)),
        metric("budget_used", needed[0] / budget[0], "share", "power needed / budget", "uses, budget",
               band(needed / budget)),
        metric("choice_binds_share", float(made.binds.mean()), "share", "draws in which not all uses fit", "uses"),
        metric("worth_served", made.worth_usd_per_yr[0], "USD/yr", "worth of what is served", "uses",
               band(made.worth_usd_per_yr)),
        metric("worth_of_the_next_mw", made.next_usd_per_mw_yr[0], "USD/MW/yr", "gain of the next hundredth of the budget",
               "uses", band(made.next_usd_per_mw_yr)),
    ]  # fmt: skip
    for u, name in enumerate(names):
        turn = turning_factor(uses, u, budget)
        at = float(turn[0]) if np.isfinite(turn[0]) else float("nan")
        if at == at:
            words = "factor on this use's intensity from which on not all uses fit"
            metrics.append(metric(f"turns_at_{name}", at, "x", words, "uses, budget", band(turn)))
    if pair is not None:
        choose = either_or(uses, *pair, budget)[1]
        words = "draws in which each fits alone and both do not"
        metrics.append(metric("either_or_share", float(choose.mean()), "share", words, "uses, budget"))
        both_need = needed_mw(uses.only(list(pair)))
        metrics.append(
            metric("power_of_both", both_need[0] * MW, "W", "power that the two need", "uses", _watts(both_need))
        )
    tables = [
        _allocation(section, uses, made, budget),
        _forms(section, uses, forms, budget, pair),
        _path(section, uses, budget),
        drawn.table(),
    ]
    return SectionResult(
        tables,
        metrics,
        _sentences(section, uses, made, needed, budget, forms, pair),
        left_out=[
            "allocate: chips, capital and people who would have to be there besides power; that worth falls as more of a use "
            "is served; that peaks of different uses may fall in different hours"
        ],
        notes=[
            "allocate: worths are assumed; they order the uses where not all fit, and do not enter whether they fit."
        ],
        data=drawn.data,
    )


def _uses(section: AllocateSection, drawn: Sourced) -> Uses:
    return Uses(
        tuple(use.id for use in section.uses),
        np.stack([mean_mw(use, use.chosen, drawn) for use in section.uses], axis=-1),
        np.stack([peaks(use, drawn) for use in section.uses], axis=-1),
        np.stack([worth_usd_per_yr(use, drawn) for use in section.uses], axis=-1),
        np.array([use.waits for use in section.uses]),
        np.array([use.whole for use in section.uses]),
    )


def _pair(section: AllocateSection) -> tuple[int, int] | None:
    """The two between which one is said to have to choose, where just two are marked."""
    marked = [u for u, use in enumerate(section.uses) if use.either_or]
    return (marked[0], marked[1]) if len(marked) == 2 else None


def _watts(mw: Array) -> tuple[float, float, float] | None:
    made = band(mw)
    return None if made is None else (made[0] * MW, made[1] * MW, made[2] * MW)


def _allocation(section: AllocateSection, uses: Uses, made: Allocation, budget: Array) -> Table:
    rows: list[dict[str, Any]] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        per_mw = np.where(uses.mean_mw > 0, uses.worth_usd_per_yr / uses.mean_mw, np.nan)
    for u, use in enumerate(section.uses):
        turn = turning_factor(uses, u, budget)
        rows.append(
            {"use": use.id, "form": use.chosen} | ends(uses.mean_mw[:, u], "mean_mw")
            | {"peak_mw": float(uses.firm_mw[0, u]) or None} | ends(made.served[:, u], "served")
            | {"served_in_full": float((made.served[:, u] > 1 - 1e-6).mean())}
            | {"worth_usd_per_yr": float(uses.worth_usd_per_yr[0, u])} | ends(per_mw[:, u], "worth_usd_per_mw_yr")
            | ends(turn, "turns_at_factor")
        )  # fmt: skip
    columns = ("use", "form", *ended(["mean_mw"]), "peak_mw", *ended(["served"]), "served_in_full", "worth_usd_per_yr",
               *ended(["worth_usd_per_mw_yr", "turns_at_factor"]))  # fmt: skip
    units = dict.fromkeys((*ended(["mean_mw"]), "peak_mw"), "MW") | dict.fromkeys(ended(["served"]), "share")
    units |= {"served_in_full": "share", "worth_usd_per_yr": "USD/yr"}
    units |= dict.fromkeys(ended(["worth_usd_per_mw_yr"]), "USD/MW/yr") | dict.fromkeys(ended(["turns_at_factor"]), "x")
    note = (
        "Peak: of what can not wait. Served: share of the demand at the budget. Turns at: how many times as heavy the use "
        "would have to be before not all fit. Low and high are P10 and P90 over the stated ranges."
    )
    return Table.from_rows("allocation", rows, columns, units, "What the budget serves", note)


def _forms(
    section: AllocateSection,
    uses: Uses,
    forms: dict[tuple[int, str], Array],
    budget: Array,
    pair: tuple[int, int] | None,
) -> Table:
    """Each form of each use by itself, all other uses as chosen."""
    rows: list[dict[str, Any]] = []
    for (u, name), mw in forms.items():
        use = section.uses[u]
        with np.errstate(divide="ignore", invalid="ignore"):
            other = uses.times(u, np.where(uses.mean_mw[:, u] > 0, mw / uses.mean_mw[:, u], 1.0))
        row: dict[str, Any] = {"use": use.id, "form": name, "chosen": name == use.chosen}
        row |= ends(mw / 1e3, "mean_gw") | ends(needed_mw(other) / 1e3, "all_need_gw")
        row |= {"alone_fits_share": float(fits(other.only([u]), budget).mean())}
        row |= {"all_fit_share": float(fits(other, budget).mean())}
        choose = either_or(other, *pair, budget)[1] if pair is not None and u in pair else None
        row |= {"either_or": None if choose is None else bool(choose[0])}
        row |= {"either_or_share": None if choose is None else float(choose.mean())}
        rows.append(row)
    columns = ("use", "form", "chosen", *ended(["mean_gw", "all_need_gw"]), "alone_fits_share", "all_fit_share", "either_or",
               "either_or_share")  # fmt: skip
    units = dict.fromkeys(ended(["mean_gw", "all_need_gw"]), "GW") | {
        name: "share" for name in columns if name.endswith("_share")
    }
    note = (
        "One form in place of the chosen one, all other uses as they are. All need: the budget at which nothing is given up. "
        "Either/or: of the two uses between which one is said to have to choose, each fits alone and both do not."
    )
    return Table.from_rows(
        "allocation_forms", rows, columns, units, "When the choice binds, by the form of a use", note
    )


def _path(section: AllocateSection, uses: Uses, budget: Array) -> Table:
    """The allocation at other budgets, at the stated values; how often it binds is over the draws."""
    stated = Uses(uses.names, uses.mean_mw[:1], uses.peak[:1], uses.worth_usd_per_yr[:1], uses.waits, uses.whole)
    asked = sorted({*(watts / MW for watts in section.budgets), float(budget[0])})
    rows = []
    for mw in asked:
        made = allocate(stated, mw)
        served = {f"served_{name}": float(made.served[0, u]) for u, name in enumerate(uses.names)}
        rows.append(
            {"budget_mw": mw, "worth_usd_per_yr": float(made.worth_usd_per_yr[0]),
             "next_usd_per_mw_yr": float(made.next_usd_per_mw_yr[0]), "binds_share": float((~fits(uses, mw)).mean())}
            | served
        )  # fmt: skip
    columns = tuple(rows[0])
    units = {"budget_mw": "MW", "worth_usd_per_yr": "USD/yr", "next_usd_per_mw_yr": "USD/MW/yr"}
    units |= {"binds_share": "share"} | {name: "share" for name in columns if name.startswith("served_")}
    note = "Shares and worth at the stated values; binds: share of the draws in which not all fit."
    return Table.from_rows("allocation_path", rows, columns, units, "The same uses at other budgets", note)


def _sentences(
    section: AllocateSection,
    uses: Uses,
    made: Allocation,
    needed: Array,
    budget: Array,
    forms: dict[tuple[int, str], Array],
    pair: tuple[int, int] | None,
) -> list[str]:
    span = band(needed)
    wide = f" ({span[0] / 1e3:,.3g} to {span[2] / 1e3:,.3g})" if span else ""
    gw = budget[0] / 1e3
    said = "not all of them fit" if made.binds[0] else "all of them fit"
    lines = [
        f"{len(uses.names)} uses need {needed[0] / 1e3:,.3g} GW{wide} of {gw:,.3g}: {said}; not all fit in "
        f"{made.binds.mean():.0%} of the draws."
    ]
    if made.binds[0]:
        short = [f"{name} {made.served[0, u]:.0%}" for u, name in enumerate(uses.names) if made.served[0, u] < 1 - 1e-6]
        lines.append(
            f"Served in part: {', '.join(short)}; one more MW is worth {made.next_usd_per_mw_yr[0] / 1e6:,.3g} M USD a year, "
            f"and nothing from {needed[0] / 1e3:,.3g} GW on."
        )
    if pair is not None:
        lines.append(_either(section, uses, budget, forms, pair))
    return lines


def _either(
    section: AllocateSection, uses: Uses, budget: Array, forms: dict[tuple[int, str], Array], pair: tuple[int, int]
) -> str:
    """Of the two that are said to exclude each other: the forms with which both fit, one must choose, or one is too much."""
    found: dict[str, list[str]] = {"both fit": [], "each fits and both do not": [], "one alone is too much": []}
    for (u, name), mw in forms.items():
        if u not in pair:
            continue
        factor = mw / uses.mean_mw[:, u] if np.all(uses.mean_mw[:, u] > 0) else 1.0
        both, choose = either_or(uses.times(u, factor), *pair, budget)
        which = "both fit" if both[0] else "each fits and both do not" if choose[0] else "one alone is too much"
        found[which].append(f"{section.uses[u].id} as {name}")
    said = "; ".join(f"{which} with {', '.join(names)}" for which, names in found.items() if names)
    a, b = (section.uses[u].id for u in pair)
    return f"{a.capitalize()} or {b}, by themselves: {said}."


SECTIONS = {"allocate": Section(AllocateSection, run, context=True)}

"""The section `reletting`: who else can use a platform when its first user leaves, and what a lender may give on it.

Support (the part of the software of a kind of work that runs on a stack) is the scenario's, maturity the catalog's or an
overlay's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog import Catalog
from gigawatt.catalog.quantity import Count, PowerPrice, Rent, Share, inherit
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.market import reletting as relet
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.study.door import Id, Strict
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band, ended, ends

Array = NDArray[np.float64]
PER_MW_YR = 1e6 * SECONDS_PER_YEAR  # USD/W/s -> USD/MW/yr
USD_PER_MW = 1e6  # USD/W -> USD/MW


class Use(Strict):
    """A kind of work: buyers a year who look for capacity for it, and the part of its software that runs on each stack."""

    id: Id
    kind: Literal["serving", "training"]
    buyers_per_year: Count
    support: dict[str, Share]


class ReLetting(Strict):
    """A block of capacity whose first user leaves. `rent` is for a MW of the newest chips that runs the buyer's work;
    `gain` how much more work a MW does with each year's chips, `rent_factor` what rents become of one in a year."""

    platforms: Annotated[list[Id], Field(min_length=1)]
    uses: Annotated[list[Use], Field(min_length=1)]
    tenancy_years: Count
    fit_out_years: Count
    rent: Rent
    running: Rent
    capex: PowerPrice
    gain: Share
    rent_factor: Count
    rate: Share
    charge_years: Count
    sale_cost: Share
    loss_probabilities: list[Annotated[float, Field(gt=0, lt=1)]] = [0.01, 0.05, 0.10]
    ages_years: list[Annotated[float, Field(ge=0, le=10)]] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    resale_prices: Id = "market-2026"
    runs_from: Annotated[float, Field(gt=0, le=1)] = 0.5

    @model_validator(mode="after")
    def _once(self) -> ReLetting:
        names = [use.id for use in self.uses]
        if len(set(names)) < len(names):
            raise ValueError(f"two uses have one id: {', '.join(names)}")
        return self


def run(
    section: ReLetting, seed: int, samples: int, as_of: AsOf = None, context: Context | None = None
) -> SectionResult:
    """Time to re-let, use, life, resale and loan for each platform."""
    section = inherit(section, "reletting")
    catalog = context.catalog if context is not None else Catalog.load()
    sourced = Sourced("reletting", seed, samples, as_of, context.where if context is not None else None)
    wanted = {name: _buyers(section, sourced, catalog, name) for name in section.platforms}
    chip = _chip(section, sourced)
    known = catalog.get("price", section.resale_prices).resale_share_by_age
    years = [float(age) for age in known]
    luck = sourced.uniform("resale")  # one market: dear at one age, dear at all
    shares = np.stack([sourced.column(f"resale.{age}", given, least=0.01, most=1.5, uniform=luck)
                       for age, given in known.items()], axis=-1)  # fmt: skip
    stay, fit_out = (
        sourced.column(name, getattr(section, name), least=0.01) for name in ("tenancy_years", "fit_out_years")
    )
    sale_cost = sourced.column("sale_cost", section.sale_cost, most=0.9)
    search = sourced.uniform("search")
    idle = {name: relet.vacancy_years(buyers, fit_out) for name, (_, buyers) in wanted.items()}
    used = {name: relet.utilisation(stay, vacancy) for name, vacancy in idle.items()}
    best = np.max(list(used.values()), axis=0)  # the MW goes to whatever new chip is let best
    rows, values, metrics = [], [], []
    for name in section.platforms:
        (kinds, buyers), vacancy, let = wanted[name], idle[name], used[name]
        mine = replace(chip, utilisation=let, new_utilisation=best)
        short, ample = (relet.economic_life_years(mine, power_limited=limited) for limited in (True, False))
        rows.append(
            {"platform": name, "stack": _stack(catalog, name), "kinds_that_run": int(kinds[0]), "kinds": len(section.uses)}
            | ends(buyers, "buyers_per_yr") | ends(vacancy, "vacancy_years") | ends(let, "utilisation")
            | {"let_in_a_quarter": float(relet.let_within(buyers, 0.25)[0])}
            | ends(short, "life_power_short_years") | ends(ample, "life_power_ample_years")
        )  # fmt: skip
        seized = {"fit_out_years": fit_out, "sale_cost_share": sale_cost, "rate": chip.rate}
        values += [_at_age(section, name, age, buyers, search, years, shares, seized, mine, short)
                   for age in section.ages_years]  # fmt: skip
        metrics += [
            metric(f"utilisation_{name}", let[0], "share", "tenancy / (tenancy + vacancy)", "reletting", band(let)),
            metric(
                f"life_{name}", short[0], "yr", "age at which a new chip uses the MW better", "reletting", band(short)
            ),
        ]
    return SectionResult(
        [_relet_table(rows), _value_table(section, values), sourced.table()],
        metrics,
        _sentences(section, rows, values),
        left_out=["reletting: one rent for a MW of any platform that runs the work; only time and use differ"],
        data=sourced.data,
    )


def _stack(catalog: Catalog, platform: str) -> str:
    return str(catalog.get("accelerator", catalog.get("platform", platform).accelerator).stack)


def _buyers(section: ReLetting, sourced: Sourced, catalog: Catalog, platform: str) -> tuple[NDArray[np.int64], Array]:
    """Kinds of work that run, and buyers a year who can use the platform."""
    stack, software = _stack(catalog, platform), catalog.get("platform", platform).software
    nobody = Datum(0.0, "", 0.0, 0.0, "assumed", source="no support named")

    def all_uses(name: str, given: list[Datum], most: float) -> Array:
        named = zip(section.uses, given, strict=True)
        return np.stack([sourced.column(f"{name}.{use.id}", one, most=most) for use, one in named], axis=-1)

    asked = np.stack([sourced.column(f"buyers.{use.id}", use.buyers_per_year) for use in section.uses], axis=-1)
    support = all_uses(f"support.{stack}", [use.support.get(stack, nobody) for use in section.uses], 1.0)
    maturity = np.stack([sourced.column(f"maturity.{platform}.{use.kind}", getattr(software, use.kind))
                         for use in section.uses], axis=-1)  # fmt: skip
    kinds = relet.kinds_that_run(support, maturity, section.runs_from)
    return kinds, relet.fitting_buyers_per_yr(asked, support, maturity)


def _chip(section: ReLetting, sourced: Sourced) -> relet.Chip:
    """The MW of chips, use left at 1 until a platform gives its own."""
    rent = PER_MW_YR * sourced.column("rent", section.rent)
    factor = sourced.column("rent_factor", section.rent_factor, least=0.3)
    return relet.Chip(
        rent_usd_per_mw_yr=rent,
        running_usd_per_mw_yr=PER_MW_YR * sourced.column("running", section.running),
        capex_usd_per_mw=USD_PER_MW * sourced.column("capex", section.capex),
        gain=np.log1p(sourced.column("gain", section.gain)),
        drift=np.log(factor),
        utilisation=np.ones_like(rent),
        new_utilisation=np.ones_like(rent),
        rate=sourced.column("rate", section.rate, most=0.9),
        charge_years=sourced.column("charge_years", section.charge_years, least=1.0),
    )


def _at_age(
    section: ReLetting, name: str, age: float, buyers: Array, search: Array, years: list[float], shares: Array,
    seized: dict[str, Array], chip: relet.Chip, life: Array,
) -> dict[str, object]:  # fmt: skip
    market = relet.resale_share(age, years, shares)
    recovery = relet.recovery_share(age, buyers, search, years, shares, **seized)
    earns = relet.earning_value_usd(chip, age, life) / chip.capex_usd_per_mw
    drawn = recovery[1:] if len(recovery) > 1 else recovery
    loans = {f"ltv_{p:g}": relet.loan_to_value(drawn, float(market[0]), p) for p in section.loss_probabilities}
    return {"platform": name, "age_years": age} | ends(market, "resale_share") | ends(earns, "earning_share") | loans


def _relet_table(rows: list[dict[str, object]]) -> Table:
    bands = ("buyers_per_yr", "vacancy_years", "utilisation", "life_power_short_years", "life_power_ample_years")
    columns = ("platform", "stack", "kinds_that_run", "kinds", "let_in_a_quarter", *ended(bands))
    units = {name: "1/yr" if name.startswith("buyers") else "yr" for name in columns if "yr" in name or "years" in name}
    note = "Low and high are P10 and P90; where power is short, life ends when a new chip uses the MW better."
    return Table.from_rows("relet", rows, columns, units, "Who can use the chip when its first user leaves", note)


def _value_table(section: ReLetting, rows: list[dict[str, object]]) -> Table:
    loans = [f"ltv_{p:g}" for p in section.loss_probabilities]
    columns = ("platform", "age_years", *ended(["resale_share", "earning_share"]), *loans)
    note = (
        "Resale is a weak secondary source with a wide band, contradicted by reports of 2026; earning value is what the chip "
        "still earns by the model, over the price of a new MW. ltv_p: loan over today's middle resale value that a sale fails "
        "to cover in p of the draws, the time to sell counted."
    )
    return Table.from_rows("resale", rows, columns, {"age_years": "yr"}, "Resale and loan by age", note)


def _sentences(section: ReLetting, rows: list[dict[str, object]], values: list[dict[str, object]]) -> list[str]:
    best = max(rows, key=lambda row: float(str(row["utilisation"])))
    least = min(rows, key=lambda row: float(str(row["utilisation"])))
    number = {id(row): [float(str(row[key])) for key in ("utilisation", "vacancy_years", "life_power_short_years")]
              for row in (best, least)}  # fmt: skip
    b, w = number[id(best)], number[id(least)]
    lines = [
        f"{best['platform']} fits {best['kinds_that_run']} of {best['kinds']} kinds of work by half or better and is let "
        f"{b[0]:.0%} of its life ({b[1] * 12:.1f} months between users); {least['platform']} fits {least['kinds_that_run']} "
        f"and is let {w[0]:.0%} ({w[1] * 12:.1f} months)."
    ]
    if best is not least:
        lines.append(
            f"Where power is short the first is retired after {b[2]:.1f} years and the other after {w[2]:.1f}, when the best "
            f"new chip would use the MW better."
        )
    p = min(section.loss_probabilities)
    aged = [row for row in values if row["age_years"] == max(section.ages_years)]
    loans = ", ".join(f"{row['platform']} {float(str(row[f'ltv_{p:g}'])):.0%}" for row in aged)
    lines.append(
        f"A loan that a sale fails to cover in {p:.0%} of the draws, over the middle resale value after "
        f"{max(section.ages_years):g} years: {loans}. Resale values rest on a weak secondary source."
    )
    lines.append("Numbers of buyers and support are counts of software and assumptions, not a survey of tenants.")
    return lines


RELETTING = Section(ReLetting, run, context=True)

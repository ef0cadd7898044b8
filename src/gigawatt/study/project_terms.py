"""A project as a file says it: units at the door, a default for all that can be assumed.

Every number may be written as text with its unit, or with its origin: `{value: 9 %, low: 8 %, high: 10 %, kind: assumed,
source: "...", as_of: 2025-11, grade: D, note: "..."}`. What changes over the years of operation is `{by_year: {1: 60 %,
2: 85 %}}`: a year holds until the next one named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from gigawatt.core import units
from gigawatt.finance.project import (
    Calendar,
    Cost,
    Covenants,
    Inflation,
    Loan,
    Part,
    Refinancing,
    Revenue,
    Tax,
    Terms,
    Upkeep,
)
from gigawatt.finance.project.terms import STEPS, Number
from gigawatt.study.door import Day, Id, Strict

ORIGIN = ("value", "by_year", "low", "high", "kind", "source", "as_of", "grade", "note")
_PER_YEAR = 8760 * 3600.0
# The engine's unit of a dimension in the unit that the finance room counts in.
_SCALE = {"rent": 1e6 * _PER_YEAR, "power": 1e-6, "money_rate": _PER_YEAR, "energy_price": 3.6e9, "time": 1 / _PER_YEAR}
_UNIT = {"rent": "USD/MW/yr", "power": "MW", "money_rate": "USD/yr", "energy_price": "USD/MWh", "time": "yr"}

Varying = float | dict[int, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """Reads text, a plain number or a mapping with its origin; in USD, MW, years, USD/MW/yr, USD/yr, USD/MWh, shares."""

    dimension: str
    low: float | None
    high: float | None

    @property
    def unit(self) -> str:
        return _UNIT.get(self.dimension, units.DIMENSIONS[self.dimension][0])

    @property
    def bounds(self) -> Mapping[str, float]:
        both = {"ge": self.low, "le": self.high}
        return {name: bound for name, bound in both.items() if bound is not None}

    def _one(self, value: Any) -> float:
        if self.dimension == "time" and isinstance(value, (int, float)) and not isinstance(value, bool):
            made = float(value)
        else:
            made = units.parse(value, self.dimension) * _SCALE.get(self.dimension, 1.0)
        floor, ceiling = -np.inf if self.low is None else self.low, np.inf if self.high is None else self.high
        if not floor <= made <= ceiling:
            limits = [f"at least {floor:g}"] * bool(np.isfinite(floor)) + [f"at most {ceiling:g}"] * bool(
                np.isfinite(ceiling)
            )
            raise ValueError(f"{value!r} is out of range; it must be {' and '.join(limits)}")
        return made

    def __call__(self, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            return self._one(value)
        unknown = [str(key) for key in value if key not in ORIGIN]
        if unknown:
            raise ValueError(f"unknown field '{unknown[0]}' beside a value; known: {', '.join(ORIGIN)}")
        if "by_year" in value:
            years = value["by_year"]
            if not isinstance(years, Mapping) or not years:
                raise ValueError("'by_year' is a mapping of years of operation, such as {1: 60 %, 2: 85 %}")
            if any(not str(year).isdigit() or int(year) < 1 for year in years):
                raise ValueError("years of operation are whole and count from 1")
            return {int(year): self._one(item) for year, item in years.items()}
        if "value" not in value:
            raise ValueError("a value with its origin needs 'value'")
        return self._one(value["value"])


def _steady(dimension: str, low: float | None = 0.0, high: float | None = None) -> BeforeValidator:
    return BeforeValidator(Figure(dimension, low, high))


Usd = Annotated[float, _steady("money")]
ShareOf = Annotated[float, _steady("share", 0.0, 1.0)]
RateOf = Annotated[float, _steady("share", 0.0, 1.0)]
Growth = Annotated[float, _steady("share", -0.5, 1.0)]
Ratio = Annotated[float, _steady("count")]
Duration = Annotated[float, _steady("time", 0.0, 60.0)]
Plain = Annotated[float, _steady("count")]
Mw = Annotated[Varying, _steady("power")]
Price = Annotated[Varying, _steady("rent")]
Use = Annotated[Varying, _steady("share", 0.0, 1.0)]
Yearly = Annotated[Varying, _steady("money_rate")]
PerMwh = Annotated[Varying, _steady("energy_price")]


class Timing(Strict):
    """When the close is, how long it is built, how long it runs, and how it is counted."""

    start: Day = date(2026, 1, 1)
    step: Literal["quarter", "half-year", "year"] = "quarter"
    construction: Duration = 1.0
    operation: Duration = 5.0
    discounting: Literal["end", "middle"] = "end"


class InflationOf(Strict):
    """A year, by group; counts where `prices: real`."""

    revenue: Growth = 0.0
    opex: Growth = 0.0
    capital: Growth = 0.0
    maintenance: Growth = 0.0


class TaxWear(Strict):
    """How a part wears for tax: `table` has shares by year."""

    method: Literal["straight", "declining", "table"] = "straight"
    life: Duration | None = None
    factor: Plain = 2.0
    table: list[ShareOf] = []


class CapitalPart(Strict):
    """A part of the capital cost."""

    id: Id
    cost: Usd
    curve: Literal["straight", "s-curve"] | list[ShareOf] = "straight"
    life: Duration = 5.0
    tax: TaxWear = TaxWear()
    residual: ShareOf = 0.0
    source: str = ""
    note: str = ""


class Merchant(Strict):
    """What the MW earn after the contract."""

    price: Price
    utilisation: Use = 1.0
    growth: Growth = 0.0


class RevenueLine(Strict):
    """Rent of MW for a term, then at a merchant price."""

    id: Id
    price: Price
    power: Mw
    availability: Use = 1.0
    utilisation: Use = 1.0
    floor: Use = 0.0
    term: Duration | None = None
    escalator: Growth = 0.0
    prepaid: ShareOf = 0.0
    merchant: Merchant | None = None
    source: str = ""
    note: str = ""


class OpexLine(Strict):
    """A running cost; what is given adds up."""

    id: Id
    fixed: Yearly = 0.0
    per_mw: Price = 0.0
    per_mwh: PerMwh = 0.0
    share_of_revenue: Use = 0.0
    growth: Growth = 0.0
    source: str = ""
    note: str = ""


class MaintenanceLine(Strict):
    """Maintenance capital."""

    id: Id
    amount: Yearly
    growth: Growth = 0.0
    life: Duration = 5.0
    source: str = ""
    note: str = ""


class WorkingCapital(Strict):
    """Days of revenue that are owed to the project, days of costs that it owes."""

    receivable_days: Plain = 0.0
    payable_days: Plain = 0.0


class TaxOf(Strict):
    """Tax on profit after interest. `loss_limit`: the share of a profit that earlier losses may offset."""

    rate: RateOf = 0.0
    loss_limit: ShareOf = 1.0


class LoanOf(Strict):
    """A tranche; its size is the least of what is given of `dscr`, `gearing` and `amount`."""

    rate: RateOf
    tenor: Duration
    repayment: Literal["sculpted", "annuity", "equal", "bullet"] = "sculpted"
    dscr: Ratio | None = None
    gearing: ShareOf | None = None
    amount: Usd | None = None
    upfront_fee: ShareOf = 0.0
    commitment_fee: ShareOf = 0.0
    source: str = ""
    note: str = ""

    def loan(self, per_year: int) -> Loan:
        return Loan(
            self.rate,
            whole(self.tenor, per_year),
            self.repayment,
            self.dscr,
            self.gearing,
            self.amount,
            self.upfront_fee,
            self.commitment_fee,
        )


class RefinancingOf(LoanOf):
    """A loan that repays the senior one `after` so many years of operation."""

    after: Duration


class Reserve(Strict):
    """Months of senior service that are kept; from the last draw, or filled from the cash of operation."""

    months: Plain = 0.0
    funded: Literal["last draw", "cash"] = "last draw"


class CovenantsOf(Strict):
    """Levels below which nothing is distributed, or the loan is in default."""

    lock_up: Ratio = 0.0
    default: Ratio = 0.0
    utilisation: ShareOf = 0.0


class Project(Strict):
    """A company that builds a site and rents it out."""

    id: Id
    timing: Timing = Timing()
    prices: Literal["nominal", "real"] = "nominal"
    inflation: InflationOf = InflationOf()
    capital: Annotated[list[CapitalPart], Field(min_length=1)]
    contingency: ShareOf = 0.0
    revenue: Annotated[list[RevenueLine], Field(min_length=1)]
    opex: list[OpexLine] = []
    maintenance: list[MaintenanceLine] = []
    working_capital: WorkingCapital = WorkingCapital()
    tax: TaxOf = TaxOf()
    senior: LoanOf | None = None
    subordinated: LoanOf | None = None
    funding: Literal["pro-rata", "equity-first"] = "pro-rata"
    reserve: Reserve = Reserve()
    sweep: ShareOf = 0.0
    covenants: CovenantsOf = CovenantsOf()
    refinancing: RefinancingOf | None = None
    discount_rate: RateOf = 0.10
    equity_discount_rate: RateOf = 0.12

    def to_terms(self) -> Terms:
        """The terms of the finance room: plain floats, USD, MW, periods."""
        per_year = STEPS[self.timing.step]
        operation = whole(self.timing.operation, per_year)

        def over(value: Varying) -> Number:
            return by_period(value, operation, per_year)

        inflation = Inflation()
        if self.prices == "real":
            i = self.inflation
            inflation = Inflation(i.revenue, i.opex, i.capital, i.maintenance)
        refinancing = None
        if self.refinancing is not None:
            refinancing = Refinancing(whole(self.refinancing.after, per_year), self.refinancing.loan(per_year))
        return Terms(
            Calendar(
                self.timing.start,
                self.timing.step,
                whole(self.timing.construction, per_year),
                operation,
                self.timing.discounting == "middle",
            ),
            tuple(_part(part) for part in self.capital),
            tuple(_line(line, per_year, over) for line in self.revenue),
            tuple(
                Cost(c.id, over(c.fixed), over(c.per_mw), over(c.per_mwh), over(c.share_of_revenue), c.growth)
                for c in self.opex
            ),
            tuple(Upkeep(m.id, over(m.amount), m.growth, m.life) for m in self.maintenance),
            self.contingency,
            inflation,
            Tax(self.tax.rate, self.tax.loss_limit),
            self.senior.loan(per_year) if self.senior else None,
            self.subordinated.loan(per_year) if self.subordinated else None,
            refinancing,
            self.funding == "equity-first",
            self.reserve.months,
            self.reserve.funded == "last draw",
            self.sweep,
            self.working_capital.receivable_days,
            self.working_capital.payable_days,
            Covenants(self.covenants.lock_up, self.covenants.default, self.covenants.utilisation),
            self.discount_rate,
            self.equity_discount_rate,
        )


def whole(years: float, per_year: int) -> int:
    """Years as whole periods, the nearest."""
    return round(years * per_year)


def by_period(value: Varying, operation: int, per_year: int) -> Number:
    """A number, or the column of what is given by year of operation: a year holds until the next one named.

    >>> by_period({1: 0.5, 3: 1.0}, 4, 1).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    if not isinstance(value, dict):
        return value
    years = np.arange(operation) // per_year + 1
    known = sorted(value)
    at = np.searchsorted(known, years, side="right") - 1
    return np.array([value[known[k]] if k >= 0 else 0.0 for k in at])


def _part(part: CapitalPart) -> Part:
    shares = tuple(part.curve) if isinstance(part.curve, list) else ()
    return Part(
        part.id,
        part.cost,
        "shares" if shares or isinstance(part.curve, list) else str(part.curve),
        shares,
        part.life,
        part.tax.method,
        part.tax.life,
        part.tax.factor,
        tuple(part.tax.table),
        part.residual,
    )


def _line(line: RevenueLine, per_year: int, over: Callable[[Varying], Number]) -> Revenue:
    after = line.merchant
    return Revenue(
        line.id,
        over(line.price),
        over(line.power),
        over(line.availability),
        over(line.utilisation),
        over(line.floor),
        line.escalator,
        None if line.term is None else whole(line.term, per_year),
        0.0 if after is None else over(after.price),
        1.0 if after is None else over(after.utilisation),
        0.0 if after is None else after.growth,
        line.prepaid,
    )

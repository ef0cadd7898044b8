"""One pure function from terms to a whole project: `solve`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.finance.project.checks import require
from gigawatt.finance.project.covenants import Test, cover_of_life, tests_of
from gigawatt.finance.project.debt import LIMITS, Repayment, period_rate
from gigawatt.finance.project.operations import Operations, operations_of
from gigawatt.finance.project.refinancing import Refinanced, refinance
from gigawatt.finance.project.returns import Flows, flows_of, multiple, payback, present_value, rate_of_return
from gigawatt.finance.project.sizing import Sizing, size
from gigawatt.finance.project.statements import ProjectStatements, statements_of
from gigawatt.finance.project.terms import Loan, Terms, level
from gigawatt.finance.project.timing import Timing, timing_of
from gigawatt.finance.project.waterfall import NOTHING_USD, Waterfall, run
from gigawatt.finance.schedule import Array


@dataclass(frozen=True, slots=True)
class ProjectModel:
    """A solved project. Columns are [..., periods]; `metrics` are [...].

    `iterations` and `residual_usd` [..., 1] say how the circle of debt and interest closed (a refinancing's beside it);
    `before` is the waterfall without the refinancing, the same one where there is none.
    """

    terms: Terms
    timing: Timing
    operations: Operations
    sizing: Sizing
    waterfall: Waterfall
    before: Waterfall
    refinanced: Refinanced | None
    statements: ProjectStatements
    flows: Flows
    covenants: tuple[Test, ...]
    llcr: Array
    plcr: Array
    metrics: Mapping[str, Array]

    @property
    def iterations(self) -> int:
        return self.sizing.iterations

    @property
    def residual_usd(self) -> Array:
        return self.sizing.residual_usd

    @property
    def binds(self) -> str:
        """What set the senior debt of the first draw: 'cover', 'gearing', 'amount', 'total need' or 'none'."""
        senior = self.sizing.senior
        return LIMITS[int(senior.binds.reshape(-1)[0])] if senior is not None else "none"


def solve(terms: Terms) -> ProjectModel:
    """Size the debt, run the waterfall, and work out statements, covenants and returns, for every draw at once.

    Raises:
        InputError: terms that can not be, every fault at once. Debt that can not be paid is an answer.
    """
    require(terms)
    timing = timing_of(terms.calendar)
    operations = operations_of(terms, timing)
    sizing = size(terms, timing, operations)
    before = run(terms, timing, operations, sizing)
    refinanced, made = None, before
    if terms.refinancing is not None:
        refinanced = refinance(terms, timing, operations, sizing, before)
        made = refinanced.waterfall
    flows = flows_of(terms, timing, operations, sizing, made)
    llcr, plcr = _life_cover(terms, timing, sizing, before)
    metrics = _metrics(terms, timing, operations, sizing, made, flows, llcr, plcr)
    if refinanced is not None:
        metrics |= _gain(terms, timing, operations, sizing, before, made, flows)
    return ProjectModel(
        terms,
        timing,
        operations,
        sizing,
        made,
        before,
        refinanced,
        statements_of(terms, timing, operations, sizing, made),
        flows,
        tests_of(terms.covenants, operations, made, timing),
        llcr,
        plcr,
        metrics,
    )


def debt_usd(terms: Terms) -> Array:
    """Senior debt alone, [...]: what the sizing gives, without the waterfall."""
    require(terms)
    timing = timing_of(terms.calendar)
    senior = size(terms, timing, operations_of(terms, timing)).senior
    return np.zeros(()) if senior is None else np.asarray(senior.debt_usd[..., 0])


def held(terms: Terms, model: ProjectModel) -> Terms:
    """The terms with the model's debt and its repayment as signed: what a change of price, cost or rate then does to it."""

    def signed(loan: Loan | None, made: Repayment | None) -> Loan | None:
        if loan is None or made is None:
            return loan
        plain = replace(loan, cover=None, gearing=None, amount_usd=made.debt_usd)
        if loan.repayment == "bullet":
            return plain
        due = made.principal_usd[..., made.first : made.first + made.tenor]
        owed = np.broadcast_to(made.debt_usd, due.shape)
        shares = np.divide(due, owed, out=np.full(due.shape, 1 / made.tenor), where=owed > 0)
        return replace(plain, repayment="table", shares=shares)

    plan, done = terms.refinancing, model.refinanced
    if plan is not None and done is not None:
        loan = signed(plan.loan, done.new.schedule)
        assert loan is not None
        plan = replace(plan, loan=loan)
    return replace(
        terms,
        senior=signed(terms.senior, model.sizing.senior),
        subordinated=signed(terms.subordinated, model.sizing.subordinated),
        refinancing=plan,
    )


def _life_cover(terms: Terms, timing: Timing, sizing: Sizing, made: Waterfall) -> tuple[Array, Array]:
    none = np.full(timing.periods, np.nan)
    if terms.senior is None or sizing.senior is None:
        return none, none
    rate, balance, first = period_rate(terms.senior, timing), made.senior_balance_usd, timing.first
    loan = cover_of_life(made.cfads_usd, rate, balance, first, first + terms.senior.tenor)
    return loan, cover_of_life(made.cfads_usd, rate, balance, first, timing.periods)


def _metrics(
    terms: Terms,
    timing: Timing,
    operations: Operations,
    sizing: Sizing,
    made: Waterfall,
    flows: Flows,
    llcr: Array,
    plcr: Array,
) -> dict[str, Array]:
    built, per_year = sizing.construction, timing.per_year
    debts = [0.0 if loan is None else loan.debt_usd[..., 0] for loan in (sizing.senior, sizing.subordinated)]
    uses = built.total_uses_usd[..., 0]
    equity_rate = level(terms.equity_discount_rate)
    years = timing.discount_years
    mw_years = operations.mw.sum(axis=-1) / per_year
    end = made.senior_balance_usd[..., -1] + made.sub_balance_usd[..., -1] + made.costs_unpaid_usd[..., -1]
    tested = np.isfinite(made.dscr)
    count = tested.sum(axis=-1)
    cover = np.where(tested, made.dscr, 0.0)
    mean = np.divide(cover.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)
    minimum = np.where(count > 0, np.where(tested, made.dscr, np.inf).min(axis=-1), np.nan)
    values = {
        "total_uses_usd": uses,
        "debt_usd": debts[0],
        "sub_debt_usd": debts[1],
        "equity_usd": built.equity_usd.sum(axis=-1),
        "prepaid_usd": operations.prepaid_usd[..., 0],
        "gearing": _ratio(debts[0] + np.asarray(debts[1]), uses),
        "debt_over_capital": _ratio(np.asarray(debts[0]), built.capital_usd.sum(axis=-1)),
        "dscr_min": minimum,
        "dscr_average": mean,
        "llcr": llcr[..., timing.first],
        "plcr": plcr[..., timing.first],
        "project_irr_before_tax": rate_of_return(flows.project_before_tax_usd, per_year),
        "project_irr": rate_of_return(flows.project_usd, per_year),
        "equity_irr": rate_of_return(flows.equity_usd, per_year),
        "lender_yield": rate_of_return(flows.senior_usd, per_year),
        "sub_yield": rate_of_return(flows.sub_usd, per_year),
        "project_npv_usd": present_value(flows.project_usd, level(terms.discount_rate), years),
        "equity_npv_usd": present_value(flows.equity_usd, equity_rate, years),
        "payback_years": payback(flows.project_usd, timing.time_years),
        "equity_payback_years": payback(flows.equity_usd, timing.time_years),
        "equity_multiple": multiple(flows.equity_usd),
        "revenue_usd_per_mw_yr": _ratio(operations.revenue_usd.sum(axis=-1), mw_years),
        "unpaid_usd": np.where(end > NOTHING_USD, end, 0.0),
        "worst_arrears_usd": made.unpaid_usd.max(axis=-1),
        "locked_periods": made.locked.sum(axis=-1),
    }
    shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()), made.cash_usd.shape[:-1])
    return {name: np.broadcast_to(np.asarray(value, dtype=np.float64), shape) for name, value in values.items()}


def _gain(
    terms: Terms,
    timing: Timing,
    operations: Operations,
    sizing: Sizing,
    before: Waterfall,
    made: Waterfall,
    flows: Flows,
) -> dict[str, Array]:
    without = flows_of(terms, timing, operations, sizing, before).equity_usd
    net = made.new_loan_usd - made.repaid_usd - made.refinancing_fee_usd
    rate = level(terms.equity_discount_rate)
    return {
        "refinanced_usd": made.new_loan_usd.sum(axis=-1),
        "refinancing_proceeds_usd": net.sum(axis=-1),
        "refinancing_gain_usd": present_value(flows.equity_usd - without, rate, timing.discount_years),
        "equity_irr_without_refinancing": rate_of_return(without, timing.per_year),
    }


def _ratio(above: Array, below: Array) -> Array:
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    wide = np.broadcast_to(above, shape)
    return np.asarray(np.divide(wide, below, out=np.full(shape, np.nan), where=np.broadcast_to(below, shape) > 0))

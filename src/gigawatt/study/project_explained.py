"""Where a project's headline numbers come from: columns of its model, summed or discounted, down to the inputs of the file.

Debt is the least of its limits; a rate of return is the rate at which a holder's flows, part by part, are worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.finance.project import ProjectModel
from gigawatt.finance.project.debt import period_rate
from gigawatt.finance.project.terms import level
from gigawatt.finance.project.waterfall import residual_usd
from gigawatt.study.explain import Node, defined, node, place_of, until_even, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.plan import headed
from gigawatt.study.project_parts import ProjectParts
from gigawatt.study.source import Source

Array = NDArray[np.float64]


class ProjectTrees(ProjectParts):
    """The trees of a solved project."""

    # Cover.

    def cover_at(self, k: int) -> Node:
        day = self.timing.ends[k].isoformat()
        w = self.model.waterfall
        cash = node(
            "formula",
            f"CFADS, period to {day}",
            float(self.wide(w.cfads_usd)[k]),
            "USD",
            "cash after costs and tax",
            self.behind("revenue", "costs", "tax"),
        )
        parts = [("interest", w.senior_interest_usd), ("principal", w.senior_due_usd)]
        due = [
            node(
                "formula",
                f"{name}, period to {day}",
                float(self.wide(column)[k]),
                "USD",
                "schedule of the loan",
                self.behind("senior"),
            )
            for name, column in parts
        ]
        service = worked("sum", f"service, period to {day}", "USD", due)
        return worked("ratio", f"cover of the period to {day}", "x", [cash, service])

    def dscr_min(self) -> Node:
        cover = self.column("waterfall.dscr")
        k = int(np.nanargmin(np.where(np.isfinite(cover), cover, np.inf)))
        return self.fitting("same", "least cover", "x", [self.cover_at(k)], self.metric("dscr_min"))

    def dscr_average(self) -> Node:
        cover = self.column("waterfall.dscr")
        some = [int(k) for k in np.flatnonzero(np.isfinite(cover))]
        total = worked("sum", "covers of the periods with service", "x", [self.cover_at(k) for k in some])
        count = defined("periods with service", float(len(some)), "periods", "schedule of the loan")
        return self.fitting("ratio", "mean cover", "x", [total, count], self.metric("dscr_average"))

    def life_cover(self, key: str, until: int) -> Node:
        loan, first = self.terms.senior, self.timing.first
        assert loan is not None
        rate = self.wide(np.asarray(period_rate(loan, self.timing), dtype=np.float64))
        cash, value = self.wide(self.model.before.cfads_usd), 0.0
        for k in range(min(until, self.n) - 1, first - 1, -1):
            value = (value + float(cash[k])) / (1 + float(rate[k]))
        present = node(
            "formula",
            "CFADS until then, at the loan's rate",
            value,
            "USD",
            "present value at the start of operation",
            self.behind("revenue", "costs", "tax", "senior"),
        )
        owed = float(self.wide(self.model.before.senior_balance_usd)[first - 1])
        balance = node("formula", "owed at the start of operation", owed, "USD", "the loan, as sized", [self.senior()])
        return self.fitting("ratio", "present value of CFADS / debt", "x", [present, balance], self.metric(key))

    # Flows of a holder, part by part.

    @once
    def project_parts(self, taxed: bool) -> list[tuple[str, Array, tuple[str, ...]]]:
        ops, built = self.model.operations, self.model.sizing.construction
        ahead, end = np.zeros(self.n), np.zeros(self.n)
        ahead[0] = float(np.asarray(ops.prepaid_usd).reshape(-1)[0])
        end[-1] = float(np.asarray(residual_usd(self.terms, self.model.sizing)).reshape(-1)[0])
        rows = [
            self.term("less capital", -self.wide(built.capital_usd), "capital"),
            self.term("prepayment", ahead, "revenue"),
            self.term("revenue", self.wide(ops.revenue_usd), "revenue"),
            self.term("less prepayment credited", -self.wide(ops.credit_usd), "revenue"),
            self.term("less running costs", -self.wide(ops.cost_usd), "costs"),
            self.term("less working capital", -self.wide(ops.working_capital_change_usd), "costs"),
            self.term("less maintenance", -self.wide(ops.upkeep_usd), "costs"),
            self.term("residual", end, "capital"),
        ]
        if taxed:
            rows.append(
                self.term("less tax of the project without debt", -self.wide(self.model.flows.unlevered_tax_usd), "tax")
            )
        return rows

    def equity_parts(self) -> list[tuple[str, Array, tuple[str, ...]]]:
        built, w = self.model.sizing.construction, self.model.waterfall
        return [
            self.term("less contributions", -self.wide(built.equity_usd), "equity", "capital"),
            self.term("distributions", self.wide(w.distribution_usd), "revenue", "costs", "tax", "senior", "equity"),
        ]

    def lender_parts(self, at: int) -> list[tuple[str, Array, tuple[str, ...]]]:
        built, kind = self.model.sizing.construction, ("senior", "sub")[at]
        flows = self.wide(self.model.flows.senior_usd if at == 0 else self.model.flows.sub_usd)
        draws, fees, interest = (self.wide(c[at]) for c in (built.draws_usd, built.fees_usd, built.interest_usd))
        return [
            self.term("less draws", -draws, kind),
            self.term("fees", fees, kind),
            self.term("interest while building", interest, kind),
            self.term(
                "interest, principal, sweep and what a refinancing repays",
                flows + draws - fees - interest,
                kind,
                "revenue",
                "costs",
            ),
        ]

    def valued(self, parts: Sequence[tuple[str, Array, tuple[str, ...]]], weights: Array, source: str) -> list[Node]:
        rows = [
            node("formula", words, float(column @ weights), "USD", source, self.behind(*kinds, "timing"))
            for words, column, kinds in parts
            if np.any(column)
        ]
        return rows or [defined("no flows", 0.0, "USD", "nothing moves")]

    def rate_of_return(self, key: str, parts: Sequence[tuple[str, Array, tuple[str, ...]]]) -> Node:
        value = self.metric(key)
        weights = (1 + value) ** -(np.arange(self.n) / self.timing.per_year)
        rows = self.valued(parts, weights, "present value at this rate")
        made = worked("zero", "rate at which the sum is nothing", "share", rows, value)
        total, scale = sum(r["value"] for r in rows), max(abs(r["value"]) for r in rows)
        if abs(total) <= 1e-6 * scale:
            return made
        return node(
            "formula", "rate at which the flows are worth nothing", value, "share", "without what is rounding", rows
        )

    def present(self, key: str, parts: Sequence[tuple[str, Array, tuple[str, ...]]], rate: str, value: float) -> Node:
        weights = (1 + value) ** -self.timing.discount_years
        rows = self.valued(parts, np.asarray(weights), "present value of its periods")
        return self.fitting("sum", "present value", "USD", rows, self.metric(key), [self.rate(rate, value)])

    def payback(self) -> Node:
        parts = self.project_parts(True)
        flows = self.wide(self.model.flows.project_usd)
        total = np.cumsum(flows)
        if not np.any(total < 0):
            return defined("never below nothing", 0.0, "yr", "cumulative flow is never negative")
        k = int(np.flatnonzero(total < 0)[-1]) + 1
        until = np.where(np.arange(self.n) < k, 1.0, 0.0)
        hole = worked("sum", "cumulative flow before that period", "USD", self.valued(parts, until, "sum until then"))
        gain = worked(
            "sum",
            "flow of the period",
            "USD",
            self.valued(parts, np.where(np.arange(self.n) == k, 1.0, 0.0), "of that period"),
        )
        step = float(self.timing.time_years[k] - self.timing.time_years[k - 1])
        share = until_even(hole, gain, step, "period")
        before = defined(
            "end of the last period in the red", float(self.timing.time_years[k - 1]), "yr", "calendar of the project"
        )
        return self.fitting(
            "sum", "years until the cumulative flow stays positive", "yr", [before, share], self.metric("payback_years")
        )

    def equity_multiple(self) -> Node:
        back, into = (
            node(
                "formula",
                words,
                float(np.maximum(sign * self.wide(self.model.flows.equity_usd), 0.0).sum()),
                "USD",
                "sum of its periods",
                self.behind(*kinds),
            )
            for words, sign, kinds in (
                ("distributions, net", 1.0, ("revenue", "costs", "tax", "senior", "equity")),
                ("contributions, net", -1.0, ("equity", "capital")),
            )
        )
        return self.fitting("ratio", "distributions / contributions", "x", [back, into], self.metric("equity_multiple"))

    def revenue_per_mw(self) -> Node:
        ops = self.model.operations
        years = node(
            "formula",
            "MW-years on offer",
            float(self.wide(ops.mw).sum()) / self.timing.per_year,
            "MW-years",
            "MW of every period",
            self.behind("revenue", "timing"),
        )
        earned = self.total("revenue", self.wide(ops.revenue_usd), "revenue")
        return self.fitting(
            "ratio", "revenue / MW-years", "USD/MW/yr", [earned, years], self.metric("revenue_usd_per_mw_yr")
        )

    def unpaid(self) -> Node:
        w = self.model.waterfall
        kinds = (
            ("senior debt", w.senior_balance_usd, "senior"),
            ("subordinated debt", w.sub_balance_usd, "sub"),
            ("costs", w.costs_unpaid_usd, "costs"),
        )
        rows = [
            node(
                "formula",
                f"{words} owed at the end",
                float(self.wide(column)[-1]),
                "USD",
                "last period",
                self.behind(kind),
            )
            for words, column, kind in kinds
        ]
        return self.fitting("sum", "owed at the end", "USD", rows, self.metric("unpaid_usd"))

    def refinanced(self) -> Node:
        w, data = self.model.waterfall, self.inputs("refinancing")
        rows = [
            node("formula", words, float(self.wide(column).sum()), "USD", "at the refinancing", data)
            for words, column in (
                ("new loan", w.new_loan_usd),
                ("balance repaid", w.repaid_usd),
                ("fee", w.refinancing_fee_usd),
            )
        ]
        return self.fitting(
            "difference", "new loan less balance and fee", "USD", rows, self.metric("refinancing_proceeds_usd")
        )

    def gain(self) -> Node:
        rate = float(np.asarray(level(self.terms.equity_discount_rate)).reshape(-1)[0])
        weights = np.asarray((1 + rate) ** -self.timing.discount_years)
        within = float(self.wide(self.model.flows.equity_usd) @ weights)
        value = self.metric("refinancing_gain_usd")
        rows = [
            node(
                "formula",
                f"equity's value {words}",
                amount,
                "USD",
                "present value of its flows",
                [*self.inputs("refinancing"), self.rate("equity_discount_rate", rate)],
            )
            for words, amount in (("with the refinancing", within), ("without it", within - value))
        ]
        return worked("difference", "equity's value with less without", "USD", rows)

    # Shares of draws, searches.

    def of_draws(self, words: str, share: float) -> Node:
        vary = self.source.data.get("uncertainty", {})
        laws = self._below(vary.get("vary", {}), ("uncertainty", "vary"), "what is drawn", "")
        count = node(
            "formula",
            words,
            share * self.samples,
            "draws",
            "the project solved anew in each, debt as signed",
            [*laws, *self.behind("revenue", "costs", "senior")],
        )
        path = ("uncertainty", "samples")
        draws = node("datum", "draws", float(self.samples), "draws", "the file", where=place_of(self.source, path))
        return worked("ratio", words, "share", [count, draws])

    def price_factor(self, value: float) -> Node:
        return node(
            "formula",
            "least factor on all prices that carries the debt",
            value,
            "x",
            "bisection on the sizing",
            [*self.behind("revenue", "senior", "costs"), self.senior()],
        )

    def residual(self, value: float) -> Node:
        return node(
            "formula",
            f"last move of the fixed point, of {self.model.iterations} rounds",
            value,
            "USD",
            "debt, interest and need solved together",
            self.behind("senior", "capital", "timing"),
        )


def trees(source: Source, model: ProjectModel, samples: int, metrics: Table) -> dict[str, Node]:
    """A tree for every metric of a project."""
    t, terms = ProjectTrees(source, model, samples), model.terms
    tenor = terms.senior.tenor if terms.senior is not None else 0
    rate, own = (float(np.asarray(level(r)).reshape(-1)[0]) for r in (terms.discount_rate, terms.equity_discount_rate))
    values = {row["name"]: float(row["value"]) for row in metrics.rows()}
    how: dict[str, Callable[[], Node]] = {
        "debt": t.senior,
        "sub_debt": t.sub,
        "equity": t.equity,
        "total_uses": t.total_uses,
        "gearing": lambda: t.fitting(
            "ratio",
            "debt / uses",
            "share",
            [worked("sum", "all debt", "USD", [t.senior(), t.sub()]), t.total_uses()],
            t.metric("gearing"),
        ),
        "debt_over_capital": lambda: t.fitting(
            "ratio", "debt / capital", "share", [t.senior(), t.capital()], t.metric("debt_over_capital")
        ),
        "dscr_min": t.dscr_min,
        "dscr_average": t.dscr_average,
        "llcr": lambda: t.life_cover("llcr", model.timing.first + tenor),
        "plcr": lambda: t.life_cover("plcr", model.timing.periods),
        "project_irr_before_tax": lambda: t.rate_of_return("project_irr_before_tax", t.project_parts(False)),
        "project_irr": lambda: t.rate_of_return("project_irr", t.project_parts(True)),
        "equity_irr": lambda: t.rate_of_return("equity_irr", t.equity_parts()),
        "lender_yield": lambda: t.rate_of_return("lender_yield", t.lender_parts(0)),
        "sub_yield": lambda: t.rate_of_return("sub_yield", t.lender_parts(1)),
        "project_npv": lambda: t.present("project_npv_usd", t.project_parts(True), "discount_rate", rate),
        "equity_npv": lambda: t.present("equity_npv_usd", t.equity_parts(), "equity_discount_rate", own),
        "payback": t.payback,
        "equity_multiple": t.equity_multiple,
        "revenue_per_mw_year": t.revenue_per_mw,
        "unpaid": t.unpaid,
        "refinancing_proceeds": t.refinanced,
        "refinancing_gain": t.gain,
        "cover_below_one_share": lambda: t.of_draws(
            "draws in which the least cover is below 1", values["cover_below_one_share"]
        ),
        "arrears_share": lambda: t.of_draws("draws in which something is overdue", values["arrears_share"]),
        "price_factor": lambda: t.price_factor(values["price_factor"]),
        "residual": lambda: t.residual(values["residual"]),
    }
    return {row["name"]: headed(row, how[row["name"]]()) for row in metrics.rows()}

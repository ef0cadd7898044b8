"""Money over the quarters as trees: values, returns, cover and payback, summed from the ledger's accounts.

NPV of a company   = sum over accounts of (in less out) discounted at its own rate
rate of return     = the rate at which the same sum is nothing
least cover        = operating cash of a quarter / principal and interest of it, where that is least
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gigawatt.economics.cost import quarterly_rate
from gigawatt.finance import cfads_usd, debt_service_usd, npv_usd
from gigawatt.finance.accounts import VENDOR_FUNDING, account_of
from gigawatt.finance.ledger import Line
from gigawatt.study.explain import Node, defined, given, node, until_even, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.work import Work

if TYPE_CHECKING:
    from gigawatt.study.answer import Answer

Array = NDArray[np.float64]
LOANS = ("loan_draw", "loan_repayment", "loan_interest", "loan_fee")
PERIODS_PER_YEAR = 4
CENT = 1e-2


class Cash(Work):
    """Values and returns of the companies of an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.resolved, answer.priced)
        self.answer = answer
        self.ledger = answer.settled.ledger
        self.times = answer.settled.schedule.time_years

    # The years of income that a horizon is worth.

    @once
    def annuity(self) -> Node:
        line, horizon = self.answer.line, self.resolved.scenario.horizon
        rows = [
            self.rate(),
            given(self.source, ("horizon", "years"), "horizon", horizon.years, "yr"),
            given(self.source, ("horizon", "build_quarters"), "racks arrive over", horizon.build_quarters, "quarters"),
        ]  # fmt: skip
        return node("formula", "build annuity: years of full-fleet income, today", line.annuity_years, "yr",
                    "sum over quarters of the share of the fleet that stands x discount / 4", rows)  # fmt: skip

    @once
    def own_rate(self, company: str) -> Node:
        """The company's discount rate, else the scenario's."""
        for at, one in enumerate(self.resolved.scenario.companies):
            if one.id == company and one.discount_rate is not None:
                path = ("companies", at, "discount_rate")
                return given(self.source, path, f"discount rate of {company}", one.discount_rate, "share/yr")
        return self.rate()

    # What stands behind an account.

    def behind(self, line: Line) -> list[Node]:
        """The year's number or the contract that a line of the ledger comes from."""
        if line.contract:
            return self._contract(line.contract)
        head, _, detail = line.account.partition(":")
        made: dict[str, Callable[[], Node]] = {
            "revenue": lambda: self.made_revenue(detail),
            "energy": self.energy,
            "opex": lambda: self._opex(detail),
            "capex": self.capex,
            "residual": self.capex,
            "cogs": self.cost_of_goods,
        }
        found = [made[head]()] if head in made else []
        return [*found, self.annuity()]

    def _opex(self, detail: str) -> Node:
        if detail in self.levied:
            return self.charge(detail)
        return self.staff() if detail == "staff" else self.upkeep()

    @once
    def _contract(self, name: str) -> list[Node]:
        """What a contract of the scenario says."""
        for at, deal in enumerate(self.resolved.scenario.contracts):
            if deal.id == name:
                rows = [given(self.source, ("contracts", at, "status"), f"status of {name}", deal.status)]
                units = {"price": (1e6 * 8760 * 3600, "USD/MW/yr"), "amount": (1.0, "USD"), "per": (1e-6, "MW"),
                         "maximum": (1.0, "USD"), "term": (1.0, "yr"), "floor": (1.0, "share"), "rate": (1.0, "share/yr"),
                         "share_of_capex": (1.0, "share"), "fee": (1.0, "share")}  # fmt: skip
                for field, (scale, unit) in units.items():
                    value = getattr(deal, field, None)
                    if value is not None:
                        rows.append(
                            given(self.source, ("contracts", at, field), f"{field} of {name}", value * scale, unit)
                        )
                return rows
        return []

    # Parts of a plan that it makes itself; `plan.PlanTrees` gives them.

    def made_revenue(self, segment: str) -> Node:
        raise NotImplementedError

    def energy(self) -> Node:
        raise NotImplementedError

    def upkeep(self) -> Node:
        raise NotImplementedError

    def staff(self) -> Node:
        raise NotImplementedError

    def charge(self, name: str) -> Node:
        raise NotImplementedError

    def capex(self) -> Node:
        raise NotImplementedError

    def cost_of_goods(self) -> Node:
        raise NotImplementedError

    # Sums over accounts.

    def lines_of(self, company: str, *, loans: bool = True, closing: bool = True) -> Iterator[tuple[str, Line, Array]]:
        """(words, line, signed amount by period) of every line of a company that moves money."""
        for k, line in enumerate(self.ledger.lines):
            head = account_of(line.account).name
            if company not in (line.payer, line.payee) or (line.closing and not closing):
                continue
            if not loans and self._is_loan(head, line, company):
                continue
            sign = (line.payee == company) - (line.payer == company)
            amount = sign * np.asarray(self.ledger.amount_usd[k], dtype=np.float64)
            if np.any(np.abs(amount) > CENT):
                side = f"from {line.payer}" if sign > 0 else f"to {line.payee}"
                words = f"{line.account.replace('_', ' ')} {side}" + (" at the end" if line.closing else "")
                yield words + (f" ({line.contract})" if line.contract else ""), line, amount

    @staticmethod
    def _is_loan(head: str, line: Line, company: str) -> bool:
        """What `Answer.project_flows` leaves out: money drawn, paid back, interest and fees."""
        side = line.payee if head == "loan_draw" else line.payer
        return head in LOANS and side == company

    def accounts(self, company: str, value: Callable[[Array], float], what: str, **kind: bool) -> list[Node]:
        """A node for each line of a company with a value of its flows."""
        return [
            node("formula", words, value(amount), "USD", f"{what}; {line.status}", self.behind(line))
            for words, line, amount in self.lines_of(company, **kind)
        ]

    @once
    def npv(self, company: str) -> Node:
        """Sum of the present values of a company's accounts."""
        rate = next((c.discount_rate for c in self.resolved.scenario.companies if c.id == company), None)
        used = self.answer.rate if rate is None else rate
        rows = self.accounts(
            company, lambda flow: float(npv_usd(flow, used, self.times)), "present value of its quarters"
        )
        return worked(
            "sum",
            f"present value of {company}",
            "USD",
            rows,
            self.answer.npv(company),
            rests_on=[self.own_rate(company)],
        )

    def rate_of_return(self, flows: Array, company: str, *, loans: bool) -> Node:
        """The rate at which the company's accounts are worth nothing."""
        from gigawatt.finance import irr

        found = irr(flows)
        assert found is not None
        step = float(quarterly_rate(found))
        weights = (1 + step) ** -np.arange(len(flows), dtype=np.float64)
        rows = self.accounts(company, lambda flow: float(flow @ weights), "present value at this rate", loans=loans)
        return worked("zero", "rate at which the sum is nothing", "share", rows, found)

    def least_cover(self, company: str) -> Node:
        """The quarter in which operating cash over debt service is least."""
        cash, due = cfads_usd(self.ledger, company), debt_service_usd(self.ledger, company)
        ratio = np.divide(cash, due, out=np.full(cash.shape, np.inf), where=due > 0)
        q = int(np.argmin(ratio))
        day = self.answer.settled.schedule.ends[q].isoformat()
        into, out = [], []
        for words, line, amount in self.lines_of(company, closing=False):
            account = account_of(line.account)
            section = account.payee_section if line.payee == company else account.payer_section
            if line.payer == company and account.name in ("loan_repayment", "loan_interest"):
                out.append(node("formula", words, -float(amount[q]), "USD", f"quarter to {day}", self.behind(line)))
            elif section == "operating" and account.payer_line != "interest":
                into.append(node("formula", words, float(amount[q]), "USD", f"quarter to {day}", self.behind(line)))
        return worked("ratio", f"least in the quarter to {day}", "x", [
            worked("sum", f"operating cash, quarter to {day}", "USD", into, float(cash[q])),
            worked("sum", f"principal and interest, quarter to {day}", "USD", out, float(due[q])),
        ])  # fmt: skip

    def payback(self, company: str) -> Node:
        """Years until cumulative cash turns for good: the quarter before, and the share of the next one."""
        flows = self.answer.project_flows(closing=False)
        total = np.cumsum(flows)
        if not np.any(total < 0):
            return defined("never below nothing", 0.0, "yr", "cumulative cash is never negative")
        k = max(n for n in range(1, len(total)) if (total[n - 1] < 0) != (total[n] < 0))
        until = self.accounts(company, lambda flow: float(flow[:k].sum()), "sum until then", loans=False, closing=False)
        hole = worked("sum", "cumulative cash at the end of that quarter", "USD", until, float(total[k - 1]))
        nexts = self.accounts(company, lambda flow: float(flow[k]), "of the quarter after", loans=False, closing=False)
        gain = worked("sum", "cash of the quarter after", "USD", nexts, float(flows[k]))
        step = float(self.times[k] - self.times[k - 1])
        share = until_even(hole, gain, step, "quarter")
        before = defined("end of the last quarter in the red", float(self.times[k - 1]), "yr", "calendar of the run")
        return worked("sum", "years until cumulative cash stays positive", "yr", [before, share])

    def vendor_funded(self, vendor: str) -> Node:
        """A vendor's money to his customers over what he sells."""
        from gigawatt.finance.metrics import upstream

        kept = self.ledger.without_closing()
        customers = upstream(kept, vendor)
        lent, sold = [], []
        for words, line, amount in self.lines_of(vendor, closing=False):
            account, total = account_of(line.account), float(amount.sum())
            row = node("formula", words, abs(total), "USD", "sum over the horizon", self.behind(line))
            if line.payee == vendor and account.payee_line == "revenue":
                sold.append(row)
            if line.payer == vendor and line.payee in customers and account.name in VENDOR_FUNDING:
                lent.append(row)
            if line.payee == vendor and line.payer in customers and account.name == "loan_repayment":
                lent.append({**row, "name": f"less {words}", "value": -total})
        if not lent:
            lent = [defined("no money to customers", 0.0, "USD", "the scenario's contracts hold none")]
        return worked("ratio", "money to customers over sales", "share", [
            worked("sum", "vendor's money to its customers", "USD", lent),
            worked("sum", "vendor's sales", "USD", sold),
        ])  # fmt: skip

"""Where the headline numbers of a deals file come from: payments of the settled ledger, line by line, down to the contracts'
terms, balances and other money, each with its place in the file or the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.document import Path_
from gigawatt.core.table import Table
from gigawatt.finance import npv_usd
from gigawatt.finance.accounts import VENDOR_FUNDING, account_of
from gigawatt.finance.contracts import counts_as_cash, counts_in_headline
from gigawatt.finance.ledger import Line
from gigawatt.finance.origin import OWN
from gigawatt.finance.settlement import NEVER, Settlement
from gigawatt.study.deals.case import Case
from gigawatt.study.deals.circular import Circular
from gigawatt.study.deals.leaves import DealLeaves
from gigawatt.study.explain import Node, defined, given, node, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.plan import headed

CENT = 0.5  # USD below which a line moved nothing


class DealTrees(DealLeaves):
    """The trees of a settled case."""

    # Lines of the ledger.

    def behind(self, line: Line) -> list[Node]:
        """What a line follows from: a contract's terms, or money of the file."""
        if line.contract and line.contract in self.by_id:
            return self.terms(line.contract)
        known = {money.id for money in self.case.other_money}
        for n, one in enumerate(self.source.data.get("flows") or []):
            if not isinstance(one, Mapping) or one.get("id") not in known:
                continue
            same = (one.get("pays"), one.get("gets")) == (line.payer, line.payee)
            if same and str(one.get("account") or "revenue") == line.account:
                return self.money(n)
        party = line.payer if line.payer in self.case.loaded.ids else line.payee
        return (
            self.opening(party)
            if party in self.case.loaded.ids
            else [defined("follows from the other lines", 0.0, "USD", "books")]
        )

    @once
    def line(self, k: int) -> Node:
        """Sum over the horizon of what a line pays."""
        line, total = self.base.lines[k], float(self.paid[k].sum())
        words = f"{line.account.replace('_', ' ')}: {line.payer} to {line.payee}" + (
            f" ({line.contract})" if line.contract else ""
        )
        return node(
            "formula", words, total, "USD", f"payments of the horizon, as settled; {line.status}", self.behind(line)
        )

    def lines(self, keep: Callable[[Line], bool]) -> list[Node]:
        return [self.line(k) for k, line in enumerate(self.base.lines) if abs(self.paid[k]).sum() > CENT and keep(line)]

    # Headlines.

    def headline_sum(self, counts: Callable[[str], bool]) -> Node:
        rows = [self.contract(one.id) for one in self.case.contracts if counts(one.status) and one.headline_usd]
        return worked("sum", "headline amounts", "USD", rows or none("no amount was announced"))

    def all_paid(self) -> Node:
        rows = []
        for k in range(len(self.base.lines)):
            made, total = self.line(k), float(np.abs(self.paid[k]).sum())
            if total > CENT:
                rows.append(made if made["value"] == total else {**made, "value": total})
        return worked("sum", "all payments", "USD", rows or none("nothing is paid"))

    def cycling(self, value: float) -> Node:
        inside = set(self.case.loaded.ids)
        rows = self.lines(lambda line: line.payer in inside and line.payee in inside)
        source = "sum T c / sum T on the graph of payments, c from the Leontief inverse of their shares"
        return node(
            "formula", "Finn's cycling index", value, "share", source, rows or none("no payments among companies")
        )

    @once
    def sales(self, vendor: str) -> Node:
        rows = self.lines(lambda line: line.payee == vendor and account_of(line.account).payee_line == "revenue")
        value = float(self.base.of("revenue", vendor)[:, 0].sum())
        made = worked("sum", f"sales of {vendor}", "USD", rows or none("no sales"))
        rest = value - made["value"]
        if abs(rest) > 1e-6 * max(abs(value), 1.0):
            more = node(
                "formula", "booked beside payments", rest, "USD", "shares that vest lower it; grants and fees", rows
            )
            made = worked("sum", f"sales of {vendor}", "USD", [*made["children"], more], value)
        return made

    @once
    def put_in(self, vendor: str) -> Node:
        inside = set(self.case.loaded.ids)
        rows = self.lines(
            lambda line: (
                line.payer == vendor and line.payee in inside and account_of(line.account).name in VENDOR_FUNDING
            )
        )
        return worked("sum", f"what {vendor} puts into companies here", "USD", rows or none("no funding"))

    def own_funded(self, vendor: str, here: bool) -> Node:
        """Share of what a vendor is paid that it put in itself, traced through everybody's purse."""
        one = next(o for o in self.ring.by_vendor if o.seller == vendor)
        inside = self.lines(lambda line: vendor in (line.payer, line.payee))
        rows = {
            label: node(
                "formula", f"paid with: {label}", usd, "USD", "traced through everybody's purse in proportion", inside
            )
            for label, usd in one.usd.items()
        }
        own = rows.get(OWN) or defined(f"paid with: {OWN}", 0.0, "USD", "none comes back")
        kept = [row for label, row in rows.items() if not (here and label in one.direct)]
        return worked(
            "ratio", f"own money over what {vendor} is paid", "share", [own, worked("sum", "all origins", "USD", kept)]
        )

    def removed(self, vendor: str, value: float) -> Node:
        lost = value * self.sales(vendor)["value"]
        gone = node("formula", f"sales of {vendor} not made without its funding", lost, "USD",
                    "every purse settled again without those contracts", [self.put_in(vendor), self.sales(vendor)])  # fmt: skip
        return worked("ratio", "sales not made over sales", "share", [gone, self.sales(vendor)])

    def contingent(self, vendor: str) -> Node:
        rows = []
        for one in self.case.contracts:
            if (
                one.kind.name in ("guarantee", "capacity_backstop")
                and one.deal.pays == vendor
                and np.isfinite(one.terms.cap_usd)
            ):
                cap = defined(f"cap of {one.id}", float(one.terms.cap_usd), "USD", one.source or "the file")
                rows.append(worked("same", f"cap of {one.id}", "USD", [cap], rests_on=self.terms(one.id)))
        caps = worked("sum", f"caps of what {vendor} guarantees", "USD", rows or none("no guarantee"))
        return worked("ratio", "caps over sales", "share", [caps, self.sales(vendor)])

    def in_default(self) -> Node:
        first = self.base.default_period[:, 0]
        rows = []
        for k, name in enumerate(self.base.parties):
            fell = first[k] < NEVER
            when = f" in the quarter to {self.base.schedule.ends[int(first[k])]}" if fell else ""
            words = f"{name} runs out of cash{when}" if fell else f"{name} does not run out of cash"
            own = self.lines(lambda line, name=name: name in (line.payer, line.payee))  # type: ignore[misc]
            rests = [*(self.opening(name) if name in self.case.loaded.ids else []), *own]
            rows.append(node("formula", words, float(fell), "", "purse of every quarter", rests or none("no payments")))
        return worked("sum", "companies in default", "", rows)

    def outside(self) -> Node:
        rows = []
        for company in self.case.loaded.companies:
            if not company.has_purse and company.id in self.base.parties:
                cash = self.base.of("cash", company.id)[:, 0]
                need = max(0.0, -float(np.min(cash)))
                if need > 0:
                    own = self.lines(lambda line, name=company.id: name in (line.payer, line.payee))  # type: ignore[misc]
                    rows.append(
                        node("formula", f"most that {company.id} needs", need, "USD", "lowest cash of any quarter", own)
                    )
        return worked("sum", "money from outside", "USD", rows or none("every purse is stated"))

    def cash_npv(self, company: str, value: float) -> Node:
        one = next(c for c in self.case.loaded.companies if c.id == company)
        rate = one.discount_rate or self.case.loaded.scenario.discount_rate
        years, rows = self.base.schedule.time_years, []
        for k, line in enumerate(self.base.lines):
            if company not in (line.payer, line.payee) or np.abs(self.paid[k]).sum() <= CENT:
                continue
            sign = (line.payee == company) - (line.payer == company)
            side = f"from {line.payer}" if sign > 0 else f"to {line.payee}"
            words = f"{line.account.replace('_', ' ')} {side}" + (f" ({line.contract})" if line.contract else "")
            present = float(npv_usd(sign * self.paid[k], rate, years))
            rows.append(node("formula", words, present, "USD", "present value of its quarters", [self.line(k)]))
        rest = value - sum(row["value"] for row in rows)
        if abs(rest) > 1e-7 * max([abs(value), *(abs(row["value"]) for row in rows)], default=1.0):
            rows.append(
                node(
                    "formula",
                    "taxes, and what defaults and guarantees change",
                    rest,
                    "USD",
                    "books of the settlement",
                    self.opening(company),
                )
            )
        at = next(
            (
                n
                for n, p in enumerate(self.source.data["companies"])
                if isinstance(p, Mapping) and p.get("id") == company
            ),
            0,
        )
        own = (
            isinstance(self.source.data["companies"][at], Mapping)
            and "discount_rate" in self.source.data["companies"][at]
        )
        path: Path_ = ("companies", at, "discount_rate") if own else ("discount_rate",)
        rests = [given(self.source, path, f"discount rate of {company}", rate, "share/yr"), *self.opening(company)]
        return worked(
            "sum", f"present value of the cash of {company}", "USD", rows or none("no payments"), rests_on=rests
        )


def none(words: str) -> list[Node]:
    """A sum of nothing."""
    return [defined(words, 0.0, "USD", "the file has none")]


def trees(case: Case, base: Settlement, ring: Circular, metrics: Table, catalog: Catalog) -> dict[str, Node]:
    """A tree for every headline metric."""
    t = DealTrees(case, base, ring, catalog)
    companies = {company.id.replace("-", "_"): company.id for company in case.loaded.companies}
    out = {}
    for row in metrics.rows():
        name, value = str(row["name"]), float(row["value"])
        out[name] = headed(row, _made(t, name, value, companies))
    return out


def _made(t: DealTrees, name: str, value: float, companies: Mapping[str, str]) -> Node:
    """The tree of one metric by its name; names of companies stand at the end of theirs."""
    plain: dict[str, Callable[[], Node]] = {
        "announced": lambda: t.headline_sum(counts_in_headline),
        "signed": lambda: t.headline_sum(counts_as_cash),
        "paid": t.all_paid,
        "finn_cycling_index": lambda: t.cycling(value),
        "companies_in_default": t.in_default,
        "money_from_outside": t.outside,
    }
    if name in plain:
        return plain[name]()
    of: dict[str, Callable[[str], Node]] = {
        "own_funded_share_here_": lambda who: t.own_funded(who, here=True),
        "own_funded_share_": lambda who: t.own_funded(who, here=False),
        "invested_over_sales_": lambda who: worked(
            "ratio", "put in over sales", "share", [t.put_in(who), t.sales(who)]
        ),
        "demand_removed_share_": lambda who: t.removed(who, value),
        "contingent_over_sales_": t.contingent,
        "cash_npv_": lambda who: t.cash_npv(who, value),
    }
    for start, make in of.items():
        if name.startswith(start) and name.removeprefix(start) in companies:
            return make(companies[name.removeprefix(start)])
    return node("formula", name, value, "", "settled payments", [t.contract(one.id) for one in t.case.contracts])

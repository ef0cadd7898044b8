"""A plan held: what every headline metric becomes in each world, by columns and without asking physics or the programme again.

The ledger of a plan is linear in what things cost and in what is sold. So it is built once for each driver alone (the sales of
a price segment in a phase, the price of a part, the energy of a phase), with one column a driver,

    net cash of a company in period t  =  sum over drivers k of c_k(draw) N_k(t)  +  its loans

and a world is a row of c. Loans follow the capital that is drawn, at the rate of the world. Returns, payback and cover are
taken of all rows at once (`finance.rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory import Plan
from gigawatt.factory.draws import Draws, Sales, energy_usd_per_yr, revalue, sales
from gigawatt.finance import Flow, Ledger, Residual, build_ledger, cfads_usd
from gigawatt.finance.contracts import counts_as_cash
from gigawatt.finance.contracts.term_loan import TermLoan as LoanTerms
from gigawatt.finance.contracts.term_loan import draws_usd, level_service
from gigawatt.finance.metrics import vendor_funding_usd
from gigawatt.finance.rows import irr_rows, least_cover_rows, payback_rows
from gigawatt.study.price import Priced, seller
from gigawatt.study.resolve import Resolved
from gigawatt.study.risk.costs import (
    PARTS,
    VENDORS,
    Costs,
    Paid,
    costs_of,
    paid_by,
    part_life_years,
    prices_of,
    residual_share,
)
from gigawatt.study.risk.world import World
from gigawatt.study.scenario import TermLoan
from gigawatt.study.settle import BUILDER, CUSTOMERS, PLANT, SERVICES, SUPPLIERS, UTILITY, Settled, buying
from gigawatt.study.timeline import Timeline

Array = NDArray[np.float64]
SECONDS_PER_YEAR = 8760 * 3600.0
# Metrics that need no ledger.
CHEAP = ("system_npv", "revenue_per_mw_year", "gross_profit_per_mw_year", "capex", "capex_per_gw", "tokens_out",
         "joules_per_output_token", "energy_price", "carbon_per_mtok", "cost_per_mtok")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bought:
    """One kind of plant of the plan: what it is, how often, and how long it lasts."""

    name: str
    account: str
    payee: str
    life_years: float
    made: bool


@dataclass(frozen=True, slots=True)
class _Book:
    """Net cash by driver: [drivers, companies, periods] with closing values and [drivers, periods] of the operator.

    `funding`: [drivers] what the vendor gives his customers; `sold`: [drivers] what he sells.
    """

    companies: tuple[str, ...]
    net: Array
    operator_net: Array
    operator_before_closing: Array
    cfads: Array
    capex: Array
    sold: Array
    lent: Array


class Held:
    """A plan and its ledger, ready to be revalued in any world."""

    def __init__(self, resolved: Resolved, priced: Priced, plan: Plan, line: Timeline, settled: Settled) -> None:
        self.resolved, self.priced, self.plan, self.line, self.settled = resolved, priced, plan, line, settled
        self.operator = resolved.scenario.company("operator")
        self.vendor = resolved.scenario.company("vendor")
        self.bought = self._bought()
        self.loans = tuple(
            deal for deal in resolved.scenario.contracts if isinstance(deal, TermLoan) and counts_as_cash(deal.status)
        )
        seen = set(settled.ledger.companies)
        self.companies = tuple(c.id for c in resolved.scenario.companies if c.id in seen)
        self.book = self._book()
        one = World(1)
        self.base = paid_by(resolved, priced, line, costs_of(resolved, priced, one), one, line.annuity_years)

    # -- what a world is to the programme

    def draws(self, world: World) -> Draws:
        """The factors of a world as the fleet programme takes them, before what each party pays."""
        own = self.priced.plant.supply.fuel_share  # the dispatch is held, as the fleet is
        energy = None
        if world.has("grid", "fuel"):
            energy = np.asarray((1 - own) * world.of("grid") + own * world.of("fuel")) * np.ones(world.count)
        price, tokens, demand = prices_of(self.resolved, world)
        load = None
        if world.has("load"):
            load = np.ones((world.count, len(self.resolved.works)))
            load[:, [work.is_serving for work in self.resolved.works]] = np.asarray(world.of("load"))[:, None]
        segments = None
        if demand is not None:
            segments = np.ones((world.count, len(self.priced.inputs.segments.names)))
            for w in range(len(self.resolved.works)):
                segments[:, int(np.flatnonzero(self.priced.inputs.segments.workload == w)[0])] = demand[:, w]
        groups = list(range(int(self.priced.inputs.points.group.max(initial=-1)) + 1))
        _, _, weights = self._time(world)
        return Draws(
            world.count,
            throughput=world.stack("throughput", groups),
            price=price,
            energy=energy,
            tokens=tokens,
            demand=segments,
            load=load,
            weights=weights if world.has("rate") else None,
        )

    def party(self, draws: Draws, paid: Paid, name: str) -> Draws:
        """The same with what one party pays over its coefficients in the plan."""
        base = self.base[name]
        count = draws.count

        def more(value: Array | float, was: Array | float) -> Array:
            return np.broadcast_to(np.asarray(value - was), (count, *np.shape(was)[1:])).copy()

        return Draws(
            count, draws.throughput, draws.price, draws.energy, None, draws.tokens, draws.demand, draws.load,
            more(paid.platform_usd_per_yr, base.platform_usd_per_yr),
            more(paid.shell_usd_per_mw_yr, base.shell_usd_per_mw_yr),
            more(paid.other_usd_per_mw_yr, base.other_usd_per_mw_yr),
            more(paid.fixed_usd_per_yr, base.fixed_usd_per_yr),
            draws.weights,
        )  # fmt: skip

    def for_objective(self, world: World) -> tuple[Draws, Array]:
        """Draws of the plan's own objective for `replan`, and the annuity in years, [draws]."""
        annuity, _, _ = self._time(world)
        costs = costs_of(self.resolved, self.priced, world)
        paid = paid_by(self.resolved, self.priced, self.line, costs, world, annuity)
        name = self.priced.inputs.objective
        return self.party(self.draws(world), paid[name], name), annuity

    # -- every metric

    def columns(self, world: World, only: str = "") -> dict[str, Array]:
        """Metrics of every draw, [draws] each; a metric that the plan does not have is absent.

        Args:
            world: the draws.
            only: leave out what this metric does not need (returns are the dearest part of a draw); '' leaves out nothing.
        """
        annuity, rate, weights = self._time(world)
        costs = costs_of(self.resolved, self.priced, world)
        paid = paid_by(self.resolved, self.priced, self.line, costs, world, annuity)
        draws = self.draws(world)
        sold = sales(self.plan, draws)
        out = {
            f"value.{name}": revalue(self.plan, self.party(draws, one, name), name, sold).value_usd_per_yr * annuity
            for name, one in paid.items()
        }
        out["system_npv"] = out["value.system"]
        energy = energy_usd_per_yr(self.plan, draws, self.priced.energy_usd_per_yr)
        if only not in CHEAP:
            flows = self._flows(world, costs, sold, energy, rate)
            out |= self._returns(flows, rate, only)
        out |= self._yearly(world, draws, costs, paid["operator"], sold, energy, weights)
        out |= {f"missed.{name}": late.astype(np.float64) for name, late in sold.missed.items()}
        return {name: np.broadcast_to(values, (world.count,)) for name, values in out.items()}

    def _time(self, world: World) -> tuple[Array, Array | float, Array]:
        """(annuity in years, discount rate, weights of the phases) of a world: [draws] each where the rate moves."""
        if not world.has("rate"):
            annuity = np.full(world.count, self.line.annuity_years)
            return (
                annuity,
                self.resolved.scenario.discount_rate,
                np.broadcast_to(self.plan.weights, (world.count, len(self.plan.weights))),
            )
        rate = self.resolved.scenario.discount_rate * np.asarray(world.of("rate"))
        present = self.line.active * (1 + rate[:, None]) ** (-np.arange(1, self.line.quarters + 1) / 4)
        total = present.sum(axis=1)
        parts = [present[:, phase.first : phase.last + 1].sum(axis=1) / total for phase in self.line.phases]
        return total / 4, rate, np.column_stack(parts)

    def _flows(self, world: World, costs: Costs, sold: Sales, energy: Array, rate: Array | float) -> dict[str, Array]:
        """Net cash by company [draws, companies, periods] and what the operator's cover and returns rest on."""
        c = self._drivers(world, costs, sold, energy, rate)
        book, n = self.book, world.count
        periods = self.settled.schedule.periods
        net = (c @ book.net.reshape(len(book.net), -1)).reshape(n, len(book.companies), periods)
        project, early, cfads = c @ book.operator_net, c @ book.operator_before_closing, c @ book.cfads
        capex = c @ book.capex
        sales_usd, funding = c @ book.sold, c @ book.lent
        service = np.zeros((n, periods))
        at = {name: k for k, name in enumerate(book.companies)}
        for deal in self.loans:
            share = deal.share_of_capex * np.asarray(world.of("contract", deal.id))
            terms = LoanTerms(rate=deal.rate, term_years=deal.term, share_of_capex=1.0, repayment=deal.repayment)
            borrowed = capex if deal.gets == self.operator else np.zeros((n, periods))
            drawn = draws_usd(terms, borrowed) * share.reshape(-1, 1)
            principal, interest = level_service(terms, drawn, deal.rate * np.asarray(world.of("loan_rate", deal.id)))
            owed = drawn.sum(axis=1) - principal.sum(axis=1)
            closing = np.zeros((n, periods))
            closing[:, -1] = np.where(np.abs(owed) > 1e-2, owed, 0.0)
            fee = deal.fee * drawn
            lent = drawn - principal - interest - fee
            for party, sign in ((deal.gets, 1.0), (deal.pays, -1.0)):
                if party in at:
                    net[:, at[party]] += sign * (lent - closing)
            if deal.gets == self.operator:
                service = service + principal + interest
            if deal.pays == self.vendor:
                funding = funding + (drawn - principal).sum(axis=1)
        return {"net": net, "project": project, "early": early, "cfads": cfads, "service": service, "sold": sales_usd,
                "funding": funding}  # fmt: skip

    def _returns(self, flows: dict[str, Array], rate: Array | float, only: str) -> dict[str, Array]:
        """Values of companies, returns, payback, cover."""
        time = self.settled.schedule.time_years
        out: dict[str, Array] = {}
        own = {c.id: c.discount_rate for c in self.resolved.scenario.companies}
        for k, name in enumerate(self.book.companies):
            at = rate if own.get(name) is None else own[name]
            weights = (1 + np.asarray(at)[..., None]) ** -time
            out[f"npv.{name}"] = (flows["net"][:, k] * weights).sum(axis=-1)
        for role in ("operator", "lab", "vendor", "lender"):
            company = self.resolved.scenario.company(role)
            if f"npv.{company}" in out:
                out[f"{role}_npv"] = out[f"npv.{company}"]
        if self.operator in self.book.companies and only in ("", "operator_irr"):
            out["operator_irr"] = irr_rows(flows["net"][:, self.book.companies.index(self.operator)])
        if only in ("", "project_irr"):
            out["project_irr"] = irr_rows(flows["project"])
        out["payback"] = payback_rows(flows["early"], time)
        if self.loans:
            out["dscr_min"] = least_cover_rows(flows["cfads"], flows["service"])
        if np.any(flows["sold"] > 0):
            out["vendor_funded_share"] = flows["funding"] / flows["sold"]
        return out

    def _yearly(
        self, world: World, draws: Draws, costs: Costs, paid: Paid, sold: Sales, energy: Array, weights: Array
    ) -> dict[str, Array]:
        """Rates of a year: revenue, running costs, capital, tokens."""
        plan, works = self.plan, self.resolved.works
        revenue = (sold.revenue_usd_per_yr.sum(axis=1) * weights).sum(axis=1)
        spent = (energy * weights).sum(axis=1)
        mean_mw = weights @ (self.priced.inputs.points.mw @ plan.use)
        racks = costs.rack_usd @ plan.racks
        shell = costs.shell_usd_per_mw * plan.site_mw
        running = spent + costs.it_upkeep_share * racks + costs.shell_upkeep_share * shell
        running = running + costs.own_upkeep_usd_per_yr.sum(axis=1) + costs.staff_usd_per_mw_yr * mean_mw
        capex = racks + shell + costs.own_usd.sum(axis=1)
        serving = [work.is_serving for work in works]
        tokens = (sold.sold_tokens_per_s[:, serving].sum(axis=1) * weights).sum(axis=1)
        yearly = paid.platform_usd_per_yr @ plan.racks + paid.shell_usd_per_mw_yr * plan.site_mw + paid.fixed_usd_per_yr
        yearly = yearly + spent + costs.staff_usd_per_mw_yr * mean_mw
        out = {"revenue_usd_per_yr": revenue, "energy_usd_per_yr": spent, "capex": capex, "tokens_out": tokens}
        if draws.energy is not None:
            out["energy_factor"] = draws.energy
        if world.has("load"):
            out["load_factor"] = np.asarray(world.of("load"))
        if np.all(mean_mw > 0):
            out["revenue_per_mw_year"] = revenue / mean_mw
            out["gross_profit_per_mw_year"] = (revenue - running) / mean_mw
        if plan.site_mw:
            out["capex_per_gw"] = capex / plan.site_mw * 1e3
        if np.all(tokens > 0):
            out["cost_per_mtok"] = yearly / (tokens * SECONDS_PER_YEAR / 1e6)
        return out

    # -- the book

    def _bought(self) -> tuple[Bought, ...]:
        """Every kind of plant that is bought, in the order of the drivers."""
        out: list[Bought] = []
        for p in range(len(self.priced.rack_parts)):
            for part in PARTS if self.plan.racks[p] > 0 else ():
                listed = part in VENDORS and self.priced.vendor_sells[p]
                maker = self.resolved.offers[p].platform.vendor if part in VENDORS else f"{part}-vendor"
                payee = self.vendor if listed else maker
                out.append(Bought(f"{p}.{part}", f"capex:{part}", payee, part_life_years(self.resolved, part), listed))
        if self.plan.site_mw > 0:
            out.append(Bought("shell", "capex:shell", BUILDER, self.priced.shell_life_years, False))
        for k, own in enumerate(self.priced.plant.supply.standing.own):
            out.append(Bought(f"own.{k}", f"capex:own plant: {own.name}", PLANT, own.life_years, False))
        return tuple(out)

    def _usd(self, costs: Costs, one: Bought) -> Array:
        """[draws] what the whole fleet's plant of one kind costs."""
        where, _, part = one.name.partition(".")
        if where == "shell":
            return costs.shell_usd_per_mw * self.plan.site_mw
        if where == "own":
            return costs.own_usd[:, int(part)]
        return np.asarray(costs.part_usd[:, int(where), PARTS.index(part)] * self.plan.racks[int(where)])

    def _drivers(self, world: World, costs: Costs, sold: Sales, energy: Array, rate: Array | float) -> Array:
        """[draws, drivers] in the order of `_book`."""
        n = world.count
        columns = [sold.revenue_usd_per_yr.reshape(n, -1), energy]
        racks = np.zeros(n)
        bought, left, made = [], [], []
        for one in self.bought:
            usd = self._usd(costs, one)
            bought.append(usd)
            left.append(usd * residual_share(one.life_years, self.line.arrivals, rate))
            if one.account not in ("capex:shell",) and not one.account.startswith("capex:own"):
                racks = racks + usd
            made.append(usd * costs.production[:, int(one.name.partition(".")[0])] if one.made else np.zeros(n))
        shell = sum((usd for usd, one in zip(bought, self.bought, strict=True) if one.name == "shell"), np.zeros(n))
        upkeep = (
            costs.it_upkeep_share * racks + costs.shell_upkeep_share * shell + costs.own_upkeep_usd_per_yr.sum(axis=1)
        )
        staff = costs.staff_usd_per_mw_yr[:, None] * (self.priced.inputs.points.mw @ self.plan.use)
        signed = [np.broadcast_to(np.asarray(world.of("contract", name)), (n,)) for name in self._signed]
        columns += [upkeep[:, None], staff]
        columns += [np.column_stack(part) for part in (bought, left, made, signed) if part]
        return np.concatenate(columns, axis=1)

    @property
    def _signed(self) -> tuple[str, ...]:
        """Contracts that are no loans, in the order of the ledger."""
        loans = {deal.id for deal in self.resolved.scenario.contracts if isinstance(deal, TermLoan)}
        return tuple(
            dict.fromkeys(
                one.contract for one in self.settled.ledger.lines if one.contract and one.contract not in loans
            )
        )

    def _book(self) -> _Book:
        """The ledger of each driver alone; see `_drivers` for their order."""
        line, schedule = self.line, self.settled.schedule
        segments, phases = self.priced.inputs.segments.names, range(len(line.phases))
        inside = [schedule.column(line.active * (line.phase_of() == f) / 4) for f in phases]
        always = schedule.column(line.active / 4)
        taker = seller(self.resolved.scenario)
        plain: list[tuple[str, str, str, Array, str]] = []
        plain += [(CUSTOMERS, taker, f"revenue:{name}", inside[f], "") for name in segments for f in phases]
        plain += [(self.operator, UTILITY, "energy", inside[f], "") for f in phases]
        plain += [(self.operator, SERVICES, "opex:upkeep", always, "")]
        plain += [(self.operator, SERVICES, "opex:staff", inside[f], "") for f in phases]
        paid = [
            buying(1.0, one.life_years, line.arrivals, self.resolved.scenario.discount_rate)[0] for one in self.bought
        ]
        plain += [(self.operator, one.payee, one.account, usd, "") for one, usd in zip(self.bought, paid, strict=True)]
        count = len(plain)
        total = count + 2 * len(self.bought) + len(self._signed)
        flows = [self._flow(at, total, *one) for at, one in enumerate(plain)]
        last = count
        residuals = [
            Residual(self.operator, one.account, _unit(last + k, total, 1.0)) for k, one in enumerate(self.bought)
        ]
        for k, (one, usd) in enumerate(zip(self.bought, paid, strict=True)):
            at = count + len(self.bought) + k
            flows.append(
                self._flow(at, total, self.vendor, SUPPLIERS, f"cogs:{one.account.partition(':')[2]}", usd, "")
            )
        for k, name in enumerate(self._signed):
            at = count + 2 * len(self.bought) + k
            for number, signed in enumerate(self.settled.ledger.lines):
                if signed.contract == name and not signed.closing:
                    amount = self.settled.ledger.amount_usd[number]
                    flows.append(self._flow(at, total, signed.payer, signed.payee, signed.account, amount, name))
        ledger = build_ledger(flows, (), schedule, residuals=residuals)
        return self._columns_of(ledger)

    def _flow(self, at: int, total: int, payer: str, payee: str, account: str, amount: Array, contract: str) -> Flow:
        return Flow(payer, payee, account, _unit(at, total, amount), contract)

    def _columns_of(self, ledger: Ledger) -> _Book:
        before = ledger.without_closing()
        sold, lent = vendor_funding_usd(ledger, self.vendor)
        return _Book(
            self.companies,
            np.ascontiguousarray(ledger.net_usd(self.companies)),
            np.asarray(ledger.net_usd([self.operator])[:, 0]),
            np.asarray(before.net_usd([self.operator])[:, 0]),
            cfads_usd(ledger, self.operator),
            before.total_usd(payer=self.operator, account="capex"),
            sold,
            lent,
        )


def _unit(at: int, total: int, amount: Array | float) -> Array:
    """[total, ...] with `amount` in row `at`."""
    out = np.zeros((total, *np.shape(amount)))
    out[at] = amount
    return out

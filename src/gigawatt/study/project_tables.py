"""The tables of a project run: a row a period, the waterfall by step, sources and uses, covenants, headline numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.finance.project import ProjectModel
from gigawatt.study.bands import percentiles

Array = NDArray[np.float64]

# name, metric of the model, unit, formula, inputs
HEADLINES: tuple[tuple[str, str, str, str, str], ...] = (
    ("debt", "debt_usd", "USD", "least of cash over cover, gearing x uses, amount; band: sized anew in each draw",
     "CFADS, cover, rate, tenor, gearing, amount"),
    ("sub_debt", "sub_debt_usd", "USD", "the same, of the cash that the senior loan leaves", "subordinated loan"),
    ("equity", "equity_usd", "USD", "total need less the loans' draws", "uses, debt"),
    ("total_uses", "total_uses_usd", "USD", "capital + fees + interest while building + reserve", "capital, loans"),
    ("gearing", "gearing", "share", "debt / total uses", "debt, uses"),
    ("debt_over_capital", "debt_over_capital", "share", "senior debt / capital with contingency", "debt, capital"),
    ("dscr_min", "dscr_min", "x", "least of CFADS / (interest + principal)", "CFADS, senior loan"),
    ("dscr_average", "dscr_average", "x", "mean over the periods with service", "CFADS, senior loan"),
    ("llcr", "llcr", "x", "present value of CFADS over the loan's life at its rate / debt", "CFADS, senior loan"),
    ("plcr", "plcr", "x", "present value of CFADS over the project's life at the loan's rate / debt", "CFADS, senior loan"),
    ("project_irr_before_tax", "project_irr_before_tax", "share", "rate at which its flows before tax are worth nothing",
     "capital, cash before tax"),
    ("project_irr", "project_irr", "share", "the same less the tax of a project without debt", "capital, cash before tax, tax"),
    ("equity_irr", "equity_irr", "share", "rate at which contributions and distributions are worth nothing", "waterfall"),
    ("lender_yield", "lender_yield", "share", "rate at which draws and payments are worth nothing", "senior loan"),
    ("sub_yield", "sub_yield", "share", "the same of the subordinated loan", "subordinated loan"),
    ("project_npv", "project_npv_usd", "USD", "project's flows after tax, discounted", "project's flows, discount rate"),
    ("equity_npv", "equity_npv_usd", "USD", "equity's flows, discounted", "equity's flows, equity's discount rate"),
    ("payback", "payback_years", "yr", "years until the project's cumulative flow stays positive", "project's flows"),
    ("equity_multiple", "equity_multiple", "x", "distributions / contributions", "equity's flows"),
    ("revenue_per_mw_year", "revenue_usd_per_mw_yr", "USD/MW/yr", "rent / MW-years on offer", "price, utilisation"),
    ("unpaid", "unpaid_usd", "USD", "debt and costs that are still owed when the project ends", "waterfall"),
    ("refinancing_proceeds", "refinancing_proceeds_usd", "USD", "new loan - balance - fee", "refinancing"),
    ("refinancing_gain", "refinancing_gain_usd", "USD", "equity's value with the refinancing less without", "refinancing"),
)  # fmt: skip

COLUMNS: tuple[tuple[str, str], ...] = (
    ("revenue_usd", "operations.revenue_usd"),
    ("costs_usd", "operations.cost_usd"),
    ("ebitda_usd", "operations.ebitda_usd"),
    ("prepayment_credit_usd", "operations.credit_usd"),
    ("working_capital_usd", "operations.working_capital_change_usd"),
    ("maintenance_usd", "operations.upkeep_usd"),
    ("tax_usd", "waterfall.tax_usd"),
    ("cfads_usd", "waterfall.cfads_usd"),
    ("capital_usd", "sizing.construction.capital_usd"),
    ("financing_costs_usd", "sizing.construction.financing_usd"),
    ("equity_usd", "sizing.construction.equity_usd"),
    ("interest_usd", "waterfall.senior_interest_usd"),
    ("principal_usd", "waterfall.senior_due_usd"),
    ("senior_paid_usd", "waterfall.senior_paid_usd"),
    ("senior_balance_usd", "waterfall.senior_balance_usd"),
    ("sub_paid_usd", "waterfall.sub_paid_usd"),
    ("sub_balance_usd", "waterfall.sub_balance_usd"),
    ("sweep_usd", "waterfall.sweep_usd"),
    ("reserve_usd", "waterfall.reserve_usd"),
    ("distribution_usd", "waterfall.distribution_usd"),
    ("cash_usd", "waterfall.cash_usd"),
    ("unpaid_usd", "waterfall.unpaid_usd"),
    ("dscr", "waterfall.dscr"),
    ("llcr", "llcr"),
    ("plcr", "plcr"),
    ("locked", "waterfall.locked"),
    ("utilisation_share", "operations.utilisation"),
    ("depreciation_usd", "statements.depreciation_usd"),
    ("net_income_usd", "statements.net_income_usd"),
    ("operating_usd", "statements.operating_usd"),
    ("investing_usd", "statements.investing_usd"),
    ("financing_usd", "statements.financing_usd"),
    ("fixed_assets_usd", "statements.fixed_assets_usd"),
    ("receivable_usd", "statements.receivable_usd"),
    ("advances_usd", "statements.advances_usd"),
    ("payable_usd", "statements.payable_usd"),
    ("paid_in_usd", "statements.paid_in_usd"),
    ("retained_usd", "statements.retained_usd"),
    ("project_flow_usd", "flows.project_usd"),
    ("equity_flow_usd", "flows.equity_usd"),
)
UNITS = {"dscr": "x", "llcr": "x", "plcr": "x", "utilisation_share": "share"}

# step, column, sign: what comes in and what goes out, in the order of payment
STEPS: tuple[tuple[str, str, float], ...] = (
    ("cash kept from before", "", 1.0),
    ("revenue", "operations.revenue_usd", 1.0),
    ("prepayment credited", "operations.credit_usd", -1.0),
    ("running costs", "operations.cost_usd", -1.0),
    ("working capital", "operations.working_capital_change_usd", -1.0),
    ("tax", "waterfall.tax_usd", -1.0),
    ("maintenance", "operations.upkeep_usd", -1.0),
    ("residual", "waterfall.disposal_usd", 1.0),
    ("tax on the residual", "waterfall.disposal_tax_usd", -1.0),
    ("costs left unpaid", "unpaid", 1.0),
    ("reserve drawn", "waterfall.reserve_drawn_usd", 1.0),
    ("senior interest", "waterfall.senior_interest_paid_usd", -1.0),
    ("senior principal", "principal", -1.0),
    ("new loan", "waterfall.new_loan_usd", 1.0),
    ("old loan repaid", "waterfall.repaid_usd", -1.0),
    ("refinancing fee", "waterfall.refinancing_fee_usd", -1.0),
    ("reserve filled up", "waterfall.reserve_added_usd", -1.0),
    ("reserve released", "waterfall.reserve_released_usd", 1.0),
    ("subordinated debt", "waterfall.sub_paid_usd", -1.0),
    ("sweep", "waterfall.sweep_usd", -1.0),
    ("distribution", "waterfall.distribution_usd", -1.0),
    ("cash kept", "waterfall.cash_usd", -1.0),
)


def column_of(model: ProjectModel, path: str) -> Array:
    """A column of the model by its dotted name, as one row of periods."""
    node: Any = model
    for part in path.split("."):
        node = getattr(node, part)
    wide = np.broadcast_to(node, (*np.shape(node)[:-1], model.timing.periods))
    return np.asarray(wide.reshape(-1, model.timing.periods)[0], dtype=np.float64)


def tables_of(company: str, model: ProjectModel) -> Iterator[Table]:
    """All tables of a solved project."""
    yield project_table(model)
    yield sources_uses_table(model)
    yield debt_service_table(company, model)
    yield waterfall_table(model)
    yield covenants_table(model)


def project_table(model: ProjectModel) -> Table:
    """A row a period with the main columns of operation, debt, statements and flows."""
    timing = model.timing
    columns: dict[str, Any] = {
        "period": list(range(timing.periods)),
        "date_end": [end.isoformat() for end in timing.ends],
        "phase": [timing.phase(k) for k in range(timing.periods)],
    }
    columns |= {name: column_of(model, path) for name, path in COLUMNS}
    units = {name: UNITS.get(name, "USD") for name, _ in COLUMNS if name != "locked"}
    return Table(
        "project", columns, units, "Project by period", "Flows fall at the period's end; period 0 is the close."
    )


def debt_service_table(company: str, model: ProjectModel) -> Table:
    """What the senior loan asks of each operating period, and the cover."""
    live = slice(model.timing.first, None)
    columns: dict[str, Any] = {"company": [company] * model.timing.operation}
    columns["period"] = list(range(model.timing.first, model.timing.periods))
    columns["date_end"] = [end.isoformat() for end in model.timing.ends[live]]
    names = {
        "interest_usd": "waterfall.senior_interest_usd",
        "principal_usd": "waterfall.senior_due_usd",
        "cfads_usd": "waterfall.cfads_usd",
        "dscr": "waterfall.dscr",
    }
    columns |= {name: column_of(model, path)[live] for name, path in names.items()}
    return Table("debt_service", columns, {name: UNITS.get(name, "USD") for name in names}, "Debt service")


def waterfall_table(model: ProjectModel) -> Table:
    """Rows of period and step, in the order of payment; what comes in is positive, and a period's steps add up to zero."""
    w = model.waterfall
    own = {
        "": np.concatenate(([0.0], column_of(model, "waterfall.cash_usd")[:-1])),
        "unpaid": np.diff(column_of(model, "waterfall.costs_unpaid_usd"), prepend=0.0),
        "principal": column_of(model, "waterfall.senior_paid_usd")
        - column_of(model, "waterfall.senior_interest_paid_usd"),
    }
    amounts = [sign * (own[path] if path in own else column_of(model, path)) for _, path, sign in STEPS]
    used = [n for n, amount in enumerate(amounts) if np.any(amount[model.timing.first :] != 0)]
    rows = [
        {"period": k, "date_end": model.timing.ends[k].isoformat(), "order": order, "step": STEPS[n][0],
         "amount_usd": float(amounts[n][k])}
        for k in range(model.timing.first, len(w.dscr.reshape(-1, model.timing.periods)[0]))
        for order, n in enumerate(used, start=1)
    ]  # fmt: skip
    names = ["period", "date_end", "order", "step", "amount_usd"]
    return Table.from_rows("waterfall", rows, names, {"amount_usd": "USD"}, "Waterfall")


def sources_uses_table(model: ProjectModel) -> Table:
    """What the project costs until it runs, and who pays; sources are uses and what is left of a prepayment."""
    built = model.sizing.construction
    n = model.timing.periods

    def whole(column: Array) -> float:
        return float(np.broadcast_to(column, (*column.shape[:-1], n)).reshape(-1, n)[0].sum())

    uses = [(part.name, whole(spent)) for part, spent in zip(model.terms.capital, built.parts_usd, strict=True)]
    names = [
        name for name, loan in (("senior", model.terms.senior), ("subordinated", model.terms.subordinated)) if loan
    ]
    for name, fees, interest in zip(names, built.fees_usd, built.interest_usd, strict=True):
        uses += [(f"fees of the {name} loan", whole(fees)), (f"interest of the {name} loan", whole(interest))]
    uses.append(("reserve", whole(built.reserve_usd)))
    prepaid = float(model.metrics["prepaid_usd"])
    left = float(column_of(model, "sizing.construction.cash_usd")[model.timing.first - 1])
    uses.append(("cash at the start of operation", left))
    sources = [(f"{name} debt", whole(drawn)) for name, drawn in zip(names, built.draws_usd, strict=True)]
    sources += [("prepaid by customers", prepaid), ("equity", whole(built.equity_usd))]
    rows = []
    for side, items in (("use", uses), ("source", sources)):
        total = sum(amount for _, amount in items)
        rows += [
            {"side": side, "item": item, "amount_usd": amount, "share": amount / total if total else 0.0}
            for item, amount in items
            if amount != 0
        ]
    units = {"amount_usd": "USD", "share": "share"}
    return Table.from_rows("sources_uses", rows, ["side", "item", "amount_usd", "share"], units, "Sources and uses")


def covenants_table(model: ProjectModel) -> Table:
    """Each covenant at its worst period, and every breach."""
    rows: list[dict[str, Any]] = []
    n = model.timing.periods
    for test in model.covenants:
        value = np.broadcast_to(test.value, (*test.value.shape[:-1], n)).reshape(-1, n)[0]
        level = np.broadcast_to(test.threshold, (*test.threshold.shape[:-1], n)).reshape(-1, n)[0]
        breached = test.breached.reshape(-1, n)[0]
        live = np.isfinite(value) & (np.arange(n) >= model.timing.first)
        if not live.any():
            continue
        distance = np.where(live, level - value if test.name != "payment" else value - level, -np.inf)
        worst = int(np.argmax(distance))
        for k in sorted({worst, *np.flatnonzero(breached).tolist()}):
            rows.append(
                {"covenant": test.name, "period": k, "date_end": model.timing.ends[k].isoformat(), "value": float(value[k]),
                 "threshold": float(level[k]), "unit": test.unit, "breached": bool(breached[k]),
                 "consequence": test.consequence if breached[k] else ""}
            )  # fmt: skip
    names = ["covenant", "period", "date_end", "value", "threshold", "unit", "breached", "consequence"]
    return Table.from_rows("covenants", rows, names, {}, "Covenants", "The worst period of each, and every breach.")


def metrics_table(model: ProjectModel, drawn: Mapping[str, Array], factor: float | None) -> Table:
    """Headline numbers with P10 and P90 over the draws: the debt held as signed but for its own band."""
    rows: list[dict[str, Any]] = []
    for name, key, unit, formula, inputs in HEADLINES:
        if key not in model.metrics or (name.startswith("sub_") and model.terms.subordinated is None):
            continue
        value = float(model.metrics[key].reshape(-1)[0])
        if not np.isfinite(value):
            continue
        over = drawn.get("resized_debt_usd" if name == "debt" else key)
        low, middle, high = percentiles(over) if over is not None else (None, None, None)
        rows.append(
            {"name": name, "value": value, "unit": unit, "low": low, "high": high, "p50": middle, "formula": formula,
             "inputs": inputs}
        )  # fmt: skip
    if drawn:
        short, late = drawn["dscr_min"] < 1, drawn["worst_arrears_usd"] > 1.0
        for name, share, formula in (
            ("cover_below_one_share", float(np.mean(short)), "share of draws in which the least DSCR is below 1"),
            ("arrears_share", float(np.mean(late)), "share of draws in which anything is overdue at some time"),
        ):
            rows.append({"name": name, "value": share, "unit": "share", "formula": formula, "inputs": "draws"})
    if factor is not None:
        rows.append(
            {"name": "price_factor", "value": factor, "unit": "x", "inputs": "price, cover, asked debt",
             "formula": "least factor on all prices at which the debt asked for is carried"}
        )  # fmt: skip
    rows.append(
        {"name": "residual", "value": float(np.max(model.residual_usd)), "unit": "USD", "inputs": "fixed point",
         "formula": f"largest move of debt, interest or need in the last of {model.iterations} rounds"}
    )  # fmt: skip
    columns = ["name", "value", "unit", "low", "high", "p50", "formula", "inputs"]
    return Table.from_rows("metrics", rows, columns, {}, "Headline numbers", "low and high are P10 and P90.")


def inputs_table(data: Mapping[str, Any]) -> Table:
    """What the file gives with an origin: path, value as written, range, kind, source, day, grade."""
    rows = list(_origins(data.get("project", {}), ()))
    columns = ["name", "value", "low", "high", "kind", "grade", "source", "as_of", "note"]
    return Table.from_rows("assumptions", rows, columns, {}, "Inputs and their sources", "As written in the file.")


def _origins(node: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for at, item in enumerate(node):
            name = item.get("id", at) if isinstance(item, Mapping) else at
            yield from _origins(item, (*path, str(name)))
        return
    if not isinstance(node, Mapping):
        return
    if "value" in node or "by_year" in node:
        given = node.get("value", node.get("by_year"))
        yield {
            "name": ".".join(path),
            "value": str(given),
            **_said(node, ("low", "high", "kind", "grade", "source", "as_of", "note")),
        }
        return
    if node.get("source"):
        yield {"name": ".".join(path), "value": "", **_said(node, ("grade", "source", "note"))}
    for key, item in node.items():
        yield from _origins(item, (*path, str(key)))


def _said(node: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, str | None]:
    return {key: None if node.get(key) is None else str(node[key]) for key in keys}

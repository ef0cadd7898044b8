"""The sentences of a project run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.project import ProjectModel
from gigawatt.study.bands import percentiles
from gigawatt.study.load import Default

if TYPE_CHECKING:
    from gigawatt.study.project import ProjectFile

Array = NDArray[np.float64]
_BINDS = {
    "cover": "cover sets its size",
    "gearing": "gearing sets its size",
    "amount": "as agreed",
    "total need": "all that the project needs",
    "none": "",
}


def headline(company: str, model: ProjectModel, drawn: Mapping[str, Array], factor: float | None) -> str:
    """One sentence: what it costs, who pays, how well the debt is covered, what the owners earn."""
    value = {name: float(column.reshape(-1)[0]) for name, column in model.metrics.items()}
    cost = f"'{company}' costs {_usd(value['total_uses_usd'])}"
    if model.terms.senior is None:
        return f"{cost}, paid by equity alone, which earns {_rate(value['equity_irr'])} a year."
    if value["debt_usd"] <= 0:
        return f"{cost} and carries no debt: {_why_none(model)}{_needed(factor)}."
    band = ""
    if "dscr_min" in drawn:
        low, _, high = percentiles(drawn["dscr_min"])
        band = f" [P10 {low:.2f}, P90 {high:.2f}]"
    size = f"{_usd(value['debt_usd'])} of debt ({value['gearing']:.0%} of uses, {_BINDS[model.binds]})"
    late = "" if value["worst_arrears_usd"] <= 1 else f"; up to {_usd(value['worst_arrears_usd'])} is overdue at a time"
    return (
        f"{cost}; {size} is covered {value['dscr_min']:.2f}x at the least{band}, and equity earns "
        f"{_rate(value['equity_irr'])} a year{late}."
    )


def _why_none(model: ProjectModel) -> str:
    cash = model.waterfall.cfads_usd[..., model.timing.first :]
    if not np.any(cash > 0):
        return "no period has cash left for debt service"
    return "its terms leave room for none" if model.binds != "cover" else "cash is missing in some period of the tenor"


def _needed(factor: float | None) -> str:
    return "" if factor is None or factor <= 1 else f"; prices {_change(factor)} would carry what is asked for"


def _change(factor: float) -> str:
    return f"{abs(factor - 1):.1%} {'higher' if factor > 1 else 'lower'}"


def texts(
    file: ProjectFile,
    model: ProjectModel,
    drawn: Mapping[str, Array],
    factor: float | None,
    defaults: Sequence[Default],
) -> dict[str, list[str]]:
    """Lists of sentences by name."""
    return {
        "left_out": list(LEFT_OUT),
        "weakest": [],
        "next": [],
        "notes": _notes(file, model, drawn, factor, defaults),
    }


LEFT_OUT = (
    "Deferred tax, value added tax, tax on distributions, and limits on the deduction of interest.",
    "Interest earned on cash and on the reserve; a maintenance reserve; hedges of the rate of interest.",
    "Limits of law on distributions: what is left goes out even where the balance sheet shows no profit.",
    "What lenders do after a default: levels are tested and shown, payments go on in their order.",
    "Draw-down notices, holidays and days of payment: all flows fall at the end of their period.",
)


def _notes(
    file: ProjectFile,
    model: ProjectModel,
    drawn: Mapping[str, Array],
    factor: float | None,
    defaults: Sequence[Default],
) -> list[str]:
    out = []
    plan = model.terms.senior
    if plan is not None and plan.cover is not None:
        asked = "the debt asked for" if plan.gearing or plan.amount_usd else "any debt"
        if factor is None:
            out.append(f"No change of price within reason carries {asked}.")
        elif model.binds == "cover":
            out.append(f"Cash limits the debt; prices {_change(factor)} would carry {asked}.")
        else:
            out.append(f"Prices {_change(factor)} would still carry {asked}.")
    loan = model.sizing.senior
    if loan is not None and np.any(loan.principal_usd < -0.01):
        count = int(np.sum(loan.principal_usd < -0.01))
        out.append(f"In {count} periods the sculpted principal is negative: the loan grows by unpaid interest.")
    if model.terms.senior is not None and model.terms.senior.repayment == "bullet":
        out.append("The bullet's last payment is left out of cover and reserve.")
    locked = float(model.metrics["locked_periods"].reshape(-1)[0])
    if locked:
        out.append(f"Distributions are locked up in {locked:.0f} periods.")
    if model.refinanced is not None:
        gain = float(model.metrics["refinancing_gain_usd"].reshape(-1)[0])
        done = bool(model.refinanced.done.reshape(-1)[0])
        out.append(
            f"The refinancing is worth {_usd(gain)} to equity at its discount rate."
            if done
            else "The refinancing does not take place: the new loan would not repay the old one and its fee."
        )
    residual = float(np.max(model.residual_usd))
    out.append(f"The circle of debt and interest closed in {model.iterations} rounds to {residual:.1g} USD.")
    if drawn:
        given = "uncertainty" not in {default.path for default in defaults} and "uncertainty.vary" not in {
            default.path for default in defaults
        }
        varied = ", ".join(sorted(file.uncertainty.vary))
        said = "" if given else " (spreads assumed by us)"
        out.append(
            f"P10 to P90 are over {file.uncertainty.samples:,} draws of {varied}{said}, with debt and repayment as signed; "
            "the debt's own band sizes it anew in each draw."
        )
    return out


def _usd(value: float) -> str:
    return f"{value / 1e9:,.3g} B USD" if abs(value) >= 1e9 else f"{value / 1e6:,.3g} M USD"


def _rate(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "no rate"

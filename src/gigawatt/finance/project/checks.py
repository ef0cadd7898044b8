"""What terms must hold before a project can be solved: every fault at once, each with the path of the term.

A project that can not carry its debt is no fault: that is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.finance.project.terms import CURVES, DEPRECIATIONS, REPAYMENTS, STEPS, Loan, Part, Terms


@dataclass(frozen=True, slots=True)
class Fault:
    """A term that can not be: its path ('senior', 'tenor'), what is wrong and what would be right."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hints: tuple[str, ...] = ()


def faults(terms: Terms) -> tuple[Fault, ...]:
    """Every fault of the terms."""
    return tuple(_faults(terms))


def require(terms: Terms) -> None:
    """Refuse terms that can not be solved.

    Raises:
        InputError: every fault found.
    """
    found = faults(terms)
    if found:
        raise InputError([Problem(f.code, f"{'.'.join(map(str, f.path))}: {f.message}", None, f.hints) for f in found])


def _faults(terms: Terms) -> Iterator[Fault]:
    calendar = terms.calendar
    if calendar.step not in STEPS:
        yield _choice(("calendar", "step"), calendar.step, tuple(STEPS))
    if calendar.construction < 0:
        yield Fault(("calendar", "construction"), "negative", "construction can not be negative")
    if calendar.operation < 1:
        yield Fault(("calendar", "operation"), "no_operation", "a project needs at least one operating period")
    if not terms.capital:
        yield Fault(("capital",), "no_capital", "a project needs at least one part of capital cost")
    if not terms.revenue:
        yield Fault(("revenue",), "no_revenue", "a project needs at least one line of revenue")
    for kind in ("capital", "revenue", "costs", "upkeep"):
        names = [line.name for line in getattr(terms, kind)]
        for at, name in enumerate(names):
            if name in names[:at]:
                yield Fault((kind, at), "duplicate_id", f"{kind} has two '{name}'")
    for at, part in enumerate(terms.capital):
        yield from _part(part, ("capital", at), calendar.construction)
    for at, line in enumerate(terms.revenue):
        term = line.contract_periods
        if term is not None and not 0 <= term <= calendar.operation:
            message = f"a contract of {term} periods is longer than the operation of {calendar.operation}"
            yield Fault(("revenue", at, "term"), "term_too_long", message)
    for name, loan in (("senior", terms.senior), ("subordinated", terms.subordinated)):
        if loan is not None:
            yield from _loan(loan, (name,), calendar.operation)
    if terms.subordinated is not None and terms.senior is None:
        yield Fault(("subordinated",), "no_senior", "a subordinated loan stands behind a senior one; there is none")
    if terms.refinancing is not None:
        yield from _refinancing(terms)
    if terms.reserve_months < 0:
        yield Fault(("reserve", "months"), "negative", "a reserve of months can not be negative")
    yield from _finite(terms, ())


def _part(part: Part, path: tuple[str | int, ...], construction: int) -> Iterator[Fault]:
    if part.curve not in CURVES:
        yield _choice((*path, "curve"), part.curve, CURVES)
    if part.tax_method not in DEPRECIATIONS:
        yield _choice((*path, "tax"), part.tax_method, DEPRECIATIONS)
    if part.curve == "shares":
        if len(part.shares) not in (construction, construction + 1):
            message = f"{len(part.shares)} shares for {construction} construction periods"
            yield Fault((*path, "curve"), "wrong_length", message, ("one a period, or one more for the close",))
        if abs(sum(part.shares) - 1) > 1e-9 or any(share < 0 for share in part.shares):
            yield Fault((*path, "curve"), "not_shares", f"shares add up to {sum(part.shares):g}, not to 1")
    if part.life_years <= 0 or (part.tax_life_years is not None and part.tax_life_years <= 0):
        yield Fault((*path, "life"), "no_life", "a life must be above zero")
    if part.tax_method == "table" and not (part.tax_table and 0 < sum(part.tax_table) <= 1 + 1e-9):
        yield Fault((*path, "tax"), "not_shares", "a table of tax depreciation needs shares that add up to 1 at most")


def _loan(loan: Loan, path: tuple[str | int, ...], operation: int) -> Iterator[Fault]:
    if loan.repayment not in REPAYMENTS:
        yield _choice((*path, "repayment"), loan.repayment, REPAYMENTS)
    if not 1 <= loan.tenor <= operation:
        message = f"a tenor of {loan.tenor} periods does not lie in the {operation} that are left of operation"
        yield Fault((*path, "tenor"), "tenor_too_long", message, (f"at most {operation} periods",))
    if loan.cover is None and loan.gearing is None and loan.amount_usd is None:
        yield Fault(path, "no_size", "needs a size", ("give one or more of 'cover', 'gearing' and 'amount'",))
    if loan.cover is not None and np.any(np.asarray(loan.cover) <= 0):
        yield Fault((*path, "cover"), "no_cover", "a cover ratio must be above zero")
    if np.any(np.asarray(loan.rate) <= -1):
        yield Fault((*path, "rate"), "bad_rate", "a rate of interest must be above -100 %")
    if loan.repayment == "table" and loan.shares is None:
        yield Fault((*path, "repayment"), "no_shares", "a repayment table needs its shares")


def _refinancing(terms: Terms) -> Iterator[Fault]:
    plan = terms.refinancing
    assert plan is not None
    if terms.senior is None:
        yield Fault(("refinancing",), "no_senior", "there is no senior loan to refinance")
        return
    if not 1 <= plan.after < terms.senior.tenor:
        message = f"after period {plan.after} there is nothing left to refinance, or not yet anything"
        yield Fault(("refinancing", "after"), "bad_date", message, (f"between 1 and {terms.senior.tenor - 1}",))
        return
    yield from _loan(plan.loan, ("refinancing",), terms.calendar.operation - plan.after)
    if plan.loan.gearing is not None:
        message = "a refinancing is sized by cover or amount: its uses are the old loan"
        yield Fault(("refinancing", "gearing"), "no_gearing", message)


def _choice(path: tuple[str | int, ...], given: str, known: tuple[str, ...]) -> Fault:
    near = nearest(given, known)
    hints = (f"did you mean '{near}'?",) if near else ()
    return Fault(path, "unknown_name", f"'{given}' is none of {', '.join(known)}", hints)


def _finite(node: object, path: tuple[str | int, ...]) -> Iterator[Fault]:
    """Numbers that are not finite, anywhere."""
    if is_dataclass(node):
        for one in fields(node):
            yield from _finite(getattr(node, one.name), (*path, one.name))
    elif isinstance(node, tuple):
        for at, item in enumerate(node):
            yield from _finite(item, (*path, at))
    elif isinstance(node, (float, np.ndarray)) and not np.all(np.isfinite(node)):
        yield Fault(path, "not_finite", "is not a finite number")

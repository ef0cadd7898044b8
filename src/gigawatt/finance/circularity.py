"""How much of the money comes back to where it came from.

Of payments F_ij and money z_i that enters from outside, throughput is T_i = z_i + sum_j F_ji; a dollar at i goes on
to j with probability G_ij = F_ij / T_i, and N = (I - G)^-1 counts its expected visits. Then

    c_i = (n_ii - 1) / n_ii          share of what passes i that comes through it again
    Finn cycling index = sum_i T_i c_i / sum_i T_i
    returned i -> j    = F_ij n_ji / n_ii     what i paid j and gets back, by any path

Where outside money enters changes the answer: the same loop with its outside money at another firm cycles more or
less.

Source: Finn, "Measures of Ecosystem Structure and Function Derived from Analysis of Flows", J. Theor. Biol. 56
(1976).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.ledger import Ledger
from gigawatt.finance.schedule import Array


@dataclass(frozen=True, slots=True)
class Circularity:
    """Index of the whole network, share that cycles by firm, and what each payment brings back to its payer."""

    index: float
    cycled_share: Array
    throughput_usd: Array
    returned_usd: Array


def circularity(payments_usd: ArrayLike, inflow_usd: ArrayLike | None = None, names: Sequence[str] = ()) -> Circularity:
    """Finn's cycling index of `payments_usd[i, j]` (i pays j) with `inflow_usd[i]` from outside.

    Without inflows, each firm that pays more than it gets is taken to receive the difference from outside. `names` are
    for messages only.

    >>> loop = np.array([[0, 10, 0], [0, 0, 55], [35, 0, 0]])   # vendor -> lab -> cloud -> vendor
    >>> round(circularity(loop, [0, 45, 0]).index, 6)
    0.181818

    Raises:
        InputError: negative amounts, or a firm that pays more than reaches it.
    """
    flows = np.asarray(payments_usd, dtype=np.float64)
    n = len(flows)
    if flows.shape != (n, n) or np.any(flows < 0) or np.any(np.diag(flows) != 0):
        message = "payments are a square table of amounts that are not negative, with nothing from a firm to itself"
        raise InputError(Problem("bad_payments", message))
    got, paid = flows.sum(axis=0), flows.sum(axis=1)
    inflow = np.maximum(paid - got, 0.0) if inflow_usd is None else np.asarray(inflow_usd, dtype=np.float64)
    if inflow.shape != (n,) or np.any(inflow < 0):
        raise InputError(Problem("bad_inflow", f"inflows are {n} amounts that are not negative"))
    through = inflow + got
    short = np.flatnonzero(paid > through * (1 + 1e-9) + 1e-9)
    if len(short):
        first = int(short[0])
        name = names[first] if names else f"firm {first}"
        message = f"'{name}' pays {paid[first]:,.0f} USD but only {through[first]:,.0f} USD reaches it"
        raise InputError(Problem("unbalanced", message, None, ("state what enters from outside",)))
    onward = np.divide(flows, through[:, None], out=np.zeros_like(flows), where=through[:, None] > 0)
    try:
        visits = np.linalg.inv(np.eye(n) - onward)
    except np.linalg.LinAlgError:
        message = "a loop that nothing leaves turns for ever: state what leaves it, or what enters from outside"
        raise InputError(Problem("closed_loop", message)) from None
    again = np.diag(visits)
    cycled = (again - 1) / again
    total = through.sum()
    returned = flows * (visits / again[None, :]).T
    return Circularity(float(through @ cycled / total) if total > 0 else 0.0, cycled, through, returned)


def payment_matrix(ledger: Ledger, companies: Sequence[str]) -> tuple[Array, Array]:
    """(payments between `companies`, what others pay each of them), over the horizon; the mean over draws.

    Credits (negative amounts) count as payments the other way; closing entries are left out. Opening cash counts as
    entering from outside where a company pays more than it gets.
    """
    where = {name: k for k, name in enumerate(companies)}
    payments, inflow = np.zeros((len(where), len(where))), np.zeros(len(where))
    for k, line in enumerate(ledger.lines):
        if line.closing:
            continue
        amount = float(ledger.amount_usd[..., k, :].sum(axis=-1).mean())
        payer, payee = (line.payer, line.payee) if amount >= 0 else (line.payee, line.payer)
        if payer in where and payee in where:
            payments[where[payer], where[payee]] += abs(amount)
        elif payee in where:
            inflow[where[payee]] += abs(amount)
    gap = payments.sum(axis=1) - payments.sum(axis=0) - inflow
    return payments, inflow + np.maximum(gap, 0.0)


def loops(payments_usd: ArrayLike) -> list[tuple[int, ...]]:
    """Sets of firms whose money can come round (strongly connected, two or more), largest first.

    >>> loops([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    [(0, 1, 2)]
    """
    from scipy.sparse.csgraph import connected_components

    flows = np.asarray(payments_usd, dtype=np.float64)
    _, label = connected_components(flows > 0, directed=True, connection="strong")
    sets = [tuple(int(k) for k in np.flatnonzero(label == one)) for one in np.unique(label)]
    return sorted((one for one in sets if len(one) > 1), key=lambda one: (-len(one), one))


def breakers(payments_usd: ArrayLike) -> list[int]:
    """Firms without which no loop is left: whose single default stops the money going round."""
    flows = np.asarray(payments_usd, dtype=np.float64)
    if not loops(flows):
        return []
    found = []
    for firm in range(len(flows)):
        rest = flows.copy()
        rest[firm, :] = rest[:, firm] = 0.0
        if not loops(rest):
            found.append(firm)
    return found

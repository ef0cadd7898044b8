"""Clearing of many draws at once: Eisenberg-Noe and Rogers-Veraart by iteration from full payment, with an exact end.

    paid_i = owed_i,                                        or, in default,  own_i cash_i + others_i x what others pay i

The iteration falls to the greatest fixed point; who fell once stays fallen. Where it is slow (rings of debt with little
outside money) the draw is finished by fictitious default (`clearing.clear`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.clearing import clear
from gigawatt.finance.network import Network
from gigawatt.finance.schedule import Array

# Less than this is rounding of sums in the trillions, not a debt unpaid.
CENT = 0.01
# Rounds of plain iteration before the exact method takes over.
ROUNDS = 100
TOLERANCE = 1e-11

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Work:
    """What clearing looks at, in the draws that are not settled yet."""

    rows: Array
    out: Array
    full: Array
    cash: Array
    own: Array
    others: Array

    @property
    def held(self) -> Array:
        return np.where(np.isfinite(self.cash), self.cash, 0.0)

    def only(self, live: Flags) -> _Work:
        return _Work(*(getattr(self, name)[:, live] for name in ("rows", "out", "full", "cash", "own", "others")))


def pay_ratio(net: Network, rows: Array, cash: Array, own: Array, others: Array) -> Array:
    """Share of its debts that each party pays, [parties, draws]: the greatest clearing vector, from above.

    Args:
        net: who pays and gets each row.
        rows: what is owed, [rows, draws].
        cash: what each party holds, [parties, draws]; infinite for a purse that can not run empty.
        own, others: shares of its cash and of what others pay it that survive a default, [parties, draws].

    Each draw stops at its own round, so that it does not matter which others are at hand.
    """
    out: Array = np.asarray(net.out @ rows)
    full: Array = np.asarray(net.into @ rows)
    ratio: Array = np.ones_like(out)
    left = np.arange(rows.shape[1])
    work = _Work(rows, out, full, cash, own, others)
    into: Array = work.full.copy()
    fallen: Flags = np.zeros(out.shape, dtype=np.bool_)
    live: Flags = np.ones(len(left), dtype=np.bool_)
    old = np.ones_like(out)
    for _ in range(ROUNDS):
        fallen = fallen | (work.cash + into < work.out * (1 - 1e-12) - CENT)
        value = work.own * work.held + work.others * into
        new = np.clip(np.divide(value, work.out, out=np.ones_like(value), where=fallen & (work.out > 0)), 0.0, 1.0)
        step = np.abs(new - old) * work.out
        ratio[:, left[live]] = new[:, live]
        live = live & (step > TOLERANCE * work.out + 1e-9).any(axis=0)
        if not live.any():
            return ratio
        if live.mean() < 0.6:
            work, left, new, fallen = work.only(live), left[live], new[:, live], fallen[:, live]
            live = np.ones(len(left), dtype=bool)
        mine = np.asarray(fallen.any(axis=1))[net.row_payer]
        missing = work.rows[mine] * (1 - new[net.row_payer[mine]])
        into = work.full - net.into[:, mine] @ missing
        old = new
    for d in left[live]:
        ratio[:, d] = _exact(net, rows[:, d], cash[:, d], own[:, d], others[:, d])
    return ratio


def _exact(net: Network, row: Array, cash: Array, own: Array, others: Array) -> Array:
    """One draw by fictitious default, where iteration is slow (nearly closed rings of debt)."""
    parties = len(net.parties)
    owed = np.zeros((parties, parties))
    np.add.at(owed, (net.row_payer, net.row_payee), row)
    np.fill_diagonal(owed, 0.0)
    total = owed.sum(axis=1)
    means = np.where(np.isfinite(cash), np.maximum(cash, 0.0), total)
    paid = clear(owed, means, alpha=own, beta=others).paid_usd
    return np.asarray(np.divide(paid, total, out=np.ones(parties), where=total > 0))

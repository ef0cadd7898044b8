"""A day of a site by the hour: the programme with its prices and pauses of blocks, beside SciPy's HiGHS on the same matrix."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from gigawatt.factory.operation import operate, priority, static_split
from gigawatt.factory.operation.model import build
from gigawatt.study.load import load
from gigawatt.study.operate.fleet import setting
from gigawatt.study.pipeline import work_out
from measure import best_of, line

EXAMPLE = "examples/operate/four-jobs-one-site.yaml"


def main() -> None:
    file = Path(str(resources.files("gigawatt"))) / EXAMPLE
    plan_s, answer = best_of(lambda: work_out(load(file)), 1)
    inputs = setting(answer).inputs
    program = build(inputs).program
    shape = (program.row_low.size, program.cost.size)
    matrix = csr_array((program.values, (program.rows, program.columns)), shape=shape)
    upper, lower = np.isfinite(program.row_high), np.isfinite(program.row_low)
    stacked = vstack((csr_array(matrix[upper]), csr_array(-matrix[lower])))
    sides = np.concatenate([program.row_high[upper], -program.row_low[lower]])
    bounds = np.column_stack([program.col_low, program.col_high])
    peer_s, peer = best_of(lambda: linprog(-program.cost, A_ub=stacked, b_ub=sides, bounds=bounds, method="highs"), 3)
    free_s, free = best_of(lambda: operate(inputs.divisible(), prices=False), 3)
    bare_s, _ = best_of(lambda: operate(inputs, prices=False), 3)
    full_s, best = best_of(lambda: operate(inputs), 3)
    other_s, _ = best_of(lambda: (static_split(inputs), priority(inputs)), 3)
    line("columns x rows of a day", f"{shape[1]:,} x {shape[0]}")
    line("SciPy linprog (HiGHS), same matrix", f"{1e3 * peer_s:.1f} ms", f"optimum {-peer.fun * 1e3:,.6g} USD")
    line("divisible blocks, no prices", f"{1e3 * free_s:.1f} ms", f"{free_s / peer_s:.2f} x SciPy")
    line("every pause of the block tried", f"{1e3 * bare_s:.1f} ms", f"{bare_s / peer_s:.1f} x SciPy")
    line("and a MW priced in every hour, both sides", f"{1e3 * full_s:.1f} ms", f"{best.value_usd:,.6g} USD")
    line("static split and priority order", f"{1e3 * other_s:.1f} ms", f"{other_s / peer_s:.2f} x SciPy")
    line("whole day over the plan before it", f"{full_s / plan_s:.3f}", f"the plan takes {plan_s:.1f} s")
    line("given up for whole hours", f"{1.0 - best.value_usd / free.value_usd:.2%}")


if __name__ == "__main__":
    main()

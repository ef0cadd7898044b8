"""The dispatch of a year: without a battery beside NumPy's own sort, with one beside SciPy's linprog on one window of it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, hstack, vstack

from gigawatt.physics.site.dispatch import dispatch
from gigawatt.physics.site.firm import FuelPlant, firm_load
from gigawatt.physics.site.outages import Units
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.supplied import Source
from measure import best_of, line

HOURS, WINDOW = 8760, 216


def year() -> tuple[np.ndarray, list[Source], dict[str, object]]:
    """A made-up site: a grid with a price by hour, sun, three plants of gas."""
    rng = np.random.default_rng(0)
    hour = np.arange(HOURS) % 24
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.3, 1.0, HOURS)
    gas = [Source(f"gas-{k}", np.repeat(rng.binomial(20, 0.94, HOURS // 24), 24) * 2.5) for k in range(3)]
    weights: dict[str, object] = {"grid": 60 + 20 * rng.random(HOURS), "sun": 0.0}
    weights |= {f"gas-{k}": 55.0 + 5 * k for k in range(3)}
    return np.full(HOURS, 240.0), [Source.of("grid", 100.0, HOURS, own=False), Source("sun", 150 * sun), *gas], weights


def window(load: np.ndarray, sources: list[Source], weights: dict[str, object], store: Battery) -> float:
    """One window of the same programme with SciPy: sparse, HiGHS underneath."""
    n, eye = WINDOW, diags_array(np.ones(WINDOW))
    back = eye - diags_array(np.ones(WINDOW - 1), offsets=-1)
    count = len(sources)
    none = csr_array((n, count * n))
    balance = hstack([*[eye] * count, -eye, eye, csr_array((n, n)), eye])
    level = hstack([none, -store.charge_efficiency * eye, eye / store.discharge_efficiency, back, csr_array((n, n))])
    first = np.zeros(n)
    first[0] = 0.5 * store.energy_j / 3600
    cost = [np.broadcast_to(weights[s.name], HOURS)[:n] for s in sources] + [np.zeros(3 * n), np.full(n, 1e5)]
    bounds = [(0, a) for s in sources for a in s.available_w[:n]] + [(0, store.power_w)] * (2 * n)
    bounds += [(0, store.energy_j / 3600)] * n + [(0, None)] * n
    sides = np.concatenate([load[:n], first])
    return float(linprog(np.concatenate(cost), A_eq=vstack([balance, level]), b_eq=sides, bounds=bounds).fun)


def main() -> None:
    load, sources, weights = year()
    store = Battery("packs", 60.0, 240.0 * 3600, 0.92, 0.92)
    table = np.random.default_rng(1).random((len(sources), HOURS))
    sort, _ = best_of(lambda: np.argsort(table, axis=0, kind="stable"))
    plain, _ = best_of(lambda: dispatch(load, sources, weights=weights))
    line("year, no battery, over NumPy's sort", f"{plain / sort:.1f} x", f"{plain * 1e3:.1f} ms")
    peer, _ = best_of(lambda: window(load, sources, weights, store), 3)
    ours, _ = best_of(lambda: dispatch(load, sources, [store], weights), 2)
    windows = HOURS / 168
    line("year with a battery, over 53 windows of linprog", f"{ours / (windows * peer):.2f} x", f"{ours:.2f} s")
    plants = [FuelPlant(Units(20, 2.5, 0.06, 36.0), np.ones(HOURS), np.random.default_rng(k)) for k in range(3)]
    weather = [sources[1].available_w]
    firm, _ = best_of(lambda: firm_load(sources[0].available_w, plants, weather, [store]), 2)
    line("what can be counted on, over a year's dispatch", f"{firm / ours:.2f} x", f"{firm * 1e3:.0f} ms")


if __name__ == "__main__":
    main()

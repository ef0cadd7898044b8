"""The hours of a site as a linear programme, in racks, MW and thousand USD.

    max  sum_{s,h} price_s sold_sh  -  sum_{k,h} price_kh gen_kh
    racks      sum_{g of p} held_gh + off_ph <= up_ph
    use        sum_{j of g} busy_jh + start_g gain_gh <= avail_g held_gh          busy: rack-hours at full load
    hand-over  held_gh - held_g,h-1 <= gain_gh                                     the first hour follows the last
    tokens     sum_{s of w} sold_sh <= sum_{j of w} tok_j busy_jh                  services: in the hour
               sum_{s of w} sold_s  <= sum_{j of w, h} tok_j busy_jh               runs: over all hours
    pace       sum_{j of w, h < m} tok_j busy_jh >= owed_w m                       at each check m
    energy     sum_k gen_kh + sum_b (out_bh - in_bh) = fixed_h + per_it_h IT_h     IT from the ways' mean draw
    power      fixed_h + per_it_h ITpeak_h <= sum_k available_kh + sum_b (out_bh - in_bh)
    hall       ITpeak_h <= hall
    store      level_bh = level_b,h-1 + eff_in in_bh - out_bh / eff_out
    block      busy_gh = b_g where y_gh = 1, 0 where y_gh = 0:  x <= b, x <= B y, x >= b - B (1 - y)

    IT_h = sum_p idle_p (up_ph - off_ph - sum held) + sum_g ready_g held_gh + sum_j (mean_j - ready_g) busy_jh

Tokens of a work are counted in rack-hours of its fastest way, so that all entries are of order one. All rows of a family
are added at once; nothing loops over hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.factory.operation.inputs import Array, Indices, OperateInputs
from gigawatt.factory.solver import LinearProgram

THOUSAND = 1e3
HOUR_S = 3600.0
SMALLEST = 1e-9  # entries are of order one; the solver takes none below this


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each variable stands: [.., H] arrays of column numbers. `part` is sold tokens of runs, [S] (-1 for services)."""

    busy: Indices
    held: Indices
    gain: Indices
    sold: Indices
    part: Indices
    off: Indices
    gen: Indices
    charge: Indices
    discharge: Indices
    level: Indices
    block: Indices
    on: Indices
    split: Indices
    count: int


@dataclass(frozen=True, slots=True)
class Model:
    """The programme, where everything stands in it, and who owns each row: (kind, subject, hour; -1 where none).

    `unit_tokens` is [W] tokens of a rack-hour of each work's fastest way.
    """

    inputs: OperateInputs
    program: LinearProgram
    at: Columns
    rows: tuple[tuple[str, int, int], ...]
    power_row: Indices
    energy_row: Indices
    unit_tokens: Array
    block_lanes: Indices


class _Rows:
    """Collects families of rows."""

    def __init__(self) -> None:
        self.low: list[Array] = []
        self.high: list[Array] = []
        self.owner: list[tuple[str, int, int]] = []
        self.row: list[Indices] = []
        self.column: list[Indices] = []
        self.value: list[Array] = []

    def add(
        self,
        kind: str,
        subject: int,
        hours: ArrayLike,
        terms: Sequence[tuple[Indices, ArrayLike]],
        low: ArrayLike = -np.inf,
        high: ArrayLike = np.inf,
    ) -> Indices:
        """One row an entry of `hours`; each term is (columns [n, rows] or [rows], values that broadcast to it)."""
        when = np.atleast_1d(np.asarray(hours, dtype=np.int64))
        first, n = len(self.owner), when.size
        made = first + np.arange(n)
        for columns, values in terms:
            index = np.atleast_2d(columns)
            if not index.size:
                continue
            value = np.broadcast_to(np.asarray(values, dtype=np.float64), index.shape)
            kept = (value != 0) & (index >= 0)
            self.row.append(np.broadcast_to(made, index.shape)[kept])
            self.column.append(index[kept])
            self.value.append(value[kept])
        self.low.append(np.array(np.broadcast_to(np.asarray(low, dtype=np.float64), n)))
        self.high.append(np.array(np.broadcast_to(np.asarray(high, dtype=np.float64), n)))
        self.owner += [(kind, subject, int(h)) for h in when]
        return made


def build(inputs: OperateInputs, *, static: bool = False) -> Model:
    """The programme of `inputs`; with `static`, racks are tied to one work for all hours (in proportion to those up)."""
    h = inputs.hours
    hours = np.arange(h)
    lanes, ways, works = inputs.lanes, inputs.ways, inputs.works
    kinds = np.array(works.kind)
    blocks = np.flatnonzero(kinds[lanes.work] == "block") if len(lanes) else np.zeros(0, dtype=np.int64)
    at = _columns(inputs, blocks.size, static)
    unit = _unit_tokens(inputs)
    rows = _Rows()
    ready, idle = lanes.ready_it_mw, inputs.idle_it_mw
    tok = ways.tokens_out_per_s * HOUR_S / unit[lanes.work[ways.lane]]

    for p in range(len(inputs.platforms)):
        mine = np.flatnonzero(lanes.platform == p)
        rows.add("racks", p, hours, [(at.held[mine], 1.0), (at.off[p], 1.0)], high=inputs.up_racks[p])
    for g in range(len(lanes)):
        mine = np.flatnonzero(ways.lane == g)
        terms = [(at.busy[mine], 1.0), (at.gain[g], lanes.start_hours[g]), (at.held[g], -lanes.up_share[g])]
        rows.add("use", g, hours, terms, high=0.0)
        rows.add(
            "hand-over", g, hours, [(at.held[g], 1.0), (np.roll(at.held[g], 1), -1.0), (at.gain[g], -1.0)], high=0.0
        )
        if np.isfinite(lanes.most_racks[g]):
            rows.add("size", g, hours, [(at.busy[mine], 1.0)], high=lanes.most_racks[g])
    for w, kind in enumerate(works.kind):
        mine = np.flatnonzero(lanes.work[ways.lane] == w) if len(ways) else np.zeros(0, dtype=np.int64)
        bought = np.flatnonzero(inputs.segments.work == w)
        made = (at.busy[mine], -tok[mine][:, None])
        if kind == "service":
            rows.add("tokens", w, hours, [(at.sold[bought], 1.0), made], high=0.0)
            continue
        if bought.size:
            whole = (at.busy[mine].reshape(-1, 1), -np.repeat(tok[mine], h)[:, None])
            rows.add("tokens", w, -1, [(at.part[bought][:, None], 1.0), whole], high=0.0)
        if works.owed_tokens_per_s[w] > 0:
            for m in _checks(int(works.check_hours[w]), h):
                done = (at.busy[mine][:, :m].reshape(-1, 1), np.repeat(tok[mine], m)[:, None])
                rows.add("pace", w, m, [done], low=works.owed_tokens_per_s[w] * HOUR_S * m / unit[w])
    _power(inputs, rows, at, idle, ready)
    power_row, energy_row = (
        np.array([i for i, owner in enumerate(rows.owner) if owner[0] == kind], dtype=np.int64)
        for kind in ("power", "energy")
    )
    for n, lane in enumerate(blocks):
        _block(inputs, rows, at, n, int(lane))
    if static:
        share = inputs.up_racks / np.maximum(inputs.up_racks.max(axis=1, keepdims=True), 1e-12)
        for g in range(len(lanes)):
            column = np.full(h, at.split[g])
            rows.add("split", g, hours, [(at.held[g], 1.0), (column, -share[lanes.platform[g]])], low=0.0, high=0.0)
    return Model(
        inputs, _program(inputs, rows, at, unit, blocks), at, tuple(rows.owner), power_row, energy_row, unit, blocks
    )


def _columns(inputs: OperateInputs, blocks: int, static: bool) -> Columns:
    h, n_g = inputs.hours, len(inputs.lanes)
    n_s, n_b = len(inputs.segments.names), len(inputs.stores.names)
    service = np.array([inputs.works.kind[w] == "service" for w in inputs.segments.work], dtype=bool)
    at: int = 0

    def take(rows: int, keep: NDArray[np.bool_] | None = None) -> Indices:
        nonlocal at
        shape = np.ones((rows, h), dtype=bool) if keep is None else np.broadcast_to(keep, (rows, h))
        out = np.full((rows, h), -1, dtype=np.int64)
        out[shape] = at + np.arange(int(shape.sum()))
        at += int(shape.sum())
        return out

    busy, held, gain = take(len(inputs.ways)), take(n_g), take(n_g)
    sold = take(n_s, service[:, None])
    part = np.full(n_s, -1, dtype=np.int64)
    part[~service] = at + np.arange(int((~service).sum()))
    at += int(np.count_nonzero(~service))
    off = take(len(inputs.platforms), inputs.may_stop[None, :])
    gen = take(len(inputs.sources.names))
    charge, discharge, level = take(n_b), take(n_b), take(n_b)
    block = at + np.arange(blocks)
    at += blocks
    on = take(blocks)
    split = at + np.arange(n_g if static else 0)
    at += len(split)
    return Columns(busy, held, gain, sold, part, off, gen, charge, discharge, level, block, on, split, at)


def _unit_tokens(inputs: OperateInputs) -> Array:
    """[W] tokens of a rack-hour of the fastest way; 1 where a work has none."""
    fastest = np.zeros(len(inputs.works.names))
    if len(inputs.ways):
        np.maximum.at(fastest, inputs.lanes.work[inputs.ways.lane], inputs.ways.tokens_out_per_s * HOUR_S)
    return np.where(fastest > 0, fastest, 1.0)


def _checks(every: int, hours: int) -> list[int]:
    return [*range(every, hours, every), hours]


def _power(inputs: OperateInputs, rows: _Rows, at: Columns, idle: Array, ready: Array) -> None:
    """Energy, power and hall: what racks draw against what there is."""
    ways, lanes, stores = inputs.ways, inputs.lanes, inputs.stores
    hours = np.arange(inputs.hours)
    base = idle @ inputs.up_racks
    held = (ready - idle[lanes.platform])[:, None]
    peak, mean = ((x - ready[ways.lane])[:, None] for x in (ways.peak_it_mw, ways.mean_it_mw))
    stopped = -idle[:, None]
    per = inputs.per_it[None, :]
    drawn: list[tuple[Indices, ArrayLike]] = [
        (at.gen, 1.0),
        (at.charge, -1.0),
        (at.discharge, 1.0),
        (at.busy, -mean * per),
        (at.held, -held * per),
        (at.off, -stopped * per),
    ]
    fixed = inputs.fixed_mw + inputs.per_it * base
    rows.add("energy", 0, hours, drawn, low=fixed, high=fixed)
    top: list[tuple[Indices, ArrayLike]] = [
        (at.busy, peak * per),
        (at.held, held * per),
        (at.off, stopped * per),
        (at.charge, 1.0),
        (at.discharge, -1.0),
    ]
    rows.add("power", 0, hours, top, high=inputs.cap_mw - fixed)
    if np.isfinite(inputs.hall_it_mw):
        inside: list[tuple[Indices, ArrayLike]] = [(at.busy, peak), (at.held, held), (at.off, stopped)]
        rows.add("hall", 0, hours, inside, high=inputs.hall_it_mw - base)
    for b in range(len(stores.names)):
        flow = [(at.charge[b], -stores.charge_efficiency[b]), (at.discharge[b], 1.0 / stores.discharge_efficiency[b])]
        rows.add("store", b, hours, [(at.level[b], 1.0), (np.roll(at.level[b], 1), -1.0), *flow], low=0.0, high=0.0)


def _block(inputs: OperateInputs, rows: _Rows, at: Columns, n: int, g: int) -> None:
    """All racks of a block run or none, and always the same number of them."""
    hours = np.arange(inputs.hours)
    mine = at.busy[np.flatnonzero(inputs.ways.lane == g)]
    most = block_limit(inputs, g)
    size = np.full(inputs.hours, at.block[n])
    rows.add("block", g, hours, [(mine, 1.0), (size, -1.0)], high=0.0)
    rows.add("block", g, hours, [(mine, 1.0), (at.on[n], -most)], high=0.0)
    rows.add("block", g, hours, [(mine, 1.0), (size, -1.0), (at.on[n], -most)], low=-most)


def held_on(model: Model, on: Array) -> LinearProgram:
    """The programme with the hours of all blocks held."""
    low, high = model.program.col_low.copy(), model.program.col_high.copy()
    low[model.at.on] = high[model.at.on] = on
    return replace(model.program, col_low=low, col_high=high, integer=np.zeros_like(model.program.integer))


def block_limit(inputs: OperateInputs, g: int) -> float:
    """The most racks that a lane's block may hold."""
    owned = float(inputs.up_racks[inputs.lanes.platform[g]].max(initial=0.0))
    return float(min(inputs.lanes.most_racks[g], owned)) * float(inputs.lanes.up_share[g])


def _program(inputs: OperateInputs, rows: _Rows, at: Columns, unit: Array, blocks: Indices) -> LinearProgram:
    segments = inputs.segments
    cost, low, high = np.zeros(at.count), np.zeros(at.count), np.full(at.count, np.inf)
    price = segments.usd_per_mtok * unit[segments.work] / 1e6 / THOUSAND
    wanted = segments.tokens_per_s * HOUR_S / unit[segments.work][:, None]
    hourly = at.sold >= 0
    cost[at.sold[hourly]] = np.broadcast_to(price[:, None], at.sold.shape)[hourly]
    high[at.sold[hourly]] = wanted[hourly]
    runs = at.part >= 0
    cost[at.part[runs]], high[at.part[runs]] = price[runs], wanted.sum(axis=1)[runs]
    cost[at.gen] = -inputs.sources.usd_per_mwh / THOUSAND
    high[at.gen] = inputs.sources.available_mw
    for column, most in ((at.charge, inputs.stores.power_mw), (at.discharge, inputs.stores.power_mw),
                         (at.level, inputs.stores.energy_mwh)):  # fmt: skip
        high[column] = most[:, None]
    integer = np.zeros(at.count, dtype=np.bool_)
    integer[at.on] = True
    high[at.on] = 1.0
    high[at.block] = [block_limit(inputs, int(g)) for g in blocks]
    names = tuple(f"{kind} {subject} {hour}" for kind, subject, hour in rows.owner)
    entries = _summed(np.concatenate(rows.row), np.concatenate(rows.column), np.concatenate(rows.value))
    return LinearProgram(cost, low, high, np.concatenate(rows.low), np.concatenate(rows.high), *entries, names, integer)


def _summed(row: Indices, column: Indices, value: Array) -> tuple[Indices, Indices, Array]:
    """Entries that stand at one place, added up: the solver takes no duplicates."""
    key = row.astype(np.int64) * (int(column.max(initial=0)) + 1) + column
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    total = np.zeros(first.size)
    np.add.at(total, inverse, value)
    kept = np.abs(total) >= SMALLEST
    return row[first][kept], column[first][kept], total[kept]

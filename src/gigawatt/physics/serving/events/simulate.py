"""Requests and a fleet to an outcome: lays out the kernel's arrays, runs it, reads the columns back."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.serving.events import rows
from gigawatt.physics.serving.events.compiled import compiled, has_numba, is_loaded, plain
from gigawatt.physics.serving.events.curve import StepCurve
from gigawatt.physics.serving.events.fleet import ROLES, ROUTINGS, Fleet, Scaling
from gigawatt.physics.serving.events.outcome import Outcome
from gigawatt.physics.serving.events.requests import Ints, Requests

SOLVERS = ("auto", "python", "numba")
MAX_CLASSES = 64
# Loading the compiled kernel takes about as long as Python needs for so many requests; compiling it once, longer.
_WORTH_COMPILING = 20_000


def simulate(
    requests: Requests,
    fleet: Fleet,
    *,
    users: int = 0,
    think_s: float = 0.0,
    bin_s: float = math.inf,
    skip: bool = True,
    solver: str = "auto",
) -> Outcome:
    """Serve the requests; the same input gives the same bytes.

    Args:
        requests: with `users` above 0 their arrival times are left aside.
        fleet: instances, routing, what happens to them.
        users: closed loop: so many ask at once at time 0, and each again `think_s` after its answer, while requests last.
        bin_s: length of the intervals of time for which the fleet's use is kept.
        skip: one event for a stretch of like steps; False goes step by step (the check of the other).
        solver: python, numba (extra `fast`), or auto: numba where it is loaded already, or installed and there are many
            requests (see `prepare`).

    Raises:
        InputError: unknown solver or numba not installed, over 64 priorities, users or times out of range, users beside
            requests that follow others.
    """
    _check(users, think_s, bin_s, solver)
    if users > 0 and bool(np.any(requests.after >= 0)):
        raise InputError(Problem("conflict", "requests that follow others come when these end; leave `users` away"))
    door_s, door_token_s = fleet.groups[0].curve.api_s, fleet.groups[0].curve.api_token_s
    order = None
    if users == 0:
        enter_s = requests.arrival_s + door_s + door_token_s * requests.input_tokens
        if door_token_s > 0:
            order = np.argsort(enter_s, kind="stable")
    else:
        enter_s = np.zeros(len(requests)) + door_s + door_token_s * requests.input_tokens
    reqs, classes = _request_rows(requests, enter_s, order)
    _link(requests, reqs, order)
    world = _world(requests, fleet, reqs, classes, users, think_s, bin_s, skip)
    pays = is_loaded() or (len(requests) >= _WORTH_COMPILING and has_numba())
    if solver == "numba" or (solver == "auto" and pays):
        compiled()(world)
    else:
        _in_python(world)
    return Outcome.read(requests, fleet, world, order, closed=users > 0)


def prepare(requests: int) -> str:
    """Make ready for simulations of so many requests in all: load the compiled kernel (or compile it, once) if that pays.

    Returns the solver that `auto` takes from then on. So loading does not count where a simulation is timed.
    """
    if requests < _WORTH_COMPILING or not has_numba():
        return "numba" if is_loaded() else "python"
    one = StepCurve.affine(step_s=1.0, max_num_seqs=1)
    simulate(Requests.of(0.0, 1, 1), Fleet.of(one), solver="numba")
    return "numba"


def _check(users: int, think_s: float, bin_s: float, solver: str) -> None:
    if solver not in SOLVERS:
        raise InputError(unknown_name("solver", solver, SOLVERS))
    if solver == "numba" and not has_numba():
        raise InputError(Problem("missing", "solver numba needs the extra: pip install 'gigawatt[fast]'"))
    if users < 0 or think_s < 0 or not bin_s > 0:
        raise InputError(Problem("out_of_range", "users and think_s must not be negative, bin_s must be above 0"))


def _dense(ids: Ints) -> tuple[Ints, int]:
    """The same ids as 0 .. n - 1 (where they are near that already, as they are) and how many there may be."""
    if len(ids) == 0:
        return ids, 0
    if int(ids.min()) >= 0 and int(ids.max()) < 4 * len(ids) + 1024:
        return ids, int(ids.max()) + 1
    known, inverse = np.unique(ids, return_inverse=True)
    return inverse.astype(np.int64), len(known)


def _request_rows(requests: Requests, enter_s: NDArray[np.float64], order: Ints | None) -> tuple[NDArray[Any], int]:
    n = len(requests)
    table = rows.empty(rows.RequestRow, n)
    klass, classes = requests.priority, 1
    if int(klass.max()) > 0 or int(klass.min()) > 0:
        known, klass = np.unique(klass, return_inverse=True)
        classes = len(known)
    if classes > MAX_CLASSES:
        raise InputError(Problem("out_of_range", f"{classes} priorities; at most {MAX_CLASSES} can be told apart"))
    session, _ = (
        _dense(requests.session)
        if int(requests.session.max()) >= 0 and int(requests.session.min()) >= 0
        else (
            requests.session,
            0,
        )
    )
    columns = {
        "enter_s": enter_s,
        "input": requests.input_tokens,
        "output": requests.output_tokens,
        "klass": klass,
        "session": session,
        "hash_from": requests.hash_from[:-1],
        "hashes": np.diff(requests.hash_from),
    }
    for name, column in columns.items():
        table[name] = column if order is None else column[order]
    for name in ("instance", "source", "phase", "next", "prev", "later", "earlier"):
        table[name] = -1
    for name in ("scheduled_s", "first_s", "finish_s"):
        table[name] = -1.0
    return table, classes


def _link(requests: Requests, reqs: NDArray[Any], order: Ints | None) -> None:
    """Who follows whom, in the rows' order of entry."""
    reqs["follower"] = reqs["beside"] = -1
    rows_with = np.flatnonzero(requests.after >= 0)
    if len(rows_with) == 0:
        return
    place = np.arange(len(reqs))
    if order is not None:
        place[order] = np.arange(len(reqs))
    mine, theirs = place[rows_with], place[requests.after[rows_with]]
    reqs["follows"][mine] = 1
    reqs["think_s"][mine] = requests.think_s[rows_with]
    for r, before in zip(mine[::-1].tolist(), theirs[::-1].tolist(), strict=True):
        reqs["beside"][r] = reqs["follower"][before]
        reqs["follower"][before] = r


def _curve_rows(curves: list[StepCurve], block_tokens: int, hashed: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    table = rows.empty(rows.CurveRow, len(curves))
    parts: list[NDArray[np.float64]] = []
    at = 0
    for row, c in zip(table, curves, strict=True):
        for name, part in (("decode", c.decode_s), ("token", c.token_s), ("chunk", c.chunk_s), ("beside", c.beside)):
            row[f"{name}_at"] = at
            parts.append(part)
            at += len(part)
        row["chunk_size"], row["stride"], row["pair_s"] = len(c.chunk_s), c.chunk_stride, c.pair_s
        row["seqs"], row["budget"] = c.max_num_seqs, c.token_budget
        row["ranks"], row["part"] = c.ranks, -(-c.token_budget // c.ranks)
        row["gate_steps"], row["gate_prompts"] = c.gate_steps, c.gate_prompts
        row["blocks"], row["block"] = c.kv_blocks, c.block_size
        row["held_back"] = int(c.held_back * c.kv_blocks)
        row["growth_steps"] = max(1, int(c.block_size / c.tokens_per_step + 1e-9))
        row["growth_blocks"] = max(1, math.ceil(c.tokens_per_step / c.block_size - 1e-9))
        row["tokens_per_step"], row["seen_steps"], row["reserve"] = c.tokens_per_step, c.seen_steps, int(c.reserve)
        row["static"] = int(c.static_batch)
        row["node_blocks"] = -(-block_tokens // c.block_size) if hashed and c.prefix_cache else 0
        row["longest"], row["queue_limit"] = c.longest, c.max_waiting
    return table, np.concatenate(parts)


def _instance_rows(fleet: Fleet, curve_of: list[int], curves: NDArray[Any]) -> NDArray[Any]:
    table = rows.empty(rows.InstanceRow, fleet.instances)
    counts = [group.count for group in fleet.groups]
    table["curve"] = np.repeat(curve_of, counts)
    table["role"] = np.repeat([ROLES[group.role] for group in fleet.groups], counts)
    table["free"] = curves["blocks"][table["curve"]]
    for name in ("oldest", "newest", "head", "tail"):
        table[name] = -1
    if fleet.scaling is not None:
        table["state"][fleet.scaling.least :] = rows.OFF
    return table


def _controls(fleet: Fleet) -> NDArray[Any]:
    events = [(at_s, rows.SET_SPEED, 0, factor * fleet.pace) for at_s, factor in fleet.speed]
    for outage in fleet.outages:
        events.append((outage.start_s, rows.BREAK, outage.instance, 0.0))
        events.append((outage.end_s, rows.REPAIR, outage.instance, 0.0))
    events.sort(key=lambda event: event[0])
    return np.array(events, dtype=rows.records(rows.ControlRow))


def _world(
    requests: Requests,
    fleet: Fleet,
    reqs: NDArray[Any],
    classes: int,
    users: int,
    think_s: float,
    bin_s: float,
    skip: bool,
) -> rows.World:
    distinct: dict[int, StepCurve] = {id(group.curve): group.curve for group in fleet.groups}
    where = {key: at for at, key in enumerate(distinct)}
    hashes, kinds = _dense(requests.hashes)
    curves, tables = _curve_rows(list(distinct.values()), requests.block_tokens, len(hashes) > 0)
    insts = _instance_rows(fleet, [where[id(group.curve)] for group in fleet.groups], curves)
    n, count = len(reqs), len(insts)
    seats, cycle = int(curves["seqs"].max()), int(curves["growth_steps"].max())
    kept = curves["node_blocks"][insts["curve"]]
    room = int(np.sum(np.where(kept > 0, curves["blocks"][insts["curve"]] // np.maximum(kept, 1), 0)))
    nodes = rows.empty(rows.NodeRow, min(room, len(hashes)))
    nodes["chain"] = np.append(np.arange(1, len(nodes)), -1)[: len(nodes)]
    buckets = 1 << max(0, math.ceil(math.log2(2 * len(nodes)))) if len(nodes) else 1
    bins = _bins(requests, bin_s, users)
    ints, at = _laid_out(
        pools=np.zeros(4, dtype=np.int64),
        finish_where=np.full(n, -1),
        agenda_where=np.full(count, -1),
        entry_where=np.full(n, -1),
        load_where=np.full(count, -1),
        queue=np.full(4 * count * classes, -1),
        outside=np.full(2 * classes, -1),
        phases=np.zeros(count * cycle, dtype=np.int64),
        hashes=hashes,
        held=np.zeros(len(hashes), dtype=np.int64),
        buckets=np.full(buckets, -1),
        remembered=np.full(kinds if fleet.routing == "prefix" else 0, -1),
        homes=np.full(max(int(reqs["session"].max()) + 1, 0), -1),
    )
    floats, bins_at = _laid_out(tables=tables, bins_at=np.zeros(bins * rows.BIN_COLUMNS))
    heaps = np.cumsum([0, count * seats, count, n, 2 * count])
    heap = rows.empty(rows.HeapRow, int(heaps[-1]))
    state = rows.empty(rows.StateRow, 1)
    scaling = fleet.scaling or Scaling(1.0, 0, 0, math.inf)
    told: dict[str, float] = {
        **at,
        "bins_at": bins_at["bins_at"],
        "agenda_at": heaps[1],
        "entry_at": heaps[2],
        "load_at": heaps[3],
        "free_node": 0 if len(nodes) else -1,
        "speed": fleet.pace,
        "tick_s": scaling.every_s,
        "requests": n,
        "instances": count,
        "classes": classes,
        "seats": seats,
        "cycle": cycle,
        "bins": bins,
        "bin_s": bin_s,
        "block_tokens": requests.block_tokens,
        "bucket_mask": buckets - 1,
        "skip": int(skip),
        "routing": ROUTINGS.index(fleet.routing),
        "users": users,
        "think_s": think_s,
        "door_s": fleet.groups[0].curve.api_s,
        "door_token_s": fleet.groups[0].curve.api_token_s,
        "transfer_s": fleet.transfer_s,
        "transfer_token_s": fleet.transfer_token_s,
        "balance_requests": fleet.balance_requests,
        "balance_ratio": fleet.balance_ratio,
        "every_s": scaling.every_s,
        "target": scaling.target,
        "lag_s": scaling.lag_s,
        "calm_s": scaling.calm_s,
        "least": scaling.least,
        "most": min(scaling.most, count),
    }
    for name, value in told.items():
        state[name] = value
    for pool, members in enumerate((insts["role"] != rows.DECODE, insts["role"] == rows.DECODE)):
        on = np.flatnonzero(members & (insts["state"] == rows.ON))
        heap["item"][heaps[3] + pool * count : heaps[3] + pool * count + len(on)] = on
        ints[at["load_where"] + on] = np.arange(len(on))
        ints[at["pools"] + 2 * pool] = len(on)
    if users > 0:
        first = min(users, n)
        by_time = np.argsort(reqs["enter_s"][:first], kind="stable")
        heap["key"][heaps[2] : heaps[2] + first] = reqs["enter_s"][by_time]
        heap["item"][heaps[2] : heaps[2] + first] = by_time
        ints[at["entry_where"] + by_time] = np.arange(first)
        state["entries"] = state["next"] = first
    arrays = (state, reqs, insts, curves, nodes, heap, _controls(fleet), ints, floats)
    return rows.World(*cast(tuple[Any, ...], arrays))


def _laid_out(**parts: NDArray[Any]) -> tuple[NDArray[Any], dict[str, int]]:
    """Parts one after another in one array, and where each begins."""
    sizes = [len(part) for part in parts.values()]
    starts = dict(zip(parts, (np.cumsum(sizes) - sizes).tolist(), strict=True))
    return np.concatenate(list(parts.values())), starts


def _bins(requests: Requests, bin_s: float, users: int) -> int:
    """Intervals to the last arrival and one for what comes after; one for all where no length is given."""
    if not math.isfinite(bin_s):
        return 1
    return 1 if users else int(requests.arrival_s[-1] / bin_s) + 2


def _in_python(world: rows.World) -> None:
    """Run on lists and objects, which Python reads faster than arrays, and write back what changed."""
    arrays = cast(dict[str, NDArray[Any]], world._asdict())
    lists: dict[str, Any] = {name: rows.as_objects(row, arrays[name]) for name, row in rows.RECORDS.items()}
    lists.update({name: arrays[name].tolist() for name in ("ints", "floats")})
    plain(rows.World(**lists))
    for name in ("state", "reqs", "insts"):
        rows.write_back(lists[name], arrays[name])
    arrays["floats"][:] = lists["floats"]

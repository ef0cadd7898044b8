"""One instance: its queue by class, who runs in order of admission, who decodes and how their caches grow.

Those who decode grow by `growth_blocks` every `growth_steps` steps. Counting them by the step of that cycle at which they
grow tells the blocks of any number of steps without looking at a request.
"""

from __future__ import annotations

import math

from gigawatt.physics.serving.events.heap import push, remove
from gigawatt.physics.serving.events.ledger import made
from gigawatt.physics.serving.events.rows import RUNNING, WAITING, CurveRow, InstanceRow, RequestRow, World


def grown(w: World, i: int, x: InstanceRow, c: CurveRow, step: int, steps: int) -> int:
    """Blocks by which those who decode grow in `steps` steps from `step` on."""
    s = w.state[0]
    cycles = steps // c.growth_steps
    total = cycles * x.growers
    base = s.phases + i * s.cycle
    for j in range(steps - cycles * c.growth_steps):
        total += w.ints[base + (step + j) % c.growth_steps]
    return total * c.growth_blocks


def steps_with_room(w: World, i: int, x: InstanceRow, c: CurveRow, steps: int) -> int:
    """How many of `steps` steps after the one just planned find blocks enough to grow."""
    s = w.state[0]
    room = x.free + x.idle
    cycle = x.growers * c.growth_blocks
    if cycle * ((steps + c.growth_steps - 1) // c.growth_steps) <= room:
        return steps
    count = room // cycle * c.growth_steps
    room -= room // cycle * cycle
    base = s.phases + i * s.cycle
    while count < steps:
        room -= w.ints[base + (x.step + 1 + count) % c.growth_steps] * c.growth_blocks
        if room < 0:
            break
        count += 1
    return min(count, steps)


def note_queue(x: InstanceRow, now_s: float, change_by: int) -> None:
    """Keep the integral of the queue's length."""
    x.queue_s += x.waiting * (now_s - x.queue_since_s)
    x.queue_since_s = now_s
    x.waiting += change_by


def wait(w: World, i: int, r: int, now_s: float, first: bool) -> None:
    """Put a request at the end (or the beginning) of the queue of its class."""
    s = w.state[0]
    q = w.reqs[r]
    q.status = WAITING
    q.instance = i
    note_queue(w.insts[i], now_s, 1)
    at = 4 * (i * s.classes + q.klass)
    head, tail = w.ints[s.queue + at], w.ints[s.queue + at + 1]
    if first:
        q.prev, q.next = -1, head
        if head >= 0:
            w.reqs[head].prev = r
        else:
            w.ints[s.queue + at + 1] = r
        w.ints[s.queue + at] = r
    else:
        q.prev, q.next = tail, -1
        if tail >= 0:
            w.reqs[tail].next = r
        else:
            w.ints[s.queue + at] = r
        w.ints[s.queue + at + 1] = r


def first_waiting(w: World, i: int) -> int:
    """The request next in turn: the first of the most urgent class that waits; -1 for none."""
    s = w.state[0]
    for k in range(s.classes):
        head = w.ints[s.queue + 4 * (i * s.classes + k)]
        if head >= 0:
            return head
    return -1


def unqueue(w: World, i: int, r: int, now_s: float) -> None:
    """Take the first of its class out of the queue."""
    s = w.state[0]
    q = w.reqs[r]
    at = 4 * (i * s.classes + q.klass)
    w.ints[s.queue + at] = q.next
    if q.next >= 0:
        w.reqs[q.next].prev = -1
    else:
        w.ints[s.queue + at + 1] = -1
    note_queue(w.insts[i], now_s, -1)


def last_admitted(w: World, i: int) -> int:
    """Who gives way: of the least urgent class that runs, the one admitted last."""
    s = w.state[0]
    for k in range(s.classes - 1, -1, -1):
        tail = w.ints[s.queue + 4 * (i * s.classes + k) + 3]
        if tail >= 0:
            return tail
    return -1


def join(w: World, i: int, r: int) -> None:
    """Enter a request among those that run."""
    s = w.state[0]
    q = w.reqs[r]
    q.status = RUNNING
    at = 4 * (i * s.classes + q.klass)
    tail = w.ints[s.queue + at + 3]
    q.earlier, q.later = tail, -1
    if tail >= 0:
        w.reqs[tail].later = r
    else:
        w.ints[s.queue + at + 2] = r
    w.ints[s.queue + at + 3] = r


def leave(w: World, i: int, q: RequestRow) -> None:
    """Take a request out of those that run."""
    s = w.state[0]
    at = 4 * (i * s.classes + q.klass)
    if q.earlier >= 0:
        w.reqs[q.earlier].later = q.later
    else:
        w.ints[s.queue + at + 2] = q.later
    if q.later >= 0:
        w.reqs[q.later].earlier = q.earlier
    else:
        w.ints[s.queue + at + 3] = q.earlier


def stop_decoding(w: World, i: int, r: int) -> None:
    """Take a request out of decoding: its growth so far becomes blocks of its own, its tokens are counted as made."""
    s = w.state[0]
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    remove(w.heap, w.ints, s.finish_where, i * s.seats, x.decoding, w.ints[s.finish_where + r])
    x.decoding -= 1
    done = x.step - q.since
    x.context -= q.goal + c.tokens_per_step * done
    if x.decoding == 0:
        x.context = 0.0
    if q.phase >= 0:
        m = c.growth_steps
        q.units += ((x.step - 1 - q.phase) // m - (q.since - 1 - q.phase) // m) * c.growth_blocks
        w.ints[s.phases + i * s.cycle + q.phase] -= 1
        x.growers -= 1
        q.phase = -1
    total = q.output if x.step >= q.finish_step else min(q.made + int(done * c.tokens_per_step + 1e-9), q.output - 1)
    made(w, x, total - q.made, done * c.tokens_per_step)
    q.made = total


def start_decoding(w: World, i: int, r: int) -> None:
    """Enter a request among those who decode, from the next step on."""
    s = w.state[0]
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    q.since = x.step
    q.finish_step = x.step + math.ceil((q.output - q.made) / c.tokens_per_step - 1e-9)
    push(w.heap, w.ints, s.finish_where, i * s.seats, x.decoding, float(q.finish_step), r)
    x.decoding += 1
    x.context += q.goal
    if c.reserve == 0:
        spare = q.nodes * s.block_tokens + q.units * c.block
        q.phase = (x.step + int((spare - q.goal) / c.tokens_per_step + 1e-9)) % c.growth_steps
        w.ints[s.phases + i * s.cycle + q.phase] += 1
        x.growers += 1

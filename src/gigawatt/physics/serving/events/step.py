"""The steps of one instance: what enters the next one, how long it takes, what has ended after it.

    step      = base[b] + slope[b] context + chunk(p) + pair_s pairs         b decode, p prompt tokens enter
    k steps   = k first + rise k (k - 1) / 2                                 rise = slope[b] b tokens_per_step

While nothing but decoding happens, steps up to the next end of a request, the next arrival that could be admitted, or
the end of the cache are one stretch. An arrival cuts it at the end of the step in which it falls.
"""

from __future__ import annotations

import math

from gigawatt.physics.serving.events.heap import change, push
from gigawatt.physics.serving.events.instance import (
    first_waiting,
    grown,
    join,
    last_admitted,
    leave,
    start_decoding,
    steps_with_room,
    stop_decoding,
    unqueue,
    wait,
)
from gigawatt.physics.serving.events.ledger import account, made
from gigawatt.physics.serving.events.prefix import claim, let_go, share, take
from gigawatt.physics.serving.events.rows import (
    BY_TOKENS,
    DECODE,
    DONE,
    MOVING,
    PREFILL,
    PULLED,
    ROUND_ROBIN,
    CurveRow,
    InstanceRow,
    RequestRow,
    World,
)


def stretch_s(x: InstanceRow, steps: int) -> float:
    """Seconds of the first `steps` steps of the stretch."""
    return steps * x.first_s + x.rise_s * (0.5 * steps * (steps - 1))


def steps_by(x: InstanceRow, seconds: float) -> int:
    """The least number of steps of the stretch, at least one, that end at or after `seconds` from its beginning."""
    if x.rise_s > 0.0:
        half = x.first_s - 0.5 * x.rise_s
        steps = int((math.sqrt(half * half + 2.0 * x.rise_s * max(seconds, 0.0)) - half) / x.rise_s)
    elif x.first_s > 0.0:
        steps = int(seconds / x.first_s)
    else:
        steps = x.steps
    steps = max(min(steps, x.steps) - 1, 1)
    while steps < x.steps and x.began_s + stretch_s(x, steps) < x.began_s + seconds:
        steps += 1
    return steps


def along(w: World, c: CurveRow, table: int, tokens: float) -> float:
    """Seconds of so many prompt tokens; linear between the entries of a table, and on beyond the last."""
    at = min(int(tokens / c.stride), c.chunk_size - 2)
    low, high = w.floats[table + at], w.floats[table + at + 1]
    return low + (high - low) * (tokens / c.stride - at)


def chunk_s(w: World, c: CurveRow, tokens: int, pairs: float, prompts: int) -> float:
    """Seconds that prompts' tokens add to a step, on as many ranks as there are prompts."""
    if c.ranks == 1:
        return along(w, c, c.chunk_at, float(tokens)) + c.pair_s * pairs
    lanes = min(prompts, c.ranks)
    alone, beside = along(w, c, c.chunk_at, tokens / lanes), along(w, c, c.beside_at, tokens / lanes)
    return alone + (beside - alone) * (lanes - 1) / (c.ranks - 1) + c.pair_s * pairs / lanes


def call_in(w: World, most: int, now_s: float) -> None:
    """Let so many of those that wait outside come in, the most urgent first."""
    s = w.state[0]
    for k in range(s.classes):
        at = s.outside + 2 * k
        while most > 0 and w.ints[at] >= 0:
            r = w.ints[at]
            w.ints[at] = w.reqs[r].next
            if w.ints[at] < 0:
                w.ints[at + 1] = -1
            s.held_up -= 1
            s.inside -= 1
            most -= 1
            send(w, r, now_s)


def fullness(w: World, x: InstanceRow) -> float:
    """By what routers order instances: their load, or of their seats the share that is taken."""
    s = w.state[0]
    return x.load / w.curves[x.curve].seqs if s.routing == PULLED else x.load


def add_load(w: World, i: int, q: RequestRow, sign: float) -> None:
    """Count a request among those sent to an instance, or no more."""
    s = w.state[0]
    x = w.insts[i]
    x.load += sign * (q.input if s.routing == BY_TOKENS else 1.0)
    if s.routing != ROUND_ROBIN and w.ints[s.load_where + i] >= 0:
        pool = 1 if x.role == DECODE else 0
        base, size = s.load_at + pool * s.instances, w.ints[s.pools + 2 * pool]
        change(w.heap, w.ints, s.load_where, base, size, w.ints[s.load_where + i], fullness(w, x))


def send(w: World, r: int, at_s: float) -> None:
    """Let a request come in at a time."""
    s = w.state[0]
    push(w.heap, w.ints, s.entry_where, s.entry_at, s.entries, at_s, r)
    s.entries += 1


def over(w: World, r: int, now_s: float, status: int) -> None:
    """A request is done or refused; those that follow it come in, and in a closed loop its user asks again."""
    s = w.state[0]
    q = w.reqs[r]
    q.status = status
    q.finish_s = now_s
    s.over += 1
    s.inside -= 1
    r = q.follower
    while r >= 0:
        asks = w.reqs[r]
        asks.enter_s = max(asks.enter_s, now_s + asks.think_s + s.door_s + s.door_token_s * asks.input)
        send(w, r, asks.enter_s)
        r = asks.beside
    if s.users > 0 and s.next < s.requests:
        following = s.next
        s.next += 1
        asks = w.reqs[following]
        asks.enter_s = now_s + s.think_s + s.door_s + s.door_token_s * asks.input
        send(w, following, asks.enter_s)


def end(w: World, i: int, r: int, now_s: float) -> None:
    """A request has all its tokens."""
    q = w.reqs[r]
    leave(w, i, q)
    let_go(w, w.insts[i], q)
    add_load(w, i, q, -1.0)
    over(w, r, now_s, DONE)
    s = w.state[0]
    if s.held_up > 0:
        call_in(w, 1, now_s)


def preempt(w: World, i: int, r: int, now_s: float) -> None:
    """Take a running request's blocks and put it first in its queue, to compute all again."""
    s = w.state[0]
    x, q = w.insts[i], w.reqs[r]
    if w.ints[s.finish_where + r] >= 0:
        stop_decoding(w, i, r)
    else:
        if q.prev >= 0:
            w.reqs[q.prev].next = q.next
        else:
            x.head = q.next
        if q.next >= 0:
            w.reqs[q.next].prev = q.prev
        else:
            x.tail = q.prev
        x.prefilling -= 1
    leave(w, i, q)
    let_go(w, x, q)
    q.goal = q.input + q.made
    q.computed = 0
    q.preempted += 1
    wait(w, i, r, now_s, True)


def admit(w: World, i: int, r: int, now_s: float) -> bool:
    """Give the first of the queue its blocks, if there are enough, and let it run."""
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    extra = q.input + q.output - q.goal if c.reserve > 0 else 0
    room = x.free + x.idle - (c.held_back if x.decoding + x.prefilling > 0 else 0)
    if q.source >= 0:
        return receive(w, i, r, room, extra, now_s)
    found = claim(w, i, q, room, extra)
    if found < 0:
        return False
    enroll(w, i, r, now_s)
    if q.full > 0:
        x.lookups += q.goal
        x.hits += found
    if q.preempted + q.restarts == 0:
        q.cached = found
    q.computed = found
    q.prev, q.next = x.tail, -1
    if x.tail >= 0:
        w.reqs[x.tail].next = r
    else:
        x.head = r
    x.tail = r
    x.prefilling += 1
    return True


def enroll(w: World, i: int, r: int, now_s: float) -> None:
    """From the queue to those that run."""
    q = w.reqs[r]
    unqueue(w, i, r, now_s)
    join(w, i, r)
    if q.scheduled_s < 0.0:
        q.scheduled_s = now_s


def receive(w: World, i: int, r: int, room: int, extra: int, now_s: float) -> bool:
    """Admit a request whose cache comes from the prefill pool, where it stays until now; it decodes in this very step."""
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    own = (q.goal + extra + c.block - 1) // c.block
    steps = int((own * c.block - q.goal) / c.tokens_per_step + 1e-9)
    growth = c.growth_blocks if c.reserve == 0 and steps % c.growth_steps == 0 else 0
    if own + growth > room:
        return False
    give_up_source(w, q, now_s)
    take(w, x, own + growth)
    q.units, q.full = own, 0
    enroll(w, i, r, now_s)
    q.computed = q.goal
    if q.first_s < 0.0:
        q.first_s = now_s
    start_decoding(w, i, r)
    return True


def give_up_source(w: World, q: RequestRow, now_s: float) -> None:
    """Free the blocks that a moving request still has on the prefill pool."""
    let_go(w, w.insts[q.source], q)
    rouse(w, q.source, now_s)
    q.source = -1


def steps_to_look(x: InstanceRow, c: CurveRow, ahead: int) -> int:
    """Steps until the queue is looked at, from `ahead` steps on; 0 where it is looked at then."""
    if c.gate_steps == 1 or x.waiting >= c.gate_prompts or x.decoding + x.prefilling == 0:
        return 0
    return -(x.step + ahead) % c.gate_steps


def plan(w: World, i: int, now_s: float) -> bool:
    """Make up the next stretch of steps of an instance; False where there is nothing to do."""
    s = w.state[0]
    x = w.insts[i]
    c = w.curves[x.curve]
    pushed = False
    growth = grown(w, i, x, c, x.step, 1) if x.growers > 0 else 0
    while growth > x.free + x.idle:
        preempt(w, i, last_admitted(w, i), now_s)
        growth = grown(w, i, x, c, x.step, 1)
        pushed = True
    if growth > 0:
        take(w, x, growth)
    budget, tokens, pairs, prompts = c.budget - x.decoding, 0, 0.0, 0
    r = x.head
    while r >= 0 and budget > 0:
        q = w.reqs[r]
        part = min(q.goal - q.computed, budget, c.part)
        pairs += part * (q.computed + 0.5 * (part + 1))
        q.computed += part
        budget -= part
        tokens += part
        prompts += 1
        share(w, i, x, q)
        r = q.next
    shut = x.waiting > 0 and steps_to_look(x, c, 0) > 0
    closed = pushed or shut or (c.static > 0 and x.decoding + x.prefilling > 0)
    while x.waiting > 0 and not closed and budget > 0 and x.decoding + x.prefilling < c.seqs:
        r = first_waiting(w, i)
        if not admit(w, i, r, now_s):
            break
        q = w.reqs[r]
        if q.computed < q.goal:
            part = min(q.goal - q.computed, budget, c.part)
            pairs += part * (q.computed + 0.5 * (part + 1))
            q.computed += part
            tokens += part
            prompts += 1
            share(w, i, x, q)
        else:
            part = 1
        budget -= part
    if tokens == 0 and x.decoding == 0:
        return False
    b = x.decoding
    slope = w.floats[c.token_at + b]
    speed = s.speed
    seconds = 0.0
    if b > 0:
        seconds = w.floats[c.decode_at + b] + slope * (x.context + b * c.tokens_per_step)
    steps = 1
    if tokens > 0:
        seconds += chunk_s(w, c, tokens, pairs, prompts)
    elif s.skip > 0 and not pushed:
        steps = int(w.heap[i * s.seats].key) - x.step
        if shut:
            steps = min(steps, steps_to_look(x, c, 0))
        if x.growers > 0:
            steps = 1 + steps_with_room(w, i, x, c, steps - 1)
    x.began_s = now_s
    x.first_s = seconds / speed
    x.rise_s = slope * b * c.tokens_per_step / speed
    x.chunk = tokens
    x.steps = steps
    x.clock_s = now_s + stretch_s(x, steps)
    return True


def cut(w: World, i: int, now_s: float) -> None:
    """End the stretch at the end of the step under way."""
    x = w.insts[i]
    steps = steps_by(x, now_s - x.began_s)
    steps = min(steps + steps_to_look(x, w.curves[x.curve], steps), x.steps)
    if steps < x.steps:
        x.steps = steps
        x.clock_s = x.began_s + stretch_s(x, steps)


def rouse(w: World, i: int, now_s: float) -> None:
    """Something changed at an instance: it looks at its queue at the end of its step, at once if it is idle."""
    s = w.state[0]
    x = w.insts[i]
    if w.ints[s.agenda_where + i] < 0:
        push(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, now_s, i)
        s.agenda += 1
    elif x.steps > 1:
        cut(w, i, now_s)
        change(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, w.ints[s.agenda_where + i], x.clock_s)


def close(w: World, i: int, now_s: float) -> None:
    """The stretch is over: count it, let those go who are done, move finished prompts on."""
    s = w.state[0]
    x = w.insts[i]
    c = w.curves[x.curve]
    account(w, x, c)
    steps = x.steps
    x.steps = 0
    if steps > 1 and x.growers > 0:
        take(w, x, grown(w, i, x, c, x.step + 1, steps - 1))
    x.most_used = max(x.most_used, c.blocks - x.free - x.idle)
    x.step += steps
    x.context += x.decoding * c.tokens_per_step * steps
    base = i * s.seats
    while x.decoding > 0 and w.heap[base].key <= x.step:
        r = w.heap[base].item
        stop_decoding(w, i, r)
        end(w, i, r, now_s)
    r = x.head
    while r >= 0 and w.reqs[r].computed == w.reqs[r].goal:
        following = w.reqs[r].next
        x.prefilling -= 1
        prompt_done(w, i, r, now_s)
        r = following
    x.head = r
    if r >= 0:
        w.reqs[r].prev = -1
    else:
        x.tail = -1


def prompt_done(w: World, i: int, r: int, now_s: float) -> None:
    """A prompt is in the cache and has made a token: it decodes on, moves to the decode pool, or is done."""
    s = w.state[0]
    x, q = w.insts[i], w.reqs[r]
    q.made += 1
    made(w, x, 1, 0.0)
    if x.role == PREFILL and q.made < q.output:
        # Its blocks stay until the cache has moved.
        leave(w, i, q)
        q.status = MOVING
        q.source = i
        send(w, r, now_s + s.transfer_s + s.transfer_token_s * q.goal)
        return
    if q.first_s < 0.0:
        q.first_s = now_s
    if q.made >= q.output:
        end(w, i, r, now_s)
    else:
        start_decoding(w, i, r)

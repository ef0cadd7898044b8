"""Which instance a request goes to, its place in the queue there, and who waits where no instance is on.

    round robin    the next instance in turn
    by requests    the fewest requests sent there and not done
    by tokens      the fewest prompt tokens of such requests
    by prefix      where the longest known prefix was sent last, unless that one has over `balance_requests` more requests
                   than the least loaded and over `balance_ratio` times as many; then the least loaded
    by session     where the session went first, as long as it is on
    pulled         a common queue by class: an instance with a seat free takes the next

A router knows prompts and its own decisions, not the length of answers nor what an instance has thrown away.
"""

from __future__ import annotations

from gigawatt.physics.serving.events.heap import push, remove
from gigawatt.physics.serving.events.instance import first_waiting, wait
from gigawatt.physics.serving.events.prefix import most_blocks
from gigawatt.physics.serving.events.rows import (
    BY_PREFIX,
    BY_SESSION,
    DECODE,
    MOVING,
    PULLED,
    REFUSED,
    ROUND_ROBIN,
    UNSEEN,
    WAITING,
    CurveRow,
    InstanceRow,
    World,
)
from gigawatt.physics.serving.events.step import add_load, fullness, give_up_source, over, rouse, send, steps_by


def open_to_router(w: World, i: int) -> None:
    """An instance takes requests from now on."""
    s = w.state[0]
    x = w.insts[i]
    pool = 1 if x.role == DECODE else 0
    push(w.heap, w.ints, s.load_where, s.load_at + pool * s.instances, w.ints[s.pools + 2 * pool], fullness(w, x), i)
    w.ints[s.pools + 2 * pool] += 1


def close_to_router(w: World, i: int) -> None:
    """An instance takes no requests from now on."""
    s = w.state[0]
    if w.ints[s.load_where + i] >= 0:
        pool = 1 if w.insts[i].role == DECODE else 0
        base, size = s.load_at + pool * s.instances, w.ints[s.pools + 2 * pool]
        remove(w.heap, w.ints, s.load_where, base, size, w.ints[s.load_where + i])
        w.ints[s.pools + 2 * pool] -= 1


def route(w: World, r: int, pool: int) -> int:
    """The instance of a pool for a request; -1 where none is on."""
    s = w.state[0]
    size = w.ints[s.pools + 2 * pool]
    if size == 0:
        return -1
    base = s.load_at + pool * s.instances
    best = w.heap[base].item
    if s.routing == PULLED and pool == 0 and w.insts[best].load >= w.curves[w.insts[best].curve].seqs:
        return -1
    if size == 1:
        return best
    q = w.reqs[r]
    if s.routing == ROUND_ROBIN:
        at = w.ints[s.pools + 2 * pool + 1] % size
        w.ints[s.pools + 2 * pool + 1] = at + 1
        return w.heap[base + at].item
    if s.routing == BY_SESSION and pool == 0 and q.session >= 0:
        home = w.ints[s.homes + q.session]
        if home >= 0 and w.ints[s.load_where + home] >= 0:
            return home
        w.ints[s.homes + q.session] = best
    if s.routing == BY_PREFIX and pool == 0 and q.hashes > 0:
        j = q.hashes - 1
        while j >= 0:
            home = w.ints[s.remembered + w.ints[s.hashes + q.hash_from + j]]
            if home >= 0 and w.ints[s.load_where + home] >= 0:
                high = w.insts[home].load
                low = w.insts[best].load
                if high - low <= s.balance_requests or high <= s.balance_ratio * low:
                    best = home
                break
            j -= 1
        for k in range(q.hash_from, q.hash_from + q.hashes):
            w.ints[s.remembered + w.ints[s.hashes + k]] = best
    return best


def enqueue(w: World, i: int, r: int, now_s: float) -> None:
    """Send a request to an instance, or refuse it: longer than the context or the cache, or a full queue."""
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    if q.input + q.output > c.longest or x.waiting >= c.queue_limit or most_blocks(w, c, q) > c.blocks:
        q.instance = i
        over(w, r, now_s, REFUSED)
        return
    unseen_s = 0.0 if q.status == MOVING or c.seen_steps == 0.0 else unseen(w, x, c, q.input, now_s)
    add_load(w, i, q, 1.0)
    q.instance = i
    if unseen_s > 0.0:
        q.status = UNSEEN
        send(w, r, now_s + unseen_s)
    else:
        line_up(w, i, r, now_s)


def unseen(w: World, x: InstanceRow, c: CurveRow, prompt: int, now_s: float) -> float:
    """Seconds until the engine sees a request, in steps as they are now; of one sequence where nobody decodes."""
    if x.decoding > 0:
        past = x.steps if x.steps < 2 else steps_by(x, now_s - x.began_s)
        context = x.context + x.decoding * c.tokens_per_step * past
        step_s = w.floats[c.decode_at + x.decoding] + w.floats[c.token_at + x.decoding] * context
        return max(c.seen_steps - 1.5, 0.0) * step_s
    return c.seen_steps * (w.floats[c.decode_at + 1] + w.floats[c.token_at + 1] * prompt)


def line_up(w: World, i: int, r: int, now_s: float) -> None:
    """Put a request into the queue; if it can be next, the instance looks at it at the end of its step."""
    s = w.state[0]
    x, q = w.insts[i], w.reqs[r]
    c = w.curves[x.curve]
    leads = x.waiting == 0 or w.reqs[first_waiting(w, i)].klass > q.klass
    wait(w, i, r, now_s, False)
    # Behind others it has to wait for them, and where all seats are taken for an end: the stretch goes on.
    opens = leads or x.waiting == c.gate_prompts
    if w.ints[s.agenda_where + i] < 0 or (opens and x.decoding + x.prefilling < c.seqs):
        rouse(w, i, now_s)


def hold_up(w: World, r: int, now_s: float) -> None:
    """No instance is on, or none has a seat free: the request waits outside."""
    s = w.state[0]
    q = w.reqs[r]
    if q.source >= 0:
        give_up_source(w, q, now_s)
    q.status = WAITING
    q.instance = -1
    q.next = -1
    at = s.outside + 2 * q.klass
    if w.ints[at + 1] >= 0:
        w.reqs[w.ints[at + 1]].next = r
    else:
        w.ints[at] = r
    w.ints[at + 1] = r
    s.held_up += 1

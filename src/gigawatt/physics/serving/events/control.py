"""What happens to a fleet from outside: speed under a power cap, failures and repairs, instances started and stopped.

wanted instances = requests inside / target, between `least` and `most`; looked at every `tick_s`
an instance that starts serves after `lag_s`; one that stops takes no more requests and goes off when it is empty
"""

from __future__ import annotations

import math

from gigawatt.physics.serving.events.heap import change, push, remove
from gigawatt.physics.serving.events.instance import first_waiting, grown, leave, stop_decoding, unqueue
from gigawatt.physics.serving.events.ledger import was_on
from gigawatt.physics.serving.events.prefix import forget, let_go, unlink
from gigawatt.physics.serving.events.routing import close_to_router, open_to_router
from gigawatt.physics.serving.events.rows import (
    BREAK,
    BROKEN,
    DECODE,
    DRAINING,
    OFF,
    ON,
    SET_SPEED,
    STARTING,
    WAITING,
    World,
)
from gigawatt.physics.serving.events.step import add_load, call_in, close, give_up_source, send, steps_by, stretch_s


def power_off(w: World, i: int, now_s: float, state: int) -> None:
    """Count the time an instance was on; it is in another state from now on."""
    x = w.insts[i]
    was_on(w, x, now_s)
    x.state = state


def power_on(w: World, i: int, at_s: float) -> None:
    """Start an instance that was off or broken; it takes requests from `at_s` on."""
    s = w.state[0]
    x = w.insts[i]
    x.state = STARTING
    x.on_since_s = s.now_s
    x.steps = 0
    x.clock_s = at_s
    push(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, at_s, i)
    s.agenda += 1


def ready(w: World, i: int, now_s: float) -> None:
    """An instance has started."""
    w.insts[i].state = ON
    open_to_router(w, i)
    s = w.state[0]
    call_in(w, s.held_up, now_s)


def happen(w: World, kind: int, who: int, value: float, now_s: float) -> None:
    """Change the speed of all steps that begin from now on, break an instance, or repair it."""
    s = w.state[0]
    if kind == SET_SPEED:
        s.speed = value
        for i in range(s.instances):
            x = w.insts[i]
            if x.steps > 1:
                x.steps = steps_by(x, now_s - x.began_s)
                x.clock_s = x.began_s + stretch_s(x, x.steps)
                change(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, w.ints[s.agenda_where + i], x.clock_s)
    elif kind == BREAK:
        fail(w, who, now_s)
    elif w.insts[who].state == BROKEN:
        power_on(w, who, now_s)


def fail(w: World, i: int, now_s: float) -> None:
    """An instance breaks: the step under way and the cache are lost; its requests go elsewhere and are computed again."""
    s = w.state[0]
    x = w.insts[i]
    if x.state == OFF or x.state == BROKEN:
        return
    close_to_router(w, i)
    if x.steps > 0:
        whole = steps_by(x, now_s - x.began_s)
        if x.began_s + stretch_s(x, whole) > now_s:
            whole -= 1
        x.steps = whole
        if whole > 0:
            x.clock_s = x.began_s + stretch_s(x, whole)
            close(w, i, x.clock_s)
        else:
            # The blocks taken for the step under way belong to no request yet.
            x.free += grown(w, i, x, w.curves[x.curve], x.step, 1)
    if w.ints[s.agenda_where + i] >= 0:
        remove(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, w.ints[s.agenda_where + i])
        s.agenda -= 1
    for k in range(s.classes):
        at = 4 * (i * s.classes + k) + 2
        while w.ints[s.queue + at] >= 0:
            r = w.ints[s.queue + at]
            q = w.reqs[r]
            if w.ints[s.finish_where + r] >= 0:
                stop_decoding(w, i, r)
            leave(w, i, q)
            let_go(w, x, q)
            again(w, i, r, now_s)
    while x.waiting > 0:
        r = first_waiting(w, i)
        unqueue(w, i, r, now_s)
        again(w, i, r, now_s)
    x.head, x.tail, x.prefilling = -1, -1, 0
    while x.oldest >= 0:
        at = x.oldest
        unlink(w, x, w.nodes[at])
        forget(w, at)
        x.idle -= w.curves[x.curve].node_blocks
        x.free += w.curves[x.curve].node_blocks
    power_off(w, i, now_s, BROKEN)


def again(w: World, i: int, r: int, now_s: float) -> None:
    """Send a request of a broken instance elsewhere: what it made so far stays with its user, the rest is to be made."""
    s = w.state[0]
    q = w.reqs[r]
    add_load(w, i, q, -1.0)
    if q.source >= 0:
        give_up_source(w, q, now_s)
    q.computed = 0
    q.restarts += 1
    q.status = WAITING
    s.inside -= 1
    send(w, r, now_s)


def tick(w: World, now_s: float) -> None:
    """Compare what is inside with what the instances on are meant for; start or stop some."""
    s = w.state[0]
    s.tick_s = now_s + s.every_s
    wanted = min(max(math.ceil(s.inside / s.target), s.least), s.most)
    active = 0
    for i in range(s.instances):
        if w.insts[i].state == ON or w.insts[i].state == STARTING:
            active += 1
    if wanted >= active:
        s.calm_since_s = now_s
    for i in range(s.instances):
        x = w.insts[i]
        if active < wanted and x.state == DRAINING:
            x.state = ON
            open_to_router(w, i)
            active += 1
        elif active < wanted and x.state == OFF:
            power_on(w, i, now_s + s.lag_s)
            active += 1
    if active > wanted and now_s - s.calm_since_s >= s.calm_s:
        for i in range(s.instances - 1, -1, -1):
            x = w.insts[i]
            if active > wanted and x.state == ON and x.role != DECODE:
                close_to_router(w, i)
                x.state = DRAINING
                active -= 1
                if w.ints[s.agenda_where + i] < 0 and x.load == 0.0:
                    power_off(w, i, now_s, OFF)

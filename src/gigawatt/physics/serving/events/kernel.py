"""The loop over events: arrivals, requests on their way, what happens to the fleet, ends of stretches.

At one time, requests come in before what happens to the fleet, and both before an instance makes up its next step. Each
event costs the logarithm of the instances; no event looks at all of them but a change of speed and a tick of scaling.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gigawatt.physics.serving.events.control import happen, power_off, ready, tick
from gigawatt.physics.serving.events.heap import change, remove
from gigawatt.physics.serving.events.routing import enqueue, hold_up, line_up, route
from gigawatt.physics.serving.events.rows import (
    BROKEN,
    DRAINING,
    MOVING,
    OFF,
    STARTING,
    UNSEEN,
    WAITING,
    World,
)
from gigawatt.physics.serving.events.step import add_load, call_in, close, plan


def enter(w: World, r: int, now_s: float) -> None:
    """A request comes in, for the first time or again, or its cache has come to the decode pool."""
    s = w.state[0]
    q = w.reqs[r]
    pool = 0
    if q.status == UNSEEN:
        if w.insts[q.instance].state != BROKEN:
            line_up(w, q.instance, r, now_s)
            return
        add_load(w, q.instance, q, -1.0)
        q.status = WAITING
    elif q.status == MOVING:
        pool = 1
        add_load(w, q.source, q, -1.0)
        if s.held_up > 0:
            call_in(w, 1, now_s)
        q.goal = q.input
    else:
        q.goal = q.input + q.made
        s.inside += 1
    i = route(w, r, pool)
    if i < 0:
        hold_up(w, r, now_s)
    else:
        enqueue(w, i, r, now_s)


def turn(w: World, i: int, now_s: float) -> None:
    """An instance's stretch is over, or it was woken: make up its next one."""
    s = w.state[0]
    x = w.insts[i]
    if x.state == STARTING:
        ready(w, i, now_s)
    elif x.steps > 0:
        close(w, i, now_s)
    if s.entries > 0 and w.heap[s.entry_at].key <= now_s:
        # What comes in now may join the next step; it is looked at first.
        return
    if plan(w, i, now_s):
        change(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, w.ints[s.agenda_where + i], x.clock_s)
        return
    remove(w.heap, w.ints, s.agenda_where, s.agenda_at, s.agenda, w.ints[s.agenda_where + i])
    s.agenda -= 1
    if x.state == DRAINING and x.load == 0.0:
        power_off(w, i, now_s, OFF)


def run(w: World) -> None:
    """Serve all requests, or as many as can be."""
    s = w.state[0]
    size = s.requests
    while s.over < size:
        while s.next < size and w.reqs[s.next].follows > 0:
            s.next += 1
        arrival_s = w.reqs[s.next].enter_s if s.users == 0 and s.next < size else math.inf
        entry_s = w.heap[s.entry_at].key if s.entries > 0 else math.inf
        control_s = w.controls[s.control].at_s if s.control < len(w.controls) else math.inf
        turn_s = w.heap[s.agenda_at].key if s.agenda > 0 else math.inf
        now_s = min(arrival_s, entry_s, control_s, s.tick_s, turn_s)
        if now_s == math.inf:
            break
        if s.inside == 0 and min(arrival_s, entry_s, control_s) == math.inf:
            # Nothing but ticks of scaling is left.
            break
        s.now_s = now_s
        s.events += 1
        if arrival_s == now_s:
            r = s.next
            s.next += 1
            enter(w, r, now_s)
        elif entry_s == now_s:
            r = w.heap[s.entry_at].item
            remove(w.heap, w.ints, s.entry_where, s.entry_at, s.entries, 0)
            s.entries -= 1
            enter(w, r, now_s)
        elif control_s == now_s:
            event = w.controls[s.control]
            s.control += 1
            happen(w, event.kind, event.who, event.value, now_s)
        elif s.tick_s == now_s:
            tick(w, now_s)
        else:
            turn(w, w.heap[s.agenda_at].item, now_s)
    for i in range(s.instances):
        x = w.insts[i]
        if x.state != OFF and x.state != BROKEN:
            power_off(w, i, s.now_s, x.state)


def world_at(address: int) -> World:
    """The world at an address; the compiled kernel has its own."""
    raise NotImplementedError


def stamped(stamp: int) -> Callable[[int], int]:
    """`run` on the world at an address, under a stamp of the sources, so that a compiled copy of older ones is not used."""

    def run_stamped(address: int) -> int:
        run(world_at(address))
        return stamp

    return run_stamped

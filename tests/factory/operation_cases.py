"""Cases for the hours of a site: one small site in plain numbers, and random ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from gigawatt.factory.operation import Lanes, OperateInputs, Segments, Sources, Stores, Ways, Works


def site(
    hours: int = 24,
    *,
    cap_mw: float = 10.0,
    cut: float = 0.0,
    racks: float = 76.0,
    pace: tuple[float, float, float] = (6e5, 1.3e5, 6e4),
    swing: float = 0.25,
    demand: float = 16e6,
    kind: str = "block",
    start_hours: float = 0.05,
    up_share: float = 0.99,
    price_swing: float = 20.0,
    stores: Stores | None = None,
) -> OperateInputs:
    """One platform; a service in two modes and two prices, a pre-training run, reinforcement learning, data work."""
    h = np.arange(hours)
    wave = 1 + swing * np.cos(2 * np.pi * (h - 20) / 24)
    available = np.full((1, hours), cap_mw)
    late = slice(hours // 2, hours // 2 + max(hours // 6, 1))
    available[0, late] *= 1 - cut
    works = Works(
        ("chat", "pretrain", "reason", "corpus"),
        ("service", kind, "elastic", "waiting"),
        np.array([0.0, *pace]),
        np.array([hours, min(24, hours), min(24, hours), hours]),
    )
    lanes = Lanes(
        np.zeros(4, dtype=np.int64),
        np.arange(4),
        np.full(4, 0.05),
        np.full(4, start_hours),
        np.array([np.inf, 15.0, 6.0, np.inf]),
        np.array([up_share, 1.0, 1.0, up_share]),
    )
    ways = Ways(
        np.array([0, 0, 1, 2, 3]),
        ("full", "efficient", "full", "full", "full"),
        np.array([0.114, 0.100, 0.110, 0.100, 0.100]),
        np.array([0.114, 0.100, 0.108, 0.080, 0.100]),
        np.array([1e6, 9e5, 0.0, 0.0, 1e5]),
        np.array([2.9e5, 2.7e5, 6e4, 5.5e4, 3e6]),
    )
    segments = Segments(
        ("chat", "chat, tier 2"),
        np.array([0, 0]),
        np.array([0.3, 0.2]),
        np.stack([0.75 * demand * wave, 0.25 * demand * wave]),
    )
    price = 60.0 + price_swing * (wave - 1.0)
    return OperateInputs(
        platforms=("gb300",),
        up_racks=np.full((1, hours), racks),
        idle_it_mw=np.array([0.03]),
        works=works,
        lanes=lanes,
        ways=ways,
        segments=segments,
        sources=Sources(("grid",), available, price[None, :].copy(), np.full((1, hours), 350.0)),
        per_it=1.13 + 0.01 * wave,
        fixed_mw=np.full(hours, 0.1),
        may_stop=available[0] < cap_mw,
        stores=stores or Stores.none(),
        hall_it_mw=9.0,
    )


def with_power(inputs: OperateInputs, more_mw: float, hour: int | None = None) -> OperateInputs:
    """The same with more at the meter, in all hours or one."""
    available = inputs.sources.available_mw.copy()
    available[0, slice(None) if hour is None else hour] += more_mw
    return replace(inputs, sources=replace(inputs.sources, available_mw=available))


@st.composite
def sites(draw: st.DrawFn) -> OperateInputs:
    """A random site of a few hours."""
    share = st.floats(0.0, 1.0)
    return site(
        draw(st.sampled_from([4, 6, 8])),
        cap_mw=draw(st.floats(6.0, 12.0)),
        cut=draw(st.floats(0.0, 0.6)),
        racks=draw(st.floats(40.0, 90.0)),
        pace=(6e5 * draw(share), 2e5 * draw(share), 1e6 * draw(share)),
        swing=draw(st.floats(0.0, 0.9)),
        demand=20e6 * draw(share) + 1e6,
        kind=draw(st.sampled_from(["block", "elastic"])),
        start_hours=draw(st.floats(0.0, 0.3)),
        up_share=draw(st.floats(0.9, 1.0)),
    )

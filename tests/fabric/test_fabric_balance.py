"""What hashing, placement and failures leave of a network, as shares of the closed form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric import Fabric, balanced, collective_seconds
from gigawatt.physics.fabric.constants import ideal

NDR = Fabric(
    "ndr", "infiniband", "switched", "hopper", 450e9, 8, 8, 50e9, 50e9, 1, radix=64, topology="rail_fat_tree"
)  # fmt: skip
HASHED = replace(NDR, topology="fat_tree", routing="ecmp", technology="roce")


def test_a_network_that_spreads_its_flows_keeps_all() -> None:
    assert balanced(NDR, 1024) is NDR
    assert balanced(HASHED, 8) is HASHED


def test_hashing_costs_a_ring_and_more_queue_pairs_win_it_back() -> None:
    shares = [balanced(replace(HASHED, queue_pairs=pairs), 1024).ring_share for pairs in (1, 4, 16)]
    assert shares[0] < 0.8
    assert shares[0] < shares[1] <= shares[2] <= 1
    # Rails keep a packed ring off the spines; random places put it there.
    rails = replace(HASHED, topology="rail_fat_tree")
    assert balanced(rails, 1024).ring_share == 1
    assert balanced(rails, 1024, 512, placement="random").ring_share < 0.8


def test_failed_cables_cost_even_sprayed_traffic() -> None:
    broken = balanced(NDR, 1024, placement="random", failed_share=0.05)
    assert 0.5 < broken.exchange_share < 1
    assert balanced(NDR, 1024, placement="random", failed_share=0.3).ring_share < 1


def test_the_closed_form_takes_the_shares() -> None:
    half = replace(NDR, ring_share=0.5, exchange_share=0.25)
    for kind, factor in (("all_gather", 2.0), ("all_to_all", 4.0), ("all_reduce", 2.0)):
        slow, fast = (collective_seconds(kind, 2.0**36, 512, f, fit=ideal()).seconds[0] for f in (half, NDR))
        assert slow / fast == pytest.approx(factor, rel=1e-3)
    with pytest.raises(InputError, match="ring_share must be above 0 and at most 1"):
        replace(NDR, ring_share=0.0)

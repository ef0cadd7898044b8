"""Tokens to experts on columns of networks: the same answers as for one fabric, and laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.fabric import collective_seconds, default_fabric, moe_payload, moe_seconds
from gigawatt.physics.fabric.experts import exchange_seconds
from gigawatt.physics.fabric.wires import wires_of

H200 = chip_from_record(Catalog.load().get("accelerator", "h200-sxm"))
HGX = default_fabric(H200)
counts = st.sampled_from([2.0, 8.0, 16.0, 64.0])


@given(tokens=st.floats(1, 1e5), ranks=counts, style=st.sampled_from(["normal", "low_latency"]))
@settings(deadline=None, max_examples=40)
def test_one_fabric_and_its_columns_agree(tokens: float, ranks: float, style: str) -> None:
    payload = moe_payload(tokens, 8, 7168, 2.0, ranks, HGX, style)
    expected = moe_seconds(payload, ranks, HGX, style=style, routed_tokens=8 * tokens).seconds
    inside = min(ranks, 8.0)
    found = exchange_seconds(tokens, 8.0, 7168.0, 2.0, ranks, wires_of(HGX), per_domain=inside, way=style)
    assert found == pytest.approx(expected, rel=1e-12)


@given(tokens=st.floats(1, 1e5), ranks=counts, more=st.floats(1, 4), way=st.sampled_from(["normal", "low_latency"]))
@settings(deadline=None, max_examples=40)
def test_more_tokens_take_no_less_and_faster_links_no_more(tokens: float, ranks: float, more: float, way: str) -> None:
    def seconds(count: float, fabric: object = HGX) -> float:
        wires = wires_of(fabric)  # type: ignore[arg-type]
        return float(exchange_seconds(count, 8, 7168, 1.0, ranks, wires, per_domain=min(ranks, 8.0), way=way)[0])

    assert seconds(tokens * more) >= seconds(tokens)
    fast = replace(HGX, nic_bytes_per_s=more * HGX.nic_bytes_per_s, scaleup_bytes_per_s=more * HGX.scaleup_bytes_per_s)
    assert seconds(tokens, fast) <= seconds(tokens)


def test_a_plain_exchange_is_an_all_to_all_of_every_copy() -> None:
    found = exchange_seconds(4096.0, 8.0, 7168.0, 2.0, 16.0, wires_of(HGX), per_domain=8.0, way="every_copy")
    assert found == collective_seconds("all_to_all", 4096 * 8 * 7168 * 2, 16, HGX).seconds
    kernels = exchange_seconds(4096.0, 8.0, 7168.0, 2.0, 16.0, wires_of(HGX), per_domain=8.0)
    assert kernels < 0.5 * found  # a token goes once to each of two hosts, not eight times


def test_a_group_of_one_exchanges_nothing() -> None:
    for way in ("normal", "low_latency", "every_copy"):
        assert exchange_seconds(1e4, 8, 7168, 2.0, np.ones(3), wires_of(HGX), per_domain=1.0, way=way).max() == 0.0


def test_an_unknown_way_is_named() -> None:
    with pytest.raises(InputError, match="normal"):
        exchange_seconds(1, 8, 7168, 2.0, 8, wires_of(HGX), per_domain=8, way="norma")

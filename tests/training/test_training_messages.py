"""Messages of a step: each is the floor's answer to the right collective over the right group."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip

from gigawatt.catalog import Catalog
from gigawatt.physics.fabric import collective_seconds, default_fabric, fabric_from_record
from gigawatt.physics.fabric.experts import exchange_seconds
from gigawatt.physics.fabric.wires import wires_of
from gigawatt.physics.training import Mapping, best_mapping, evaluate, shape_of
from gigawatt.physics.training.columns import machine_of
from gigawatt.physics.training.memory.bytes import rank_parameters
from gigawatt.physics.training.step.collectives import messages_of
from gigawatt.physics.training.step.sharding import BUCKET
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.messages import messages

H100, GB300 = chip("h100-sxm"), chip("gb300")
HGX = default_fabric(H100)
BASE = Mapping(
    chips=1024.0, tp=8.0, pp=8.0, vpp=1.0, dp=8.0, cp=2.0, ep=1.0, micro_batch=1.0, global_batch=512.0, seq=8192.0
)


def test_dense_messages_are_the_floors() -> None:
    shape, wires = shape_of(LLAMA_405B), wires_of(HGX)
    found = messages_of(shape, wires, BASE)
    values = 2.0 * 4096 * 16384
    pair = sum(collective_seconds(kind, values, 8, HGX).seconds[0] for kind in ("reduce_scatter", "all_gather"))
    assert found.layers[0].tensor_s == pytest.approx(pair)
    # Two context ranks, eight chips apart, are on two hosts: one exchange of keys and values of 8 heads of 128, cut by 8.
    ring = collective_seconds("send_recv", 2.0 * 4096 * 2048 / 8, 2, HGX, per_domain=1).seconds
    assert found.layers[0].context_s == pytest.approx(ring)
    send = collective_seconds("send_recv", values / 8, 8, HGX, per_domain=1).seconds
    assert found.stage.send_s == pytest.approx(send)
    held = float(rank_parameters(shape, BASE).dense)
    count = held / BUCKET
    both = (
        collective_seconds(kind, width * BUCKET, 16, HGX, per_domain=1).seconds
        for kind, width in (("reduce_scatter", 4.0), ("all_gather", 2.0))
    )
    assert found.stage.data_s == pytest.approx(count * sum(both))


def test_without_sequence_parallelism_sums_are_whole() -> None:
    shape, wires = shape_of(LLAMA_405B), wires_of(HGX)
    plain = messages_of(shape, wires, replace(BASE, sequence_parallel=0.0))
    whole = collective_seconds("all_reduce", 2.0 * 4096 * 16384, 8, HGX).seconds
    assert plain.layers[0].tensor_s == pytest.approx(whole)
    # To the next stage a tensor rank sends its slice either way
    send = collective_seconds("send_recv", 2.0 * 4096 * 16384 / 8, 8, HGX, per_domain=1).seconds
    assert plain.stage.send_s == pytest.approx(send)


@pytest.mark.parametrize(("plain", "way"), [(False, "normal"), (True, "every_copy")])
def test_experts_are_reached_there_and_back(plain: bool, way: str) -> None:
    shape, wires = shape_of(DEEPSEEK_V3), wires_of(HGX)
    mapping = replace(BASE, tp=2.0, ep=32.0, cp=1.0, dp=64.0, seq=4096.0)
    found = messages_of(shape, wires, mapping, plain)
    once = exchange_seconds(2048.0, 8.0, 7168.0, 2.0, 32.0, wires, per_domain=8.0, way=way)
    routed = next(sent for sent, kind in zip(found.layers, shape.kinds, strict=True) if kind.experts > 0)
    dense = next(sent for sent, kind in zip(found.layers, shape.kinds, strict=True) if not kind.experts)
    assert routed.expert_s == pytest.approx(2 * once)
    assert dense.expert_s == pytest.approx(0.0)


@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
def test_sums_of_a_layer_are_those_of_the_workload(arch: Architecture) -> None:
    # The same messages, counted from the operators one by one
    shape, wires = shape_of(replace(arch, mtp_layers=0)), wires_of(HGX)
    mapping = replace(BASE, tp=8.0, cp=1.0, seq=4096.0)
    ours = sum(
        kind.count * kind.all_reduces * sent.tensor_s
        for kind, sent in zip(shape.kinds, messages_of(shape, wires, mapping).layers, strict=True)
    )
    table = messages(arch, "forward", tokens=4096, tp=8, sequence_parallel=True).where("tp")
    pairs = [i for i, kind in enumerate(table.kind) if kind in ("reduce_scatter", "all_gather")]
    theirs = sum(
        table.count[i] * collective_seconds(str(table.kind[i]), table.bytes[i], table.ranks[i], HGX).seconds
        for i in pairs
    )
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_sharded_weights_go_layer_by_layer_three_times() -> None:
    shape, wires = shape_of(LLAMA_405B), wires_of(HGX)
    mapping = replace(BASE, tp=1.0, pp=1.0, cp=1.0, dp=1024.0, sharding=3.0)
    layers, held = float(shape.layers), float(rank_parameters(shape, mapping).dense)
    one = collective_seconds("all_gather", 2.0 * held / layers, 1024, HGX).seconds
    assert messages_of(shape, wires, mapping).stage.micro_s == pytest.approx(3 * layers * one)
    # Adapters: frozen weights are gathered twice, nothing to speak of is reduced.
    adapters = messages_of(shape, wires, replace(mapping, lora=1.0))
    assert adapters.stage.micro_s == pytest.approx(2 * layers * one)


def test_a_group_of_one_sends_nothing() -> None:
    alone = replace(BASE, tp=1.0, pp=1.0, dp=1.0, cp=1.0, chips=1.0)
    found = messages_of(shape_of(DEEPSEEK_V3), wires_of(HGX), alone)
    assert float(np.max(found.stage.send_s + found.stage.data_s)) == 0.0
    for layer in found.layers:
        assert float(np.max(layer.tensor_s + layer.context_s + layer.expert_s)) == 0.0


@given(
    tp=st.sampled_from([1.0, 2.0, 8.0, 16.0]),
    ep=st.sampled_from([1.0, 8.0, 64.0]),
    sharding=st.sampled_from([1.0, 3.0]),
)
@settings(deadline=None, max_examples=25)
def test_columns_are_rows_on_networks_of_their_own(tp: float, ep: float, sharding: float) -> None:
    shape = shape_of(DEEPSEEK_V3)
    fabrics = [HGX, replace(HGX, technology="efa"), default_fabric(GB300, node=4)]
    mapping = replace(BASE, tp=tp, ep=ep, dp=64.0, pp=1.0 if sharding >= 3 else 8.0, sharding=sharding)
    wide = replace(mapping, tp=np.full(3, tp))
    found = messages_of(shape, wires_of(fabrics), wide)
    for i, fabric in enumerate(fabrics):
        one = messages_of(shape, wires_of(fabric), mapping)
        for name in ("data_s", "micro_s"):
            single = float(getattr(one.stage, name)[0])
            assert getattr(found.stage, name)[i] == pytest.approx(single, rel=1e-12)
        for many, alone in zip(found.layers, one.layers, strict=True):
            assert many.expert_s[i] == pytest.approx(float(alone.expert_s[0]), rel=1e-12)
            assert many.tensor_s[i] == pytest.approx(float(alone.tensor_s[0]), rel=1e-12)


def test_the_whole_fabric_reaches_training() -> None:
    catalog = Catalog.load()
    mapping = replace(BASE, cp=1.0, dp=16.0, global_batch=128.0)

    def step(name: str, **changed: object) -> float:
        fabric = replace(fabric_from_record(catalog.get("fabric", name), H100), **changed)
        return float(evaluate(LLAMA_405B, H100, mapping, fabric=fabric).step_s[0])

    base = step("quantum2-ndr-2tier")
    assert step("quantum2-ndr-2tier", technology="efa") > base  # same rate, slower steps
    assert step("quantum2-ndr-2tier", nic_bytes_per_s=12.5e9) > 1.05 * base
    assert (
        step("quantum2-ndr-2tier", domain=4, node=4) > 1.02 * base
    )  # tensor groups of eight over two domains, four rails


def test_the_search_takes_its_domain_from_the_fabric() -> None:
    racks = best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=512)
    boards = default_fabric(GB300, node=4).with_domain(4)
    apart = best_mapping(LLAMA_405B, GB300, fabric=boards, chips=512, seq=8192, global_batch=512)
    assert apart.tokens_per_s_per_chip.max() < racks.tokens_per_s_per_chip.max()


def test_one_nic_of_a_host_carries_an_eighth() -> None:
    one, all_of = (machine_of(H100, "16", HGX, one_nic=alone).network for alone in (True, False))
    assert 8 * one.nic_bytes_per_s == all_of.nic_bytes_per_s

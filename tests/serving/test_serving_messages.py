"""Messages of a replica: engines' own kernels, the collective library, the network between scale-up domains."""

from dataclasses import replace

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.fabric import collective_seconds, default_fabric
from gigawatt.physics.serving import Spec, deploy, frontier
from gigawatt.physics.serving.engine.kernel_sums import ROWS
from gigawatt.physics.serving.engine.kernel_times import spot
from gigawatt.physics.serving.engine.messages import ALGORITHMS
from gigawatt.physics.serving.engine.step import CUSTOM_BYTES, all_reduce_seconds, decode_step, prefill_compute
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()
DENSE, SPARSE = (from_config(name, CATALOG.get("model", name).config) for name in ("llama3-8b", "deepseek-v3"))
H200, GB300 = (chip_from_record(CATALOG.get("accelerator", name)) for name in ("h200-sxm", "gb300"))
HGX = default_fabric(H200)
LIMITS = {"input_tokens": 1000.0, "output_tokens": 500.0, "engine": "sglang", "disaggregate": False}


def test_tables_are_the_floors_answer() -> None:
    d = deploy([Spec(DENSE, H200, 8)])
    nbytes = 2.0 * ROWS * float(DENSE.hidden)
    expected = collective_seconds("all_reduce", nbytes, 8, HGX, algorithms=ALGORITHMS).seconds
    assert d.messages.take(np.zeros(len(ROWS), dtype=np.intp)).all_reduce_s(ROWS) == pytest.approx(expected)
    assert float(d.messages.normal_s(np.array([1e4]))[0]) < 1e-20  # a dense model has no experts


def test_engines_sum_few_bytes_themselves_and_leave_many_to_the_library() -> None:
    d = deploy([Spec(DENSE, H200, 8)])
    own = d.rates["custom_all_reduce"]
    few, many = np.array([1.0]), np.array([2.0 * CUSTOM_BYTES / float(DENSE.hidden)])
    ratio = [float((all_reduce_seconds(d, n, spot(n)) / d.messages.all_reduce_s(n))[0]) for n in (few, many)]
    assert own < ratio[0] < own + 0.01 < 0.8
    assert ratio[1] == 1.0
    across = deploy([Spec(DENSE, H200, 16)])
    assert float((all_reduce_seconds(across, few, spot(few)) / across.messages.all_reduce_s(few))[0]) == 1.0


def test_a_replica_over_domains_pays_for_the_network_and_one_inside_does_not() -> None:
    slow = replace(HGX, nic_bytes_per_s=HGX.nic_bytes_per_s / 4)

    def seconds(gpus: int, fabric: object) -> tuple[float, float]:
        d = deploy([Spec(SPARSE, H200, gpus, gpus, 1, "sglang", fabric=fabric)])  # type: ignore[arg-type]
        batch, context = np.array([128.0 * gpus]), np.array([2000.0])
        return float(decode_step(d, batch, context).collectives[0]), float(prefill_compute(d, context)[0])

    assert seconds(8, slow) == seconds(8, HGX)
    for fast, four_times_slower in zip(seconds(16, HGX), seconds(16, slow), strict=True):
        assert four_times_slower > 1.05 * fast
    rack = default_fabric(GB300, node=4)
    wide = deploy([Spec(SPARSE, GB300, 64, 64, 1, "sglang", fabric=f) for f in (rack, rack.with_domain(4))])
    inside, across = decode_step(wide, np.full(2, 8192.0), np.full(2, 2000.0)).collectives
    assert across > 2.0 * inside


def test_replicas_grow_past_the_domain_when_asked() -> None:
    usual = frontier(SPARSE, H200, **LIMITS)
    assert usual.chips_per_replica.max() <= 8
    named = frontier(SPARSE, H200, mapping="dp32-ep32", **LIMITS)
    assert set(named.mapping) == {"dp32-ep32"} and set(named.chips_per_replica) == {32.0}
    wide = frontier(SPARSE, H200, replica_chips=32, **LIMITS)
    assert wide.candidates > usual.candidates
    assert wide.tokens_out_per_s_per_chip.max() >= usual.tokens_out_per_s_per_chip.max()


def test_the_domain_is_the_fabrics() -> None:
    boards = frontier(SPARSE, GB300, fabric=default_fabric(GB300, node=4).with_domain(4), **LIMITS)
    racks = frontier(SPARSE, GB300, **LIMITS)
    assert boards.chips_per_replica.max(initial=0.0) <= 4 < racks.chips_per_replica.max()


def test_a_replica_that_waits_for_the_network_says_so() -> None:
    slow = replace(HGX, nic_bytes_per_s=HGX.nic_bytes_per_s / 64)
    found = frontier(SPARSE, H200, fabric=slow, mapping="dp32-ep32", **LIMITS | {"input_tokens": 1.0})
    assert any("scale-out network" in bound for bound in found.bound)

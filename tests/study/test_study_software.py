"""Software of a run: as released by default, from the curve where the scenario says so, ported where nothing runs the work."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.chip.maturity import calibrated_release, maturity
from gigawatt.physics.fabric import fabric_from_record
from gigawatt.physics.training import best_mapping
from gigawatt.physics.training.calibration import MEASURED
from gigawatt.physics.workload import from_config
from gigawatt.study.answer import Answer
from gigawatt.study.load import from_data, load
from gigawatt.study.pipeline import assemble, work_out
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.software import Software, software

EXAMPLE = str(resources.files("gigawatt") / "examples" / "one-gigawatt.yaml")


@lru_cache(maxsize=8)
def _answer(*overrides: str) -> Answer:
    return work_out(load(EXAMPLE, (*overrides, "moats=false", "uncertainty.samples=64")))


def _resolved(**changes: Any) -> Resolved:
    fleet = changes.pop("fleet")
    workload = {
        "id": "pretrain",
        "kind": "training",
        "model": "llama3-8b",
        "tokens": 1e12,
        "price_per_run": "1 million USD",
    }
    data = {"schema": 1, "name": "small", "fleet": fleet, "workloads": [workload], **changes}
    return resolve(from_data(data, "small"))


def _state(resolved: Resolved, offer: int = 0, work: int = 0) -> Software:
    asked = resolved.works[work]
    kind = "serving" if asked.is_serving else "training"
    return software(resolved.offers[offer], kind, from_config(asked.model.id, asked.model.config), resolved)


def test_by_default_software_is_as_released():
    """The speeds that physics gets are the catalog's levels, to the bit, or 1 where constants carry the stack: no growth."""
    answer = _answer()
    assert len(answer.priced.performance.software) == len(answer.resolved.offers) * len(answer.resolved.works)
    for (i, j), state in answer.priced.performance.software.items():
        kind = "serving" if answer.resolved.works[j].is_serving else "training"
        offered = answer.resolved.offers[i]
        own = kind == "training" and offered.accelerator.generation in MEASURED
        level = 1.0 if own else getattr(offered.platform.software, kind).value
        assert (state.speed, state.growth, state.low, state.high) == (level, 1.0, 1.0, 1.0)


def test_no_stack_is_counted_twice():
    """Published (AMD-AGI/Primus): Qwen3-235B on 4 nodes of MI355X, best schedule 3,024.5 tokens/s a chip, BF16, 4,096 tokens.

    The constants of training were fitted on steps of CDNA3 and CDNA4, so that the level of ROCm is in them.
    """
    resolved = _answer().resolved
    offered = resolved.offers[3]
    assert offered.platform.id == "mi355x-8" and offered.platform.software.training.value < 1
    model = resolved.catalog.get("model", "qwen3-235b-a22b")
    arch = from_config(model.id, model.config)
    state = software(offered, "training", arch, resolved)
    box = box_from_record(offered.platform, offered.accelerator)
    fabric = fabric_from_record(offered.fabric, box.chip, node=box.chips_per_node)
    found = best_mapping(arch, box.chip, fabric=fabric, chips=32, seq=4096, global_batch=512, precisions=["bf16"],
                         maturity=state.speed, modes=box.modes[:1])  # fmt: skip
    assert float(found.tokens_per_s_per_chip.max()) == pytest.approx(3024.5, rel=0.15)
    # Nothing was fitted on Trainium: its level stays.
    trainium = resolved.offers[5]
    assert software(trainium, "training", arch, resolved).speed == trainium.platform.software.training.value


def test_from_the_curve_on_the_first_day():
    answer = _answer("software=start")
    found = {
        (answer.resolved.offers[i].offer.id, answer.resolved.works[j].id): state
        for (i, j), state in answer.priced.performance.software.items()
    }
    curve = maturity("cuda", "blackwell-ultra", "serving", date(2027, 1, 1), calibrated_release("serving"), "moe")
    assert found["gb300", "chat"].speed == pytest.approx(float(curve.value))
    assert found["gb300", "chat"].speed * found["gb300", "chat"].high == pytest.approx(float(curve.high))
    # A dense model gains less than a mixture, an older chip less than a new one; a level below 1 grows from its own date.
    assert 1 < found["gb300", "pretrain"].speed < found["gb300", "chat"].speed
    assert 1 < found["h200", "chat"].speed < found["b200", "chat"].speed < found["gb300", "chat"].speed
    level = answer.resolved.offers[3].platform.software.serving.value
    assert found["mi355x", "chat"].speed > level
    assert answer.resolved.offers[5].offer.id == "trainium2"
    assert "neuron" in found["trainium2", "chat"].note


def test_better_software_never_makes_the_plan_worth_less():
    assert _answer("software=start").plan.value_usd_per_yr >= _answer().plan.value_usd_per_yr


def test_growth_widens_the_band_of_points():
    def spread(answer: Answer) -> float:
        first = next(p for p in answer.priced.performance.points if p.offer == 0 and p.work == 0)
        return first.high / first.low

    assert spread(_answer("software=start")) > spread(_answer())


def test_what_the_offer_states_stands():
    answer = _answer("software=start", "fleet.gb300.maturity=1.1")
    state = answer.priced.performance.software[0, 0]
    assert (state.speed, state.low, state.high) == (1.1, 1.0, 1.0)
    assert "offer" in state.note


def test_the_table_names_frameworks_and_release():
    rows = {(r["platform"], r["workload"]): r for r in assemble(_answer()).tables["software"].rows()}
    assert "megatron-bridge" in rows["gb300", "pretrain"]["frameworks"]
    assert rows["gb300", "chat"]["release"] == calibrated_release("serving")
    assert rows["tpu7x", "chat"]["support"] == "partial"
    unknown = rows["trainium2", "chat"]
    assert unknown["support"] == "unknown" and "no source" in unknown["note"]


def test_work_that_nothing_runs_is_excluded_with_the_way_out():
    fleet = [
        {"id": "lpx", "platform": "groq-3-lpx", "list_price": "4 million USD"},
        {"id": "h200", "platform": "hgx-h200"},
    ]
    resolved = _resolved(fleet=fleet)
    refused = _state(resolved)
    assert refused.refusal is not None
    reason, fix = refused.refusal
    assert "no training" in reason
    assert "port: true" in fix and "12 months (6 to 24)" in fix and "h200" in fix
    assert _state(resolved, 1).refusal is None


def test_excluded_says_so_in_a_run(tmp_path: Path) -> None:
    (tmp_path / "accelerator").mkdir()
    lpu = tmp_path / "accelerator" / "groq-3-lpu.yaml"  # no source gives its watts
    lpu.write_text("extends: groq-3-lpu\ntdp: {value: 300 W, kind: assumed, source: this test, as_of: 2026}\n")
    swap = ("fleet.mi355x.platform=groq-3-lpx", "fleet.mi355x.list_price=4 million USD", "moats=false")
    answer = work_out(load(EXAMPLE, swap), catalog=Catalog.load((tmp_path,)))
    excluded = assemble(answer).tables["excluded"].rows()
    reasons = [row["reason"] for row in excluded if (row["platform"], row["workload"]) == ("mi355x", "pretrain")]
    assert len(reasons) == 1
    assert "no training" in reasons[0] and "port: true" in reasons[0] and "gb300" in reasons[0]
    assert not any((p.offer, p.work) == (3, 1) for p in answer.priced.performance.points)


@pytest.mark.parametrize(("start", "ready"), [("2027-01-01", False), ("2027-06-01", True), ("2028-01-01", True)])
def test_a_port_delays_what_it_makes_possible(start: str, ready: bool) -> None:
    fleet = [{"id": "lpx", "platform": "groq-3-lpx", "list_price": "4 million USD", "port": True}]
    state = _state(_resolved(fleet=fleet, horizon={"start": start}))
    if ready:
        assert state.refusal is None
        assert "is ready on 2027-06-01" in state.note
    else:
        assert state.refusal is not None
        assert "ready on 2027-06-01" in state.refusal[0] and state.refusal[1] == "a start on 2027-06-01"

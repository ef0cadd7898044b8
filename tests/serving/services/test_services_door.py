"""The door to all services: what a model serves, options one by one, modes, every make of chip, chat on the edge."""

from __future__ import annotations

import numpy as np
import pytest

from gigawatt.core.errors import InputError
from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.serving import Load, Spec, evaluate
from gigawatt.physics.serving.services import Sample, agents, answer, services_of, usual_service, usual_task
from gigawatt.physics.serving.services.answer import options_of


@pytest.mark.parametrize(
    ("name", "service", "unit"),
    [
        ("flux-1-dev", "diffusion", "image"),
        ("hunyuan-video", "diffusion", "video-second"),
        ("bge-m3", "embeddings", "embedding"),
        ("siglip-so400m-384", "embeddings", "embedding"),
        ("clip-vit-l-text", "embeddings", "embedding"),
        ("whisper-large-v3", "speech recognition", "audio-second"),
        ("pi0", "robot control", "step"),
        ("openvla-7b", "robot control", "step"),
    ],
)
def test_a_models_kind_decides_what_it_serves(name, service, unit, model, config, chip):
    found = answer(model(name), chip("b200-sxm"), config=config(name))
    assert (found.service, found.unit) == (service, unit)
    assert found.best is not None
    assert found.band
    assert found.candidates >= len(found)


def test_a_decoder_is_told_what_to_serve(model, config, chip):
    llama, board = model("llama3-8b"), chip("h200-sxm")
    assert usual_service(llama) == "chat"
    assert set(services_of(llama)) == {"agents", "batch", "embeddings", "synthesis"}
    assert answer(llama, board, as_service="embeddings").unit == "embedding"
    assert answer(llama, board, as_service="batch", input_tokens=100.0, output_tokens=100.0).unit == "request"
    assert answer(model("orpheus-3b"), board, as_service="synthesis").unit == "audio-second"
    assert answer(model("gpt-oss-120b"), board, as_service="agents").unit == "task"
    for wrong, said in (({}, "chat"), ({"as_service": "agent"}, "agents"), ({"as_service": "batch", "isl": 5}, "isl")):
        with pytest.raises(InputError, match=said):
            answer(llama, board, **wrong)
    with pytest.raises(InputError, match="configuration"):
        answer(model("sdxl"), board)
    with pytest.raises(InputError, match="on its own"):
        answer(model("flux-vae"), board, as_service="images")
    assert {"latency_s", "steps"} <= set(options_of("images"))


def test_fields_of_a_sample_a_loop_a_task_may_be_given_one_by_one(model, config, chip):
    board = chip("h200-sxm")
    both = (
        answer(model("sdxl"), board, config=config("sdxl"), **more)
        for more in ({"steps": 4.0, "guidance": False}, {"sample": Sample(steps=4.0, guidance=False)})
    )
    assert len({float(found.units_per_s_per_chip.max()) for found in both}) == 1
    held = answer(model("gpt-oss-120b"), board, as_service="agents", keep_s=0.0)
    assert (
        held.units_per_s_per_chip.max()
        == agents(model("gpt-oss-120b"), board, task=usual_task(keep_s=0.0)).units_per_s_per_chip.max()
    )
    three, one = (answer(model("pi0"), board, cameras=n) for n in (3, 1))
    assert three.latency_s.min() > one.latency_s.min()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("sdxl", {}),
        ("bge-m3", {}),
        ("whisper-large-v3", {}),
        ("pi0", {"round_trip_s": 0.01}),
        ("gpt-oss-120b", {"as_service": "agents"}),
        ("llama3-8b", {"as_service": "batch", "input_tokens": 500.0, "output_tokens": 200.0}),
        ("orpheus-3b", {"as_service": "synthesis"}),
    ],
)
def test_a_power_mode_never_gives_more_and_draws_no_more(name, more, model, config, chip):
    slow = PowerMode("slow", 0.6, 0.7, 0.9)
    full, capped = (
        answer(model(name), chip("b200-sxm"), config=config(name), mode=m, precisions=("bf16",), **more)
        for m in (FULL, slow)
    )
    assert capped.units_per_s_per_chip.max() <= full.units_per_s_per_chip.max() * (1 + 1e-9)
    assert capped.chip_w.max() <= 0.6 * chip("b200-sxm").tdp_w * (1 + 1e-9)


def test_a_precision_without_units_or_a_name_is_refused(model, chip):
    for wrong in ("fp8", "fp7"):
        with pytest.raises(InputError, match=wrong):
            answer(model("bge-m3"), chip("a100-sxm-80gb"), precisions=(wrong,))


@pytest.mark.parametrize(
    "on", ["mi355x", "tpu7x", "gaudi3", "trainium2", "ascend-910c", "rubin", "a100-sxm-40gb", "l4"]
)
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("sdxl", {}),
        ("bge-large-en", {}),
        ("whisper-large-v3", {}),
        ("pi0", {"latency_s": 2.0}),
        ("llama3-8b", {"as_service": "agents"}),
    ],
)
def test_every_make_of_chip_answers_within_its_watts_or_says_why_not(on, name, more, model, config, chip):
    board = chip(on)
    found = answer(model(name), board, config=config(name), **more)
    assert len(found) or found.rejected
    for column in (found.latency_s, found.units_per_s_per_chip, found.memory_bytes, found.joules_per_unit):
        assert np.all(np.isfinite(column) & (column > 0))
    assert np.all((found.chip_w >= board.idle_w) & (found.chip_w <= board.tdp_w))
    assert np.all((found.low < 1) & (found.high > 1))


def test_chat_on_the_edge_decodes_as_published(model, chip):
    """Llama 3.1 8B on Jetson AGX Thor with vLLM, 2,048 in and 128 out: about 45 tokens/s alone, 270 with eight users.

    NVIDIA developer forum, 2026 (topic 364663); the width of its weights is not said, and memory allows no more than 4 bits.
    """
    users = np.array([1.0, 8.0])
    spec = Spec(model("llama3-8b"), chip("jetson-agx-thor"), 1, engine="vllm", precision="fp4")
    state = evaluate([spec, spec], Load.of(2048.0, 128.0, users))
    assert users / state.step_s == pytest.approx([45.0, 270.0], rel=0.2)

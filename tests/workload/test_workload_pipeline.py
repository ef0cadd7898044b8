"""Whole uses: images and clips, robots' control steps, answers; counts against torch's counter and published sizes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import (
    Architecture,
    answer,
    control_step,
    data_work,
    forward_flops,
    from_config,
    generation,
    image_tokens,
    parameters,
    stacked,
    state_values,
)


def model(name: str, **more: Any) -> Architecture:
    return from_config(name, {**Catalog.load().get("model", name).config, **more})


# FLOPs of `decode` under torch's FlopCounterMode and parameters, with diffusers on the meta device.
DECODERS = [
    ("sd-vae", {"sample_size": 512}, 2_514_518_933_504, 83_653_863),
    ("flux-vae", {}, 10_472_204_009_472, 83_819_683),
    ("wan2.1-vae", {"sample_height": 256, "sample_width": 256, "sample_frames": 17}, 9_567_545_589_760, 73_295_603),
]


@pytest.mark.parametrize(("name", "more", "flops", "count"), DECODERS)
def test_a_decoder_of_latents_is_counted_as_torch_counts_it(name: str, more: Any, flops: int, count: int) -> None:
    arch = model(name, **more)
    assert forward_flops(arch, rule="oracle") == flops
    assert parameters(arch) == count


def test_a_longer_clip_costs_a_frame_at_a_time() -> None:
    sizes = [forward_flops(model("wan2.1-vae", sample_frames=n), rule="oracle") for n in (1, 5, 9, 13)]
    steps = [b - a for a, b in pairwise(sizes)]
    assert steps[0] == steps[1] == steps[2] > sizes[0]


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be halved"):
        model("sd-vae", sample_size=500)
    with pytest.raises(InputError, match="cannot be halved"):
        model("wan2.1-vae", sample_height=300)


def test_an_image_is_text_steps_and_decoding() -> None:
    sd3, text, clip, vae = (model(n) for n in ("sd3-medium", "t5-xxl-encoder", "clip-vit-l-text", "flux-vae"))
    made = generation(sd3, text_encoders=(text, clip), decoder=vae, steps=28, guidance=True, batch=[1, 2])
    assert list(made) == ["text: t5-xxl-encoder", "text: clip-vit-l-text", "denoising", "decoder"]
    once = forward_flops(sd3)
    assert made["denoising"].total_flops[0] == pytest.approx(28 * 2 * once, rel=1e-9)
    plain = generation(sd3, decoder=vae, steps=28, guidance=False, batch=[1, 2])
    assert made["denoising"].total_flops[0] == pytest.approx(2 * plain["denoising"].total_flops[0])
    assert made["decoder"].total_flops[0] == plain["decoder"].total_flops[0]  # guidance ends before the decoder
    assert made["text: clip-vit-l-text"].total_flops[0] == pytest.approx(2 * forward_flops(clip, 77), rel=1e-9)
    total = stacked(tuple(made.values())).total_flops
    assert total[0] == pytest.approx(sum(float(stage.total_flops[0]) for stage in made.values()))
    with pytest.raises(InputError):
        generation(sd3, steps=-1)


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    [("openvla-7b", 7_541_237_184, 0.0), ("pi0", 3_238_048_528, 0.0), ("gr00t-n1-2b", 2.2e9, 0.01)],
)
def test_policies_have_their_published_size(name: str, published: float, tolerance: float) -> None:
    assert abs(parameters(model(name)) / published - 1) <= tolerance


def test_gr00t_splits_as_published() -> None:
    arch = model("gr00t-n1-2b")
    head = next(tower for tower in arch.towers if tower.family == "action_expert")
    assert parameters(arch) - parameters(head) == pytest.approx(1.34e9, rel=0.01)
    assert head.steps == 4 and head.sample_tokens == 17 and image_tokens(arch) == 64


def test_openvla_writes_seven_tokens_after_one_prompt() -> None:
    arch = model("openvla-7b")
    made = control_step(arch, cameras=1, text_tokens=20)
    assert image_tokens(arch) == 256
    assert [name.split(":")[0] for name in made] == ["vision", "vision", "prompt", "actions"]
    rest = 2 * (parameters(arch) - sum(parameters(t) for t in arch.towers) - arch.vocab * arch.hidden)
    assert made["actions"].total_flops[0] == pytest.approx(6 * rest, rel=0.03)  # the prompt's pass gives the first


def test_pi0_denoises_a_chunk_ten_times_over_one_prompt() -> None:
    arch = model("pi0")
    expert = next(tower for tower in arch.towers if tower.family == "action_expert")
    assert (expert.steps, expert.sample_tokens) == (10, 51)
    assert parameters(expert) == pytest.approx(3.0e8, rel=0.05)
    one, two = (control_step(arch, cameras=n, text_tokens=48) for n in (1, 2))
    assert two["prompt"].total_flops[0] > 1.8 * one["prompt"].total_flops[0]
    keys = one["actions"].where("attention_prefill")
    assert keys.length[0, 0] == 256 + 48 + 51  # the cached prompt and the chunk itself
    assert keys.count[0] == 10 * 18
    assert "head" not in one["prompt"].name


def test_gr00t_meets_the_prompt_by_cross_attention() -> None:
    made = control_step(model("gr00t-n1-2b"), cameras=2, text_tokens=16)["actions"]
    cross = made.where("attention_prefill")
    assert set(cross.name) == {"cross", "attention"}
    assert cross.length[cross.name == "cross"][0, 0] == 2 * 64 + 16
    assert cross.length[cross.name == "attention"][0, 0] == 17


def test_a_model_that_is_no_policy_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        control_step(model("llama3-8b"), cameras=0)
    assert len(caught.value.problems) == 2 and "pi0" in str(caught.value)
    with pytest.raises(InputError, match="timm_model_ids"):
        model("openvla-7b", timm_model_ids=["resnet50"])


def test_speech_is_heard_once_and_written_token_by_token() -> None:
    arch = model("whisper-large-v3")
    made = answer(arch, prompt=4, new_tokens=100)
    assert [name.split(":")[0] for name in made] == ["tower", "prompt", "decoding"]
    encoder = arch.towers[0]
    assert made["tower: whisper-large-v3"].total_flops[0] == pytest.approx(forward_flops(encoder), rel=1e-9)
    assert "cross_kv" in made["prompt"].name and "cross_kv" not in made["decoding"].name
    assert state_values(arch) == 32 * 2 * 1280 * 1500  # keys and values of 30 seconds, in every layer
    with pytest.raises(InputError, match="at least one each"):
        answer(arch, prompt=0, new_tokens=1)


def test_an_encoder_decoder_reads_its_source_once() -> None:
    config = {"model_type": "t5", "d_model": 512, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "vocab_size": 32128}
    arch = from_config("t5-small", {**config, "feed_forward_proj": "relu"})
    assert parameters(arch) == 60_506_624  # published
    made = answer(arch, prompt=1, new_tokens=10)
    assert made["tower: t5-small encoder"].total_flops[0] == pytest.approx(forward_flops(arch.towers[0], 512), rel=1e-9)
    decoding = made["decoding"].where("attention_decode")
    assert decoding.length[decoding.name == "cross"][0, 0] == 512


class TestDataWork:
    calibration = Catalog.load().get("calibration", "data-work")

    def test_work_is_linear_in_tokens_and_stages_add_up(self) -> None:
        got = data_work([1e9, 2e9], self.calibration)
        assert got.total_core_s[1] == pytest.approx(2 * got.total_core_s[0])
        assert (got.core_s_low < got.core_s).any() and (got.core_s <= got.core_s_high).all()
        assert list(got.stage) == ["filter", "classify", "exact_dedup", "minhash", "tokenize"]

    def test_each_stage_is_fed_what_the_next_one_needs(self) -> None:
        got = data_work(1e12, self.calibration)
        assert got.documents_out[:-1] == pytest.approx(got.documents_in[1:])
        constants = self.calibration.parameters
        kept = constants["filter_kept"].value
        assert got.documents_out[0, 0] / got.documents_in[0, 0] == pytest.approx(kept)
        assert got.bytes_written[-1, 0] == 4e12  # four bytes a token
        assert got.bytes_read[-1, 0] == pytest.approx(1e12 * constants["bytes_per_token"].value)

    def test_tokenising_alone_is_bytes_over_a_core_s_rate(self) -> None:
        got = data_work(1e12, self.calibration, ("tokenize",))
        assert got.total_core_s[0] == pytest.approx(4.2e12 / 3.9e6)
        whole = data_work(1e12, self.calibration)
        assert whole.core_s[-1, 0] == pytest.approx(got.total_core_s[0])

    def test_unknown_stages_and_missing_constants_are_told_together(self) -> None:
        with pytest.raises(InputError) as caught:
            data_work(-1, self.calibration, ("filter", "tokenise"))
        assert len(caught.value.problems) == 2 and "did you mean 'tokenize'" in str(caught.value)
        bare = self.calibration.model_copy(update={"parameters": {}})
        with pytest.raises(InputError, match="bytes_per_document"):
            data_work(1, bare)
        with pytest.raises(InputError, match="no stage"):
            data_work(1, self.calibration, ())

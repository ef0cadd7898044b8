"""Images and clips: laws of the service, the same seconds as the fitted form, published energy."""

from __future__ import annotations

import csv
import itertools
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.chip import power_constants
from gigawatt.physics.serving.engine.kernel_sums import ChipKey
from gigawatt.physics.serving.services.batching import MAX_LOAD
from gigawatt.physics.serving.services.diffusion import (
    batch_seconds,
    denoising_columns,
    denoising_seconds,
    diffusion_shape,
    sample_seconds,
)
from gigawatt.physics.serving.services.images import (
    Sample,
    _columns,
    clip_seconds,
    diffusion_rates,
    images,
    sample_shape,
)
from gigawatt.validation.serving_models import architecture_of, catalog, chip_of

NAMES = ("flux-1-dev", "sdxl", "hunyuan-video", "sana1.5-4.8b")


@pytest.mark.parametrize("name", NAMES)
def test_columns_give_the_seconds_of_the_fitted_form(name, model, config, chip):
    shape = diffusion_shape(model(name), config(name))
    batch, rates = np.array([1.0, 4.0, 12.0]), diffusion_rates("hopper")[0]
    busy, calls, layers = denoising_columns(shape, chip("h100-sxm"), shape.passes * batch)
    for i, b in enumerate(batch):
        one = denoising_seconds(
            shape.pieces, ChipKey.of(chip("h100-sxm")), shape.tokens, shape.context, float(shape.passes * b)
        )
        assert (busy[i], calls, layers) == pytest.approx(one)
    for g in (1.0, 4.0):
        mine, decoding = sample_seconds(shape, busy, calls, layers, np.asarray(g), batch, rates)
        theirs = [float(batch_seconds(shape, chip("h100-sxm"), np.asarray(g), np.asarray(b), rates)) for b in batch]
        assert mine == pytest.approx(theirs)
        assert np.all(decoding < mine)


@given(
    name=st.sampled_from(NAMES),
    more=st.integers(2, 4),
    steps=st.integers(1, 40),
    on=st.sampled_from(["h100-sxm", "b200-sxm"]),
)
@settings(max_examples=12, deadline=None)
def test_more_steps_are_never_faster_nor_cheaper(name, more, steps, on, model, config, chip):
    few, many = (
        images(
            model(name),
            config(name),
            chip(on),
            sample=Sample(steps=float(s)),
            splits=(1,),
            batches=np.array([1.0, 4.0]),
        )
        for s in (steps, steps * more)
    )
    assert np.all(many.latency_s > few.latency_s)
    assert np.all(many.units_per_s_per_chip < few.units_per_s_per_chip)
    assert np.all(many.joules_per_unit > few.joules_per_unit)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("on", ["h100-sxm", "b200-sxm", "l40s"])
def test_watts_lie_between_idle_and_the_limit_and_every_kept_split_pays(name, on, model, config, chip):
    found = images(model(name), config(name), chip(on))
    board = chip(on)
    assert len(found)
    assert np.all((found.chip_w >= board.idle_w) & (found.chip_w <= board.tdp_w))
    assert np.all(found.joules_per_unit > 0)
    # Of one batch more chips are faster: slower splits were refused.
    for batch in np.unique(found.batch):
        rows = np.flatnonzero(found.batch == batch)
        order = rows[np.argsort(found.chips[rows])]
        same = [i for i in order if found.precision[i] == found.precision[order[0]]]
        assert np.all(np.diff(found.latency_s[same]) < 0)


@given(name=st.sampled_from(NAMES), on=st.sampled_from(["h100-sxm", "b200-sxm"]))
@settings(max_examples=8, deadline=None)
def test_more_chips_shorten_a_sample_up_to_the_limit_that_is_stated(name, on, model, config, chip):
    one = np.array([1.0])
    found = images(model(name), config(name), chip(on), batches=one)
    limit = int(re.search(r"up to (\d+) chip", " ".join(found.notes))[1])
    alone = [
        images(model(name), config(name), chip(on), batches=one, splits=(g,)).latency_s[0]
        for g in (1, 2, 4, 8)
        if g <= limit
    ]
    assert all(later < sooner for sooner, later in itertools.pairwise(alone))
    assert found.chips.max() <= limit


def test_a_distilled_model_is_faster_by_its_steps_and_no_guidance(model, config, chip):
    board = chip("h100-sxm")
    full = images(model("sdxl"), config("sdxl"), board, splits=(1,))
    quick = images(model("sdxl"), config("sdxl"), board, splits=(1,), sample=Sample(steps=4.0, guidance=False))
    ratio = quick.units_per_s_per_chip.max() / full.units_per_s_per_chip.max()
    assert 5.0 < ratio < 10.0  # ten times fewer passes, and the same image decoder
    schnell = images(model("flux-1-schnell"), config("flux-1-schnell"), board, splits=(1,))
    dev = images(model("flux-1-dev"), config("flux-1-dev"), board, splits=(1,))
    assert schnell.units_per_s_per_chip.max() > 5.0 * dev.units_per_s_per_chip.max()


def test_a_larger_picture_a_longer_clip_and_companions_cost_more(model, config, chip):
    board = chip("h100-sxm")
    flux, video = "flux-1-dev", "wan2.1-t2v-14b"
    small, large = (
        images(model(flux), config(flux), board, sample=Sample(width=w, height=w), splits=(1,)) for w in (512.0, 1024.0)
    )
    assert small.units_per_s_per_chip.max() > 2.0 * large.units_per_s_per_chip.max()
    short, long = (
        images(model(video), config(video), board, sample=Sample(frames=f), splits=(1,)) for f in (33.0, 81.0)
    )
    assert short.unit == "video-second"
    assert short.units_per_s_per_chip.max() > long.units_per_s_per_chip.max()
    beside = images(model(flux), config(flux), board, sample=Sample(companions=(model("t5-xxl-encoder"),)), splits=(1,))
    assert beside.memory_bytes.min() == pytest.approx(large.memory_bytes.min() + 2 * 4762310656, rel=1e-3)


def test_a_limit_below_the_floor_and_a_card_too_small_say_so(model, config, chip):
    none = images(model("hunyuan-video"), config("hunyuan-video"), chip("h100-sxm"), latency_s=1.0)
    assert len(none) == 0
    assert "8 chips" in none.rejected[-1].nearest_fix
    small = images(model("hunyuan-video"), config("hunyuan-video"), chip("l4"))
    assert len(small) == 0
    assert "GB more than there are" in small.rejected[0].nearest_fix


def test_an_open_stream_waits_and_a_tuned_stack_is_faster(model, config, chip):
    args = (model("sdxl"), config("sdxl"), chip("h100-sxm"))
    asked, open_ = images(*args), images(*args, open_stream=True)
    assert open_.latency_s.min() > asked.latency_s.min()
    assert open_.details["load"].max() <= MAX_LOAD
    assert open_.units_per_s_per_chip.max() < asked.units_per_s_per_chip.max()
    assert images(*args, stack="tuned").units_per_s_per_chip.max() > 1.5 * asked.units_per_s_per_chip.max()


def test_nonsense_is_refused(model, config, chip):
    args = (model("sdxl"), config("sdxl"), chip("h100-sxm"))
    with pytest.raises(InputError, match="steps"):
        images(*args, sample=Sample(steps=-3.0))
    with pytest.raises(InputError, match="published"):
        images(*args, stack="publishd")


@pytest.mark.parametrize(("on", "joules"), [("h100-sxm", 1.164e6), ("b200-sxm", 1.160e6)])
def test_the_best_energy_of_a_published_clip_lies_in_the_band(on, joules, model, config, chip):
    """HunyuanVideo, 720p, 129 frames, 50 steps; ML.ENERGY leaderboard v3: the best of all batches and splits.

    The band is that of the rate and that of the chip's watts together.
    """
    name, board = "hunyuan-video", chip(on)
    found = images(model(name), config(name), board)
    clip_s = clip_seconds(config(name), model(name).family, Sample())
    watts = power_constants(board)
    half = np.hypot(np.log(found.high[0]), max(np.log(watts.high), -np.log(watts.low)))
    assert abs(np.log(float(found.joules_per_unit.min()) * clip_s / joules)) < half


@pytest.mark.truth
@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the measured tables")
def test_energy_of_published_images_and_clips():
    """ML.ENERGY's J a sample: rates are fitted, watts are the chip's own model and were fitted to no such row."""
    path = Path(os.environ["GIGAWATT_TRUTH"]) / "truth" / "energy_truth.csv"
    errors: dict[str, list[float]] = {"energy_per_image": [], "energy_per_video": []}
    for row in csv.DictReader(path.open()):
        record = catalog().find_model(row["model"])
        if row["metric"] not in errors or record is None:
            continue
        text = row["config"]
        batch, steps = (float(re.search(rf"{word} (\d+)", text)[1]) for word in ("batch", "steps"))
        width, height = (float(n) for n in re.search(r"(\d+)x(\d+)", text).groups())
        frames = re.search(r"(\d+) frames", text)
        sample = Sample(width, height, float(frames[1]) if frames else 0.0, steps)
        arch, board = architecture_of(row["model"]).arch, chip_of(row["gpu"])[0]
        shape = sample_shape(arch, record.config, sample)
        gpus, rates = np.array([float(row["n_gpus"])]), diffusion_rates(board.generation)[0]
        out = _columns(arch, shape, board, "bf16", gpus, np.array([batch]), rates, sample)
        joules = float(out["chip_w"][0, 0] * gpus[0] * out["service_s"][0, 0] / batch)
        errors[row["metric"]].append(joules / float(row["value"]) - 1.0)
    for metric, found in errors.items():
        assert len(found) > 80, metric
        assert np.median(np.abs(found)) < 0.25, metric

"""Software releases as an input: names and dates, the recipe each runs, and what an older one costs."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip

from gigawatt.core.errors import InputError
from gigawatt.physics.training import Mapping, Space, best_mapping, evaluate, load_calibration, shape_of
from gigawatt.physics.training.releases import containers, context_of, date_of, overlaps_experts, release_of
from gigawatt.validation.training_rows import case_of

GB200 = chip("gb200")
ASKED = {"chips": 256, "seq": 4096, "global_batch": 2048, "precisions": ("mxfp8",)}
LAYOUT = Mapping(
    chips=256.0, tp=1.0, pp=4.0, cp=1.0, vpp=4.0, dp=64.0, ep=64.0, micro_batch=1.0, seq=4096.0, global_batch=2048.0
)


def rate(release: str, arch=DEEPSEEK_V3, device=GB200) -> float:
    narrow = Space(micro_batch=(1.0,), recompute=(0.0, 1.0))
    return best_mapping(arch, device, **ASKED, release=release, space=narrow).tokens_per_s_per_chip.max()


def test_an_older_release_is_slower() -> None:
    found = [rate(name) for name in ("25.05", "25.11", "26.06", "26.08")]
    assert found == sorted(found)
    assert found[0] < 0.8 * found[-1]
    assert rate("2026-01") < rate("2026-07")
    assert rate("25.05", LLAMA_405B) < rate("", LLAMA_405B)  # kernels of a young chip


def test_the_default_is_the_newest() -> None:
    assert rate("") == rate(containers()[-1]) == rate("2030-01")
    assert release_of().container == containers()[-1]


@pytest.mark.parametrize("gpu", ["gb200", "gb300", "h100-sxm"])
def test_the_default_is_the_recipe_that_validation_takes(gpu: str) -> None:
    device = chip(gpu)
    row = {
        "id": "x", "measured_metric": "tokens_per_s_per_gpu", "model": "DeepSeekV3", "gpu": gpu, "n_gpus": "256",
        "year": "2026", "source": "NVIDIA Megatron-Bridge docs/performance-summary.md", "precision": "BF16", "seq_len": "4096",
        "global_batch": "2048", "micro_batch": "1", "tp": "1", "pp": "4", "vpp": "4", "cp": "1", "ep": "64",
    }  # fmt: skip
    case = case_of(row, containers()[-1])
    software = load_calibration().stack("megatron-tuned")
    context, plain = context_of(DEEPSEEK_V3.name, shape_of(DEEPSEEK_V3), device, "16", software, release_of())
    assert (context.recipe, plain) == (case.context.recipe, case.plain)
    assert context.immaturity == max(case.context.immaturity, 0.0)


def test_a_plain_evaluation_takes_the_release_too() -> None:
    old, new = (evaluate(DEEPSEEK_V3, GB200, LAYOUT, "mxfp8", release=name) for name in ("25.05", ""))
    assert float(np.ravel(old.step_s)[0]) > float(np.ravel(new.step_s)[0])


def test_what_a_release_can_not_hide_is_not_searched() -> None:
    software = load_calibration().stack("megatron-tuned")
    assert not overlaps_experts(GB200, software, release_of("26.02"))
    assert overlaps_experts(GB200, software, release_of("26.06"))
    found = best_mapping(DEEPSEEK_V3, GB200, **ASKED, release="26.02")
    assert not np.any(np.asarray(found.layout.paired))


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_a_date_stands_for_the_last_container_before_it(day: date) -> None:
    found = release_of(day.isoformat())
    later = [name for name in containers() if date_of(name) > found.year + 1e-6]
    assert found.container == next((n for n in reversed(containers()) if n not in later), "")


@pytest.mark.parametrize(
    ("text", "hint"), [("26.03", "did you mean '26.0"), ("soon", "a date such as"), ("26.4", "26.0")]
)
def test_names_that_are_no_release(text: str, hint: str) -> None:
    with pytest.raises(InputError) as told:
        release_of(text)
    assert hint in " ".join(told.value.problems[0].hints)

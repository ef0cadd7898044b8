"""Recipes of mixture models: which one a row ran, and that each feature moves the term it names."""

from dataclasses import replace

import numpy as np
import pytest

from gigawatt.core.errors import InputError
from gigawatt.physics.training import coefficients, load_calibration, shape_of
from gigawatt.physics.training.calibration import Context, default_recipe
from gigawatt.physics.training.release_recipes import ReleaseRecipe, release_recipe
from gigawatt.validation.training import candidates_of, choose
from gigawatt.validation.training_recipes import OPEN_RELEASE, modules_of, releases_of
from gigawatt.validation.training_rows import Case, case_of
from gigawatt.validation.training_shapes import architecture_of

ARCHIVE = "NVIDIA Megatron-Bridge docs/performance-summary-archive.md"
CURRENT = "NVIDIA Megatron-Bridge docs/performance-summary.md"
QWEN = {"model": "Qwen3_30B_a3B", "gpu": "GB200", "n_gpus": "8", "precision": "MXFP8", "seq_len": "4096"}
QWEN |= {"global_batch": "512", "micro_batch": "4", "tp": "1", "pp": "1", "cp": "1", "ep": "8", "year": "2026"}


def case(release: str | None = None, **values: str) -> Case:
    row = {"id": "x", "measured_metric": "tokens_per_s_per_gpu", "source": ARCHIVE} | QWEN | values
    return case_of(row, release)


def step_s(one: Case) -> float:
    chosen, steps = choose([one], candidates_of([one]), load_calibration().parameters)
    return float(steps.step_s[chosen[0]])


def with_recipe(one: Case, **features: object) -> Case:
    assert one.context.recipe is not None
    recipe = replace(one.context.recipe, **features)  # type: ignore[arg-type]
    plain = recipe.dispatch == "all-to-all"
    mapping = replace(one.mapping, paired=np.full(np.shape(one.mapping.tp), float(recipe.overlap_experts)))
    return replace(one, context=replace(one.context, recipe=recipe), plain=plain, mapping=mapping)


def test_a_release_names_its_recipe() -> None:
    assert case("26.04").context.recipe == ReleaseRecipe("part", "kernels")
    newer = case("26.06").context.recipe
    assert newer is not None and newer.graphs == "step" and newer.fused_experts and newer.overlap_experts
    assert step_s(case("26.06")) < step_s(case("26.04"))


def test_a_source_narrows_the_releases() -> None:
    assert releases_of(CURRENT, 2026) == ["26.08"]
    assert releases_of(ARCHIVE, 2025) == ["25.09", "25.11"]
    assert releases_of(ARCHIVE, 2026) == ["26.02", "26.04", "26.06"]
    assert releases_of("NVIDIA/dgxc-benchmarking llama4/README.md", 2025) == ["25.05"]


def test_an_open_release_is_told_and_widens_the_band() -> None:
    assert OPEN_RELEASE in case().notes
    assert OPEN_RELEASE not in case("26.06").notes
    assert case().context.recipe == ReleaseRecipe("part", "kernels")  # two of three releases


def test_a_mapping_tells_recipes_apart() -> None:
    seen = {"model": "DeepSeekV3", "gpu": "B200", "n_gpus": "256", "global_batch": "4096", "micro_batch": "1"}
    wide = case(**seen, pp="8", vpp="2", ep="32").context.recipe
    near = case(**seen, pp="16", vpp="", ep="8").context.recipe
    assert wide is not None and near is not None
    assert wide.overlap_experts and not near.overlap_experts


@pytest.mark.parametrize(
    ("slow", "fast"),
    [
        ({"graphs": "none"}, {"graphs": "part"}),
        ({"graphs": "part"}, {"graphs": "step"}),
        ({"dispatch": "all-to-all"}, {"dispatch": "kernels"}),
        ({"fused_experts": False}, {"fused_experts": True}),
        ({"narrow_attention": False}, {"narrow_attention": True}),
    ],
)
def test_features_save_time(slow: dict[str, object], fast: dict[str, object]) -> None:
    one = case("26.04")
    assert step_s(with_recipe(one, **fast)) < step_s(with_recipe(one, **slow))


def test_layers_in_sixteen_bit_take_longer_where_casts_are_fused() -> None:
    one = with_recipe(case("26.06", model="DeepSeekV3", precision="NVFP4", n_gpus="256", ep="64"), fused_experts=True)
    times = [step_s(with_recipe(one, wide_layers=share)) for share in (0.0, 0.2, 0.5)]
    assert times == sorted(times) and times[0] < times[-1]


def test_tensor_overlap_saves_time_where_there_is_tensor_parallelism() -> None:
    two = case("26.04", tp="2", n_gpus="16")
    assert step_s(with_recipe(two, overlap_tensor=True)) < step_s(with_recipe(two, overlap_tensor=False))
    one = case("26.04")
    assert step_s(with_recipe(one, overlap_tensor=True)) == step_s(with_recipe(one, overlap_tensor=False))


def test_overlapped_experts_pair_passes() -> None:
    assert np.all(case("26.06").mapping.paired == 1.0) and np.all(case("26.04").mapping.paired == 0.0)


def test_a_dense_model_knows_no_recipe() -> None:
    dense = case(model="LLAMA3_70B", n_gpus="64", ep="")
    assert dense.context.recipe is None and not dense.plain


def test_defaults_are_the_current_recipe() -> None:
    stack = load_calibration().stack("megatron-tuned")
    assert default_recipe("blackwell", "mx8", stack).graphs == "step"
    assert default_recipe("hopper", "8", stack) == ReleaseRecipe(dispatch="kernels")
    c = coefficients([Context("tpu", "16", load_calibration().stack("maxtext"))], load_calibration().parameters)
    assert np.all(c.expert_host_s == 0)


def test_wrong_settings_are_all_told() -> None:
    with pytest.raises(InputError) as told:
        release_recipe({"graphs": "all", "dispatch": "kernel", "recompute": ["mlpp"]})
    assert len(told.value.problems) == 3
    assert "mlp" in str(told.value)


def test_recomputed_modules_become_a_column() -> None:
    assert modules_of(ReleaseRecipe(recompute=("layernorm", "moe"))) == 34.0
    row = {"model": "GPT OSS 120B", "precision": "BF16", "n_gpus": "64", "ep": "64"}
    assert np.all(case("26.04", **row).mapping.modules == 6.0)


def test_prediction_modules_of_hybrids_are_attention_and_mixture() -> None:
    arch, _ = architecture_of({"model": "Nemotron_3_Super"})
    one, two = (shape_of(replace(arch, mtp_layers=n)) for n in (0, 2))
    gained = [b.count - a.count for a, b in zip(one.kinds, two.kinds, strict=True)]
    kinds = [("scan" if k.scan_flops else "mixture" if k.experts else "attention") for k in one.kinds]
    assert dict(zip(kinds, gained, strict=True)) == {"scan": 0, "mixture": 2, "attention": 2}


def test_cut_models_predict_no_further_token() -> None:
    assert architecture_of({"model": "deepseekv3_l4", "layers": "4"})[0].mtp_layers == 0
    assert architecture_of({"model": "DeepSeekV3", "layers": "61"})[0].mtp_layers == 1


def test_a_report_fills_the_blanks_of_its_run() -> None:
    row = {"source": "deepseek-ai/DeepSeek-V3 README.md", "model": "DeepSeek-V3", "gpu": "H800", "year": "2024"}
    row |= dict.fromkeys(("n_gpus", "seq_len", "global_batch", "micro_batch", "tp", "pp", "cp", "ep", "precision"), "")
    made = case_of(row | {"id": "x", "measured_metric": "tokens_per_s_per_gpu"})
    assert made.chips == 2048 and made.global_batch == 15360 and float(made.mapping.pp[0]) == 16

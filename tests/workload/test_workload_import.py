"""Importing configurations: parameters equal those of the published implementations, and nothing unknown passes unsaid.

`counted_models.json` holds configurations of Hugging Face transformers 5.24 (the defaults of each config class, most of
them a published model, and variants of the flags) with the parameters that its implementation has on the meta device;
`counted_flops.json` small ones with torch's own count of a forward pass (FlopCounterMode, eager attention).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gigawatt.catalog import Catalog
from gigawatt.cli.main import app
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import (
    active_parameters,
    describe,
    families,
    forward_flops,
    from_config,
    image_tokens,
    import_config,
    parameters,
)

HERE = Path(__file__).parent
COUNTED: list[dict[str, Any]] = json.loads((HERE / "counted_models.json").read_text(encoding="utf-8"))
FLOPS: list[dict[str, Any]] = json.loads((HERE / "counted_flops.json").read_text(encoding="utf-8"))
UNKNOWN: dict[str, dict[str, Any]] = {
    row["type"]: row for row in json.loads((HERE / "unknown_models.json").read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: f"{row['type']}: {row['what'][:60]}")
def test_parameters_equal_those_of_the_published_implementation(row: dict[str, Any]) -> None:
    imported = import_config(row["type"], row["config"])
    assert imported.notes == ()
    assert parameters(imported.arch) == row["parameters"]
    assert 0 < active_parameters(imported.arch) <= row["parameters"]


@pytest.mark.parametrize("row", FLOPS, ids=lambda row: row["type"])
def test_forward_flops_equal_torchs_count_of_a_small_model(row: dict[str, Any]) -> None:
    arch = from_config(row["type"], row["config"])
    assert parameters(arch) == row["parameters"]
    context = row.get("context")  # the source of an encoder-decoder, whose encoder is a tower
    counted = forward_flops(arch, row["tokens"] or None, rule="oracle", context_tokens=context)
    counted += sum(forward_flops(tower, context, rule="oracle") for tower in arch.towers)
    assert counted == row["flops"]


def test_at_least_eighty_model_types_are_counted() -> None:
    assert len({row["type"] for row in COUNTED}) >= 80
    assert {row["config"]["model_type"] for row in COUNTED if "text_config" not in row["config"]} <= set(families())


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: f"{row['type']}: {row['what'][:60]}")
def test_the_fields_taken_are_a_configuration_of_their_own(row: dict[str, Any]) -> None:
    imported = import_config(row["type"], row["config"])
    assert from_config(row["type"], imported.config) == imported.arch


def test_a_published_configuration_may_leave_out_what_the_class_fills_in() -> None:
    # google/gemma-3-4b-it as published: no head counts, no vocabulary.
    text = {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34}
    vision = {
        "hidden_size": 1152,
        "image_size": 896,
        "intermediate_size": 4304,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 14,
        "vision_use_head": False,
    }
    config = {"model_type": "gemma3", "text_config": text, "vision_config": vision, "mm_tokens_per_image": 256}
    arch = import_config("gemma-3-4b-it", config).arch
    assert parameters(arch) == 4_300_079_472  # its safetensors index
    assert image_tokens(arch) == 256


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_attention_heads": 0}, "at least 1"),
        ({"num_attention_heads": 5}, "not divisible"),
        ({"num_key_value_heads": 3}, "not divisible by 3 key-value heads"),
        ({"num_local_experts": 2, "num_experts_per_tok": 3}, "sent to 3 experts"),
        ({"num_experts_per_tok": 0}, "at least 1"),
        ({"mlp_layer_types": ["sparse"]}, "entries for"),
        ({"num_hidden_layers": 1.5}, "whole number"),
    ],
)
def test_impossible_counts_are_refused(change: dict[str, Any], word: str) -> None:
    row = next(row for row in COUNTED if row["type"] == "mixtral")
    with pytest.raises(InputError, match=word):
        import_config("mixtral", {**row["config"], **change})


def test_layers_of_an_unknown_kind_are_refused_even_of_an_unknown_type() -> None:
    row = UNKNOWN["lfm2"]
    kinds = ["conv", "conv", "full_attention", "conv"] * (row["config"]["num_hidden_layers"] // 4)
    with pytest.raises(InputError, match="layers of kind conv are not known"):
        import_config("lfm2", {**row["config"], "layer_types": kinds})


def test_a_name_of_another_spelling_is_the_same_family() -> None:
    row = next(row for row in COUNTED if row["type"] == "minimax")
    kinds = [int(kind == "full_attention") for kind in row["config"]["layer_types"]]
    published = {key: value for key, value in row["config"].items() if key != "layer_types"}
    arch = import_config("m", {**published, "model_type": "minimax_text_01", "attn_type_list": kinds}).arch
    assert parameters(arch) == row["parameters"]


def test_kimi_linears_nested_layers_count_from_one() -> None:
    record = Catalog.load().get("model", "kimi-linear-48b-a3b")
    plain = {k: v for k, v in record.config.items() if not k.startswith("linear_") and k != "layer_types"}
    nested: dict[str, Any] = {"head_dim": 128, "num_heads": 32, "short_conv_kernel_size": 4}
    nested["full_attn_layers"] = [4, 8, 12, 16, 20, 24, 27]
    arch = import_config("kimi", {**plain, "head_dim": 72, "linear_attn_config": nested}).arch
    assert parameters(arch) == parameters(from_config("kimi", record.config))
    assert sum(g.count for g in arch.groups if g.mixer.kind == "mla") == 7


def test_one_number_a_layer_may_be_a_list_of_equal_ones() -> None:
    row = next(row for row in COUNTED if row["type"] == "hunyuan_v1_dense")
    listed = {**row["config"], "intermediate_size": [row["config"]["intermediate_size"]] * 4}
    assert parameters(import_config("hunyuan", listed).arch) == row["parameters"]
    with pytest.raises(InputError, match="whole number"):
        import_config("hunyuan", {**listed, "intermediate_size": [128, 256]})


def test_an_unknown_type_with_enough_fields_is_read_and_said_so() -> None:
    found = import_config("jetmoe", UNKNOWN["jetmoe"]["config"])
    assert found.arch.family == "generic_moe" and "not known" in found.notes[0] and "kv_channels" in found.unread
    near = import_config("bitnet", UNKNOWN["bitnet"]["config"])
    assert near.arch.family == "generic"
    assert abs(parameters(near.arch) / UNKNOWN["bitnet"]["parameters"] - 1) < 0.001  # its inner norms are not seen
    assert "full_attn_idxs" in import_config("lfm2", UNKNOWN["lfm2"]["config"]).notes[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wav2vec2", ("not known", "conv_dim")),
        ("openai-gpt", ("not known", "'intermediate_size' is missing")),
        ("longcat_flash", ("not known", "'moe_intermediate_size' is missing", "fields given")),
        ("deepseek_v4", ("not known", "did you mean 'deepseek_v3'")),
    ],
)
def test_an_unknown_type_with_too_few_fields_says_what_is_missing(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        import_config(name, UNKNOWN[name]["config"])
    assert all(word in str(caught.value) for word in words)


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["catalog", "import-model", *map(str, arguments)])
    if isinstance(result.exception, InputError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_the_verb_prints_figures_and_writes_a_record_that_loads(tmp_path: Path) -> None:
    config = next(row for row in COUNTED if row["type"] == "deepseek_v3")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config["config"]), encoding="utf-8")
    record = tmp_path / "mine" / "model" / "v3-copy.yaml"
    code, shown = _run(file, "--name", "v3-copy", "-o", record)
    assert code == 0 and "671 G" in shown and "58 mla + moe" in shown
    loaded = Catalog.load((tmp_path / "mine",)).get("model", "v3-copy")
    assert loaded.parameters_published.value == config["parameters"] and loaded.parameters_published.kind == "estimated"
    assert parameters(from_config("v3-copy", loaded.config)) == config["parameters"]
    assert f"--overlay {tmp_path / 'mine'}" in shown.replace("\n", "")
    assert "folder 'model'" in _run(file, "-o", tmp_path / "elsewhere.yaml")[1].replace("\n", " ")
    assert "named by its id: my-model.yaml" in _run(file, "-o", tmp_path / "My Model.json")[1]
    code, shown = _run(file, "--json", "--tokens", 128)
    figures = {f["what"]: f["value"] for f in json.loads(shown)["figures"]}
    assert figures["parameters"] == config["parameters"]
    assert figures["KV cache, bf16"] == 61 * (512 + 64) * 2  # one latent and one rotary key a layer


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: f"{row['type']}: {row['what'][:60]}")
def test_every_model_is_described_without_a_length_given(row: dict[str, Any]) -> None:
    figures = {f.what: f.value for f in describe(from_config(row["type"], row["config"]))}
    assert figures["parameters"] == row["parameters"] and figures["forward FLOPs"] > 0
    assert figures["weights, fp4"] < figures["weights, fp8"] < figures["weights, bf16"] == 2 * row["parameters"]


def test_bad_json_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"hidden_size": 64,\n "vocab_size" 100}', encoding="utf-8")
    code, shown = _run(file)
    assert code == 2 and f"{file}:2:15" in shown
    file.write_text("[1, 2]", encoding="utf-8")
    assert "no object" in _run(file)[1]
    assert "cannot read" in _run(tmp_path / "none.json")[1]


def test_every_problem_of_a_configuration_is_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    bad = {"model_type": "mixtral", "hidden_size": 100, "num_attention_heads": 7, "num_key_value_heads": 2}
    bad |= {"num_hidden_layers": 2, "num_local_experts": 2, "num_experts_per_tok": 4, "intermediate_size": 8}
    file.write_text(json.dumps(bad), encoding="utf-8")
    code, shown = _run(file)
    assert code == 2 and shown.count(str(file)) >= 3
    assert "4 experts" in shown and "not divisible" in shown and "vocab_size" in shown


def test_a_length_beyond_the_positions_is_said_and_one_of_none_refused(tmp_path: Path) -> None:
    llama = next(row for row in COUNTED if row["type"] == "llama")
    arch = from_config("llama", llama["config"])
    assert any("2048 positions end before that" in f.note for f in describe(arch, 4096))
    assert not any("positions end" in f.note for f in describe(arch, 2048))
    file = tmp_path / "config.json"
    file.write_text(json.dumps(llama["config"]), encoding="utf-8")
    code, shown = _run(file, "--tokens", 0)
    assert code == 2 and "at least one token" in shown


def test_figures_refuse_a_length_beyond_learned_positions() -> None:
    gpt2 = next(row for row in COUNTED if row["type"] == "gpt2")
    with pytest.raises(InputError, match="only 1024 positions"):
        describe(from_config("gpt2", gpt2["config"]), 4096)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llama", "llm"),
        ("mixtral", "moe"),
        ("mamba", "state-space"),
        ("qwen3_next", "hybrid"),
        ("llava", "vlm"),
        ("whisper", "speech"),
        ("bert", "encoder"),
        ("dinov2", "encoder"),
        ("t5", "llm"),
    ],
)
def test_the_kind_of_model_is_told(name: str, kind: str) -> None:
    row = next(row for row in COUNTED if row["type"] == name)
    figures = {f.what: f.value for f in describe(from_config(name, row["config"]), 64)}
    assert figures["kind"] == kind


def test_records_of_the_catalog_are_of_the_kind_that_their_shape_tells() -> None:
    from gigawatt.physics.workload import model_kind

    told = {r.id: (r.model_kind, model_kind(from_config(r.id, r.config))) for r in Catalog.load().all("model")}
    differ = {name: pair for name, pair in told.items() if pair[0] != pair[1]}
    # Two records leave their vision tower out, one hybrid has a tower beside it.
    assert set(differ) == {"gemma3-12b", "gemma3-27b", "qwen3.5-397b-a17b"}

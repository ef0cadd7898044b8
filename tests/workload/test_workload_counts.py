"""Counts against others: torch's own counter over published implementations, and published parameter counts."""

from __future__ import annotations

import csv
import os
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gigawatt.physics.workload import (
    active_parameters,
    forward_flops,
    from_config,
    parameters,
    part_parameters,
    weight_bytes,
)
from gigawatt.validation.flops import lengths, predict, subject

# Weights counted in the safetensors index of each published repository on Hugging Face (named beside it).
PUBLISHED: dict[str, tuple[int, dict[str, Any]]] = {
    "meta-llama/Llama-3.2-1B": (
        1_235_814_400,
        {
            "model_type": "llama",
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 16,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "vocab_size": 128256,
            "tie_word_embeddings": True,
        },
    ),
    "mistralai/Mistral-7B-v0.1": (
        7_241_732_096,
        {
            "model_type": "mistral",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 32000,
            "sliding_window": 4096,
        },
    ),
    "Qwen/Qwen2.5-7B": (
        7_615_616_512,
        {
            "model_type": "qwen2",
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152064,
            "use_sliding_window": False,
            "sliding_window": 131072,
            "max_window_layers": 28,
        },
    ),
    "Qwen/Qwen3-8B": (
        8_190_735_360,
        {
            "model_type": "qwen3",
            "hidden_size": 4096,
            "intermediate_size": 12288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": 151936,
        },
    ),
    "google/gemma-2-2b": (
        2_614_341_888,
        {
            "model_type": "gemma2",
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "vocab_size": 256000,
        },
    ),
    "openai-community/gpt2": (
        124_439_808,
        {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024},
    ),
    "deepseek-ai/DeepSeek-V2-Lite": (
        15_706_484_224,
        {
            "model_type": "deepseek_v2",
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "n_shared_experts": 2,
            "n_routed_experts": 64,
            "num_experts_per_tok": 6,
            "first_k_dense_replace": 1,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "vocab_size": 102400,
        },
    ),
    "Qwen/Qwen3-VL-8B-Instruct": (
        8_767_123_696,
        {
            "model_type": "qwen3_vl",
            "text_config": {
                "hidden_size": 4096,
                "intermediate_size": 12288,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "vocab_size": 151936,
                "model_type": "qwen3_vl_text",
            },
            "vision_config": {
                "depth": 27,
                "hidden_size": 1152,
                "intermediate_size": 4304,
                "num_heads": 16,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "out_hidden_size": 4096,
            },
        },
    ),
}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _packaged() -> list[dict[str, str]]:
    return _rows(Path(str(resources.files("gigawatt.validation").joinpath("data/flop_oracle.csv"))))


PACKAGED = _packaged()


@pytest.mark.parametrize("row", PACKAGED, ids=[row["model"] for row in PACKAGED])
def test_counts_equal_torchs_to_the_integer(row: dict[str, str]) -> None:
    blind = {key: row[key] for key in ("model", "config_fields", "seq", "batch")}
    arch = subject(blind).arch
    assert parameters(arch) == int(row["params"])
    tokens, context = lengths(row["seq"])
    counted = forward_flops(arch, tokens, int(row["batch"]), "oracle", context_tokens=context)
    assert counted == int(row["fwd_flops"])


@pytest.mark.truth
def test_the_whole_table_is_exact() -> None:
    folder = os.environ.get("GIGAWATT_TRUTH")
    if not folder:
        pytest.skip("GIGAWATT_TRUTH is not set")
    rows = _rows(Path(folder) / "facts" / "flop_oracle.csv")
    truth = {(r["model"], m): float(r[m]) for r in rows for m in ("params", "fwd_flops")}
    blind = [{k: r[k] for k in ("model", "config_fields", "seq", "batch")} for r in rows]
    wrong = [p for p in predict(blind) if p.predicted != truth[p.id, p.metric]]
    assert wrong == []


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_equal_the_published_weights(name: str) -> None:
    count, config = PUBLISHED[name]
    arch = from_config(name, config)
    assert parameters(arch) == count
    parts = part_parameters(arch)
    assert sum(value for key, value in parts.items() if key != "routed_expert_each") == count
    assert sum(weight_bytes(arch, 2.0).values()) == 2.0 * count


def test_mixtral_activates_two_experts_of_eight() -> None:
    # 12.9 B active of 46.7 B: Mixtral, arXiv 2401.04088, section 2.
    row = next(r for r in PACKAGED if r["model"] == "Mixtral-8x7B")
    arch = subject(row).arch
    parts = part_parameters(arch)
    assert active_parameters(arch) == 12_879_925_248
    assert parts["routed_experts"] == 8 * parts["routed_expert_each"]
    assert active_parameters(arch) == parameters(arch) - 6 * parts["routed_expert_each"]


@pytest.mark.parametrize(
    ("name", "billions"),
    [("DeepSeek-V3", 37.0), ("Kimi-K2", 32.0), ("Qwen3-235B-A22B", 22.0), ("Qwen3-30B-A3B", 3.3)],
)
def test_active_parameters_are_near_the_published_ones(name: str, billions: float) -> None:
    arch = subject(next(r for r in PACKAGED if r["model"] == name)).arch
    assert active_parameters(arch) / 1e9 == pytest.approx(billions, rel=0.03)


def test_weight_bytes_take_a_width_for_each_part() -> None:
    arch = subject(next(r for r in PACKAGED if r["model"] == "Mixtral-8x7B")).arch
    parts, widths = part_parameters(arch), weight_bytes(arch, {"experts": 0.5625})
    assert widths["experts"] == parts["routed_experts"] * 0.5625
    assert widths["attention"] == parts["attention"] * 2.0


def test_words_are_laid_over_the_family() -> None:
    # ViT-L/16: 304,351,232 weights in transformers' ViTModel of google/vit-large-patch16-224-in21k.
    row = {"model": "ViT-L-16-224", "config_fields": "24L h1024 16 heads ffn4096 patch16 224px", "seq": "197"}
    params, flops = predict([row])
    assert params.predicted == 304_351_232
    assert params.defaulted and flops.low is not None and flops.low < (flops.predicted or 0)


def test_what_cannot_be_read_is_skipped_with_its_reason() -> None:
    made = predict([{"model": "Nobody-7", "config_fields": "a riddle", "seq": "16", "batch": "1"}])
    assert [p.predicted for p in made] == [None, None]
    assert "fields do not tell" in made[0].reason

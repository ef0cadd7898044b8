"""Model records: names people write are found, shapes are whole, sizes add up."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from gigawatt.catalog import Catalog
from gigawatt.catalog.names import model_keys

CAT = Catalog.load()


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("deepseek-ai/DeepSeek-R1", "deepseek-v3"),
        ("nvidia/DeepSeek-R1-NVFP4", "deepseek-v3"),
        ("DeepSeek-R1 FP4 8k/1k", "deepseek-v3"),
        ("DeepSeekV3 (w/o MTP)", "deepseek-v3"),
        ("Llama-3.1-8B", "llama3-8b"),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "llama3-8b"),
        ("LLAMA3.1_405B", "llama3-405b"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3-70b"),
        ("llama2-70b-99.9", "llama2-70b"),
        ("Llama 2 70B LoRA", "llama2-70b"),
        ("Qwen3_30B_a3B (tokendrop)", "qwen3-30b-a3b"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", "qwen3-235b-a22b"),
        ("GPT-OSS-120b", "gpt-oss-120b"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "nemotron-nano-12b-v2-vl"),
        ("stable-diffusion-xl", "sdxl"),
        ("GPT3-175B-MaxText", "gpt3-175b"),
    ],
)
def test_find_model(written, found):
    assert CAT.find_model(written).id == found


@pytest.mark.parametrize("unknown", ["", "GPT", "llama3_70b_l12", "deepseekv3_l4", "a model nobody made", "/", "FP8"])
def test_unknown_models_are_none(unknown):
    assert CAT.find_model(unknown) is None


def test_no_two_models_answer_to_one_name():
    owner: dict[str, str] = {}
    for record in CAT.all("model"):
        for text in (record.id, record.name, *record.aliases):
            key = model_keys(text)[0]
            assert owner.setdefault(key, record.id) == record.id, f"'{text}' means {owner[key]} and {record.id}"
            assert CAT.find_model(text).id == record.id


def test_assumed_fields_exist_in_the_configuration():
    for record in CAT.all("model"):
        assert not [field for field in record.assumed_fields if field not in record.config], record.id


def test_shapes_are_whole():
    for record in CAT.all("model"):
        config = record.config
        assert "model_type" in config, record.id
        heads, kv = config.get("num_attention_heads", 0), config.get("num_key_value_heads", 0)
        if heads and kv:
            assert heads % kv == 0, record.id
        experts = config.get("n_routed_experts") or config.get("num_local_experts") or config.get("num_experts")
        if experts and record.model_kind != "diffusion-video":
            assert config.get("num_experts_per_tok", config.get("experts", 1)) <= experts, record.id
        pattern = config.get("hybrid_override_pattern")
        if pattern:
            assert len(pattern) == config["num_hidden_layers"], record.id
        if record.active_parameters_published is not None:
            assert record.active_parameters_published.value < record.parameters_published.value, record.id


def transformer_parameters(c: dict) -> float:
    """Weights of matrices of a decoder of attention (grouped heads) and gated or squared-ReLU feed-forward parts."""
    h, layers, hd = c["hidden_size"], c["num_hidden_layers"], c["head_dim"]
    attention = 2 * h * hd * (c["num_attention_heads"] + c["num_key_value_heads"])
    gated = 2 if c["hidden_act"] in ("relu2", "gelu") else 3
    experts = c.get("num_experts") or c.get("num_local_experts")
    width = c.get("moe_intermediate_size") or c["intermediate_size"]
    feed_forward = gated * h * (experts * width if experts else c["intermediate_size"])
    return layers * (attention + feed_forward) + c["vocab_size"] * h * (1 if c["tie_word_embeddings"] else 2)


@pytest.mark.parametrize(
    "name",
    ["llama2-7b", "llama2-13b", "llama2-34b", "llama2-70b", "codellama-13b", "llama3-8b", "llama3-70b", "llama3-405b",
     "mistral-7b", "mixtral-8x7b", "mixtral-8x22b", "qwen3-8b", "qwen3-14b", "qwen3-32b", "qwen3-30b-a3b",
     "qwen3-235b-a22b", "qwen3-coder-480b-a35b", "falcon-180b", "nemotron4-340b", "nemotron4-15b", "nemotron-8b",
     "gpt-oss-20b", "gpt-oss-120b"],
)  # fmt: skip
def test_published_size_follows_from_the_shape(name):
    record = CAT.get("model", name)
    assert transformer_parameters(record.config) == pytest.approx(record.parameters_published.value, rel=0.01)


def mla_parameters(c: dict) -> float:
    """Weights of a decoder of multi-head latent attention with routed and shared experts after dense first layers."""
    h, heads, rank = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    query_dim = heads * (c["qk_nope_head_dim"] + c["qk_rope_head_dim"])
    q_rank = c.get("q_lora_rank")
    attention = h * q_rank + q_rank * query_dim if q_rank else h * query_dim
    attention += h * (rank + c["qk_rope_head_dim"]) + rank * heads * (c["qk_nope_head_dim"] + c["v_head_dim"])
    attention += heads * c["v_head_dim"] * h
    dense = c["first_k_dense_replace"]
    sparse = c["num_hidden_layers"] - dense
    moe = 3 * h * c["moe_intermediate_size"] * (c["n_routed_experts"] + c["n_shared_experts"])
    layers = c["num_hidden_layers"] * attention + dense * 3 * h * c["intermediate_size"] + sparse * moe
    return layers + 2 * c["vocab_size"] * h


@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-v2", "deepseek-v2-lite", "kimi-k2", "glm-5"])
def test_published_size_follows_from_the_shape_of_latent_attention(name):
    record = CAT.get("model", name)
    assert mla_parameters(record.config) == pytest.approx(record.parameters_published.value, rel=0.002)


LANGUAGE = ("llm", "moe", "hybrid", "state-space")


@pytest.mark.parametrize("name", [m.id for m in CAT.all("model") if m.model_kind in (*LANGUAGE, "vlm", "omni")])
def test_the_engine_reads_the_configuration_and_counts_the_published_size(name):
    """All parameters of a language model; of one that sees or hears, its language part."""
    workload = pytest.importorskip("gigawatt.physics.workload")
    record = CAT.get("model", name)
    share = workload.parameters(workload.from_config(name, record.config)) / record.parameters_published.value
    if record.model_kind in LANGUAGE:
        assert share == pytest.approx(1, rel=0.01)
    else:
        assert 0.85 < share < 1.01


@pytest.mark.truth
@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the measured tables")
@pytest.mark.parametrize(
    ("table", "column"),
    [("serving_points.csv", "model_path"), ("infer_truth.csv", "model"), ("power_serving_mlenergy.csv", "model_id")],
)
def test_every_served_model_is_known(table, column):
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "truth" / table).open(encoding="utf-8") as lines:
        names = {row[column] for row in csv.DictReader(line for line in lines if not line.startswith("#"))}
    assert not [name for name in names if name and CAT.find_model(name) is None]

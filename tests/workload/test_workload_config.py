"""Reading configurations: families, text values, windows, and every mistake told at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import families, from_config, parameters
from gigawatt.physics.workload.config.fields import typed

LLAMA: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
MOE: dict[str, Any] = dict(
    LLAMA, model_type="qwen3_moe", moe_intermediate_size=32, num_experts=8, num_experts_per_tok=2, head_dim=16
)


def _windows(**more: Any) -> list[tuple[int, int]]:
    arch = from_config("m", {**LLAMA, **more})
    return [(group.count, group.mixer.window) for group in arch.groups]


def test_text_and_typed_values_mean_the_same() -> None:
    told = {key: str(value) for key, value in LLAMA.items()} | {"head_dim": "None", "tie_word_embeddings": "True"}
    assert from_config("m", told) == from_config("m", {**LLAMA, "tie_word_embeddings": True})


@given(st.one_of(st.integers(), st.booleans(), st.none(), st.lists(st.integers()), st.floats(allow_nan=False)))
def test_typed_undoes_str(value: Any) -> None:
    assert typed(str(value)) == value


@pytest.mark.parametrize(
    ("extra", "family"),
    [
        ({}, "llama"),
        ({"sliding_window": 4096}, "mistral"),
        ({"num_local_experts": 4, "num_experts_per_tok": 2}, "mixtral"),
        ({"max_window_layers": 2, "head_dim": 8, "attention_bias": False}, "qwen3"),
        ({"max_window_layers": 2}, "qwen2"),
        ({"query_pre_attn_scalar": 8, "sliding_window": 16}, "gemma2"),
        ({"query_pre_attn_scalar": 8, "sliding_window": 16, "_sliding_window_pattern": 6}, "gemma3_text"),
        ({"swiglu_limit": 7.0, "num_local_experts": 4, "num_experts_per_tok": 2}, "gpt_oss"),
        (
            {"decoder_sparse_step": 1, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 8},
            "qwen3_moe",
        ),
    ],
)
def test_the_family_is_told_from_the_fields(extra: dict[str, Any], family: str) -> None:
    assert from_config("m", {**LLAMA, **extra}).family == family


def test_windows_follow_the_family() -> None:
    assert _windows(model_type="mistral", sliding_window=32) == [(4, 32)]
    assert _windows(model_type="gemma2", sliding_window=32) == [(2, 32), (2, 0)]
    assert _windows(model_type="gemma3_text", sliding_window=32, sliding_window_pattern=4) == [(3, 32), (1, 0)]
    assert _windows(model_type="qwen3", use_sliding_window=True, sliding_window=32, max_window_layers=3) == [
        (3, 0),
        (1, 32),
    ]
    assert _windows(model_type="qwen3", use_sliding_window=False, sliding_window=32) == [(4, 0)]
    kinds = ["sliding_attention", "full_attention"] * 2
    assert _windows(model_type="llama", sliding_window=32, layer_types=kinds) == [(2, 32), (2, 0)]


def test_a_nested_text_config_is_read() -> None:
    assert from_config("m", {"model_type": "any_wrapper", "text_config": LLAMA}).layers == 4


def _codes(config: dict[str, Any]) -> tuple[list[str], str]:
    with pytest.raises(InputError) as caught:
        from_config("m", config)
    return [problem.code for problem in caught.value.problems], str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    config = {**LLAMA, "num_attention_heads": 7, "num_hidden_layers": 0, "model_type": "llama"}
    del config["vocab_size"]
    codes, text = _codes(config)
    assert "missing_field" in codes and "wrong_value" in codes and "inconsistent_fields" in codes
    assert "vocab_size" in text and "understood so far" in text and "intermediate_size" in text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_experts_per_tok": 9}, "9 experts"),
        ({"num_key_value_heads": 3}, "not divisible by 3"),
        ({"hidden_size": "wide"}, "whole number"),
        ({"hidden_size": 64.5}, "whole number"),
        ({"tie_word_embeddings": "perhaps"}, "true or false"),
        ({"mlp_only_layers": 3}, "a list"),
        ({"layer_types": ["full_attention"]}, "entries for 4 layers"),
    ],
)
def test_a_contradiction_is_refused(change: dict[str, Any], word: str) -> None:
    assert word in _codes({**MOE, **change})[1]


def test_an_unknown_type_is_never_guessed() -> None:
    codes, text = _codes({**LLAMA, "model_type": "llamma"})
    assert codes == ["unknown_model_family"] and "llama" in text
    codes, text = _codes({"depth": 3})
    assert codes == ["unknown_model_family"] and "depth" in text


def test_a_bad_hybrid_pattern_is_refused() -> None:
    config = {
        **LLAMA,
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "M*X-",
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "ssm_state_size": 16,
    }
    assert "knows M" in _codes(config)[1]


def test_every_model_of_the_catalog_is_read_near_its_published_size() -> None:
    catalog = Catalog.load()
    far = {}
    for name in catalog.ids("model"):
        record = catalog.get("model", name)
        ratio = parameters(from_config(name, record.config)) / float(record.parameters_published.value)
        # Published counts of multimodal models include parts (speech output, projectors) that the configuration leaves out.
        bound = 0.11 if record.model_kind in ("omni", "vlm") else 0.02
        if abs(ratio - 1) > bound:
            far[name] = round(ratio, 3)
    assert far == {}
    assert {"llama", "deepseek_v3", "wan", "whisper"} <= set(families())

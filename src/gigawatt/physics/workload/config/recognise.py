"""Which family a configuration belongs to: its `model_type`, else the fields that only one family has."""

from __future__ import annotations

from gigawatt.physics.workload.config.fields import Fields

# Hugging Face model types whose configuration another reader understands.
ALIASES = {
    "deepseek_v2": "deepseek_v3",
    "kimi_k2": "deepseek_v3",
    "kimi": "deepseek_v3",
    "glm_moe_dsa": "deepseek_v32",
    "falcon_mamba": "mamba",
    "minimax_text_01": "minimax",
    "minimax_m1": "minimax",
    "internlm2": "llama",
    "exaone": "llama",
    "baichuan": "llama",
    "minicpm": "llama",
    "ministral": "mistral",
    "mt5": "t5",
    "umt5": "t5",
    "roberta": "bert",
    "xlm-roberta": "bert",
    "camembert": "bert",
    "dinov2_with_registers": "dinov2",
    "qwen2_vl_text": "qwen2",
    "qwen3_5": "qwen3_next",
    "qwen3_5_text": "qwen3_next",
    "qwen3_5_moe_text": "qwen3_next",
    "qwen3_vl_moe_text": "qwen3_moe",
    "gpt3": "gpt2",
    "gpt-oss": "gpt_oss",
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    "qwen2_vl": "qwen2",
    "qwen2_5_vl": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl": "qwen3",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe": "qwen3_moe",
    "qwen3_5_moe": "qwen3_next",
    "unet": "unet_sdxl",
    "t5_encoder": "t5",
    "t5-encoder": "t5",
    "whisper_encoder": "whisper",
    "vit_model": "vit",
    "siglip": "siglip_vision_model",
    "stable-diffusion-3": "sd3",
    "flux1": "flux",
    "wan2": "wan",
}

# Published multimodal configurations leave out of their text part what the config class fills in (transformers 5.x).
TEXT_DEFAULTS: dict[str, dict[str, int]] = {
    "llama": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
    },
    "mistral": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "gemma": {
        "vocab_size": 256000,
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
    },
    "gemma3_text": {
        "vocab_size": 262208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 4096,
        "max_position_embeddings": 131072,
    },
}

# First rule whose fields are all present wins. Each names fields that no earlier family's config class has.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("deepseek_v3", ("kv_lora_rank",)),
    ("qwen3_next", ("linear_num_value_heads",)),
    ("jamba", ("attn_layer_period",)),
    ("bamba", ("mamba_n_heads",)),
    ("nemotron_h", ("mamba_num_heads",)),
    ("mamba2", ("state_size", "num_heads")),
    ("mamba", ("state_size",)),
    ("gpt_oss", ("swiglu_limit",)),
    ("llama4_text", ("interleave_moe_layer_step",)),
    ("qwen2_moe", ("decoder_sparse_step", "shared_expert_intermediate_size")),
    ("qwen3_moe", ("decoder_sparse_step",)),
    ("glm4_moe", ("use_qk_norm", "n_routed_experts")),
    ("mixtral", ("num_local_experts",)),
    ("gemma3_text", ("query_pre_attn_scalar", "_sliding_window_pattern")),
    ("gemma3_text", ("query_pre_attn_scalar", "sliding_window_pattern")),
    ("gemma2", ("query_pre_attn_scalar",)),
    ("whisper", ("num_mel_bins",)),
    ("wan", ("sample_frames",)),
    ("flux", ("num_single_layers",)),
    ("sd3", ("pooled_projection_dim",)),
    ("t5", ("relative_attention_num_buckets",)),
    ("gpt2", ("n_embd",)),
    ("siglip_vision_model", ("image_size", "vision_use_head")),
    ("vit", ("image_size", "patch_size")),
    ("dit", ("sample_size", "patch_size")),
)


def family_of(fields: Fields, known: set[str]) -> str | None:
    """The name of the reader, or None where neither type nor fields tell. A stated type is never overruled by the fields."""
    stated = fields.text("model_type").strip().lower()
    if stated:
        name = ALIASES.get(stated, stated)
        return name if name in known else None
    for family, marks in _MARKS:
        if all(mark in fields for mark in marks):
            return family
    if not fields.has("hidden_size", "num_attention_heads"):
        return None
    if "max_window_layers" in fields:  # Qwen2's config class states neither a head width nor a bias
        return "qwen3" if fields.has("head_dim", "attention_bias") else "qwen2"
    if "hidden_activation" in fields and "intermediate_size" in fields:
        return "gemma"
    if fields.has("intermediate_size") and fields.has("vocab_size"):
        return "mistral" if "sliding_window" in fields else "llama"
    return None

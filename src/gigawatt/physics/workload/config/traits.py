"""How decoder families differ, as data: one line a family, the defaults of its config class and published code.

What a configuration states always wins; a trait says what holds where it is silent, and what no field ever states
(a norm on queries and keys, an ungated feed-forward part). Source: Hugging Face transformers 5.x, one model folder a
family; `tests/workload/counted_models.json` holds the parameters that those implementations have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

WindowRule = Literal["none", "all", "even_full", "pattern", "no_rope", "late"]
MoeRule = Literal["none", "all", "first_dense", "step", "interleave", "range"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a family is where its fields do not say.

    `norms` norms a layer (1: attention and feed-forward part side by side, 4: also after each); `norm_bias` their shift
    (LayerNorm); `norm_weight` False: norms without parameters (OLMo). `qk_norm` "head" is one norm of a head's width,
    "wide" one over all heads; `qk_norm_asked` which of them a flag of the configuration means ("": one without
    parameters, as Llama 4 has). `out_bias` None follows `qkv_bias`. `window` is the rule that spreads a sliding window
    over layers (`window_width` where the configuration gives none, `pattern` layers to one full one); `moe` the one
    that says which layers have experts, `shared_experts` how many are shared where no field says it. `positions`
    learned ones beyond those that the configuration counts (OPT: 2), None for none. `act_parameters` of a feed-forward
    part's activation (xIELU: 2).
    """

    gated: bool = True
    qkv_bias: bool = False
    out_bias: bool | None = None
    ffn_bias: bool = False
    norms: int = 2
    norm_bias: bool = False
    norm_weight: bool = True
    qk_norm: Literal["", "head", "wide"] = ""
    qk_norm_asked: Literal["", "head", "wide"] = "head"
    tied: bool = False
    head_bias: bool = False
    embedding_norm: bool = False
    positions: int | None = None
    window: WindowRule = "none"
    window_width: int = 0
    pattern: int = 1
    chunked: bool = False
    sinks: bool = False
    moe: MoeRule = "none"
    router_bias: bool = False
    expert_bias: bool = False
    shared_gate: bool = False
    shared_experts: int = 0
    act_parameters: int = 0


_LLAMA = Traits()
_QWEN = Traits(window="late")
_GEMMA = Traits(tied=True)
_LAYER_NORM = Traits(gated=False, norm_bias=True)
_GPT = replace(_LAYER_NORM, qkv_bias=True, ffn_bias=True, tied=True)
_BESIDE = replace(_GPT, norms=1, tied=False)

TRAITS: dict[str, Traits] = {
    "generic": _LLAMA,
    "generic_moe": Traits(moe="first_dense"),
    "llama": _LLAMA,
    "mistral": Traits(window="all"),
    "ministral3": Traits(window="all"),
    "smollm3": replace(_QWEN, tied=True),
    "granite": _LLAMA,
    "helium": _LLAMA,
    "internlm3": _LLAMA,
    "cwm": _LLAMA,
    "arcee": Traits(gated=False),
    "apertus": Traits(gated=False, qk_norm="head", act_parameters=2),
    "qwen2": replace(_QWEN, qkv_bias=True, out_bias=False),
    "qwen3": replace(_QWEN, qk_norm="head"),
    "hunyuan_v1_dense": Traits(qk_norm="head"),
    "seed_oss": Traits(qkv_bias=True, out_bias=False),
    "exaone4": Traits(qk_norm="head"),
    "ernie4_5": Traits(tied=True),
    "gemma": _GEMMA,
    "gemma2": replace(_GEMMA, norms=4, window="even_full", window_width=4096),
    "gemma3_text": replace(_GEMMA, norms=4, window="pattern", window_width=4096, pattern=6, qk_norm="head"),
    "phi": replace(_BESIDE, head_bias=True),
    "phi3": Traits(window="all"),
    "phimoe": Traits(norm_bias=True, window="all", moe="all"),
    "olmo": Traits(norm_weight=False),
    "olmo2": Traits(qk_norm="wide"),
    "olmo3": Traits(qk_norm="wide", window="pattern", window_width=4096, pattern=4),
    "olmoe": Traits(qk_norm="wide", moe="all"),
    "stablelm": Traits(norm_bias=True, qk_norm_asked="wide"),
    "glm": Traits(qkv_bias=True, out_bias=False),
    "glm4": Traits(qkv_bias=True, out_bias=False, norms=4),
    "cohere": Traits(norms=1, tied=True, qk_norm_asked="wide"),
    "cohere2": Traits(norms=1, tied=True, window="pattern", window_width=4096, pattern=4),
    "nemotron": _LAYER_NORM,
    "falcon": replace(_LAYER_NORM, tied=True),
    "starcoder2": replace(_GPT, window="all"),
    "gpt2": replace(_GPT, positions=0),
    "gpt_bigcode": replace(_GPT, positions=0),
    "gpt_neo": replace(_GPT, qkv_bias=False, out_bias=True, positions=0, window_width=256),
    "gpt_neox": replace(_GPT, tied=False),
    "gptj": replace(_BESIDE, qkv_bias=False, head_bias=True),
    "codegen": replace(_BESIDE, qkv_bias=False, head_bias=True),
    "opt": replace(_GPT, positions=2),
    "bloom": replace(_GPT, embedding_norm=True),
    "mpt": replace(_GPT, qkv_bias=False, ffn_bias=False, norm_bias=False),
    "mixtral": Traits(window="all", moe="all"),
    "qwen2_moe": replace(_QWEN, qkv_bias=True, out_bias=False, moe="step", shared_gate=True),
    "qwen3_moe": replace(_QWEN, qk_norm="head", moe="step"),
    "gpt_oss": Traits(
        qkv_bias=True,
        window="even_full",
        window_width=128,
        sinks=True,
        moe="all",
        router_bias=True,
        expert_bias=True,
    ),
    "llama4_text": Traits(
        window="no_rope", window_width=8192, chunked=True, moe="interleave", shared_experts=1, qk_norm_asked=""
    ),
    "glm4_moe": Traits(out_bias=False, moe="first_dense"),
    "granitemoe": Traits(moe="all"),
    "granitemoeshared": Traits(moe="all"),
    "hunyuan_v1_moe": Traits(qk_norm="head", moe="all", shared_experts=1),
    "ernie4_5_moe": Traits(tied=True, moe="range", router_bias=True),
    "minimax_m2": Traits(qk_norm="wide", moe="all"),
}

"""What an engine can not do, told before anything is written: every contradiction of the settings at once.

The rules are those of the recorded releases: vLLM spreads experts over all chips or none; TensorRT-LLM has attention ranks of
one chip or one rank in all; SGLang's expert kernels (DeepEP) want as many ways as chips.
"""

from __future__ import annotations

from gigawatt.core.errors import Problems, nearest
from gigawatt.study.serve.emit.schema import schema
from gigawatt.study.serve.emit.settings import ModelFacts, Pool, Settings

STACKS = {"vllm": ("cuda", "rocm"), "sglang": ("cuda", "rocm"), "trtllm": ("cuda",)}
CONNECTORS = {
    "vllm": {"nixl": "NixlConnector", "mooncake": "MooncakeConnector"},
    "sglang": {"nixl": "nixl", "mooncake": "mooncake"},
    "trtllm": {"nixl": "NIXL", "ucx": "UCX", "mooncake": "MOONCAKE"},
}
# How an engine writes the width of the cache; what is missing it can not store.
KV_WORDS = {
    "vllm": {"bf16": "auto", "fp8": "fp8", "fp4": "nvfp4"},
    "sglang": {"bf16": "auto", "fp8": "fp8_e4m3", "fp4": "nvfp4"},
    "trtllm": {"bf16": "auto", "fp8": "fp8", "fp4": "nvfp4"},
}
GENERATES = ("llm", "moe", "hybrid", "state-space", "vlm", "omni")  # kinds of model that answer token by token
INSIDE_DYNAMO = ("vllm", "sglang", "trtllm")


def refuse(settings: Settings, engine: str) -> None:
    """Stops where settings contradict themselves or ask what the engine can not do.

    Raises:
        InputError: every problem.
    """
    found = Problems()
    title = schema(engine).title
    inner = settings.engine if engine == "dynamo" else engine
    if inner not in INSIDE_DYNAMO:
        near = nearest(inner, INSIDE_DYNAMO)
        hints = [f"did you mean '{near}'?"] if near else []
        found.add(
            "unknown_name", f"Dynamo runs no engine '{inner}'", None, *hints, "known: " + ", ".join(INSIDE_DYNAMO)
        )
        found.raise_if_any()
    if settings.model.kind not in GENERATES:
        text = f"{settings.model.id} is of kind {settings.model.kind}; launches are written for models of tokens"
        found.add("unsupported", text, None, "kinds: " + ", ".join(GENERATES))
    if engine == "dynamo" and settings.machine.stack != "cuda":
        found.add(
            "unsupported", f"the images of {title} are for cuda; {settings.machine.name} has {settings.machine.stack}"
        )
    for role, pool in settings.pools:
        _pool(pool, role, settings.model, found)
        _layout(pool, role, settings, inner, title, found)
    _stack(settings, inner, title, found)
    _numbers(settings, inner, title, found)
    _speculation(settings, found)
    _between(settings, inner, title, found)
    found.raise_if_any()


def _pool(pool: Pool, role: str, model: ModelFacts, found: Problems) -> None:
    """What no engine does: sizes that do not divide, experts where there are none."""
    sizes = {
        "chips": pool.chips, "attention_dp": pool.attention_dp, "expert_parallel": pool.expert_parallel,
        "pipeline": pool.pipeline, "replicas": pool.replicas, "token_budget": pool.token_budget,
    }  # fmt: skip
    small = [name for name, size in sizes.items() if size < 1]
    for name in small:
        found.add("wrong_value", f"{role}: {name} is {sizes[name]}; it is at least 1")
    if pool.max_requests < 0:
        found.add("wrong_value", f"{role}: max_requests is {pool.max_requests}; 0 leaves the engine its default")
    if small:
        return
    if pool.chips % (pool.attention_dp * pool.pipeline):
        text = f"{role}: {pool.attention_dp} attention ranks in {pool.pipeline} stages do not divide {pool.chips} chips"
        found.add("does_not_divide", text, None, "chips = attention_dp x tensor x pipeline")
        return
    if model.heads and model.heads % pool.tensor:
        text = f"{role}: {pool.tensor} chips of a rank do not divide the model's heads ({model.heads})"
        found.add("does_not_divide", text, None, "more attention ranks, or fewer chips")
    if model.layers and pool.pipeline > model.layers:
        found.add("does_not_divide", f"{role}: {pool.pipeline} stages are more than the model's {model.layers} layers")
    if pool.expert_parallel > 1 and not model.experts:
        text = f"{role}: {pool.name} spreads experts, but {model.id} is a dense model"
        found.add("no_experts", text, None, f"leave out ep{pool.expert_parallel}")
    elif pool.stage % pool.expert_parallel:
        text = f"{role}: experts spread {pool.expert_parallel} ways do not divide the {pool.stage} chips of a stage"
        found.add("does_not_divide", text)
    elif model.experts and pool.expert_parallel > model.experts:
        text = f"{role}: experts spread {pool.expert_parallel} ways, but {model.id} has {model.experts}"
        found.add("does_not_divide", text)
    if pool.rank_requests > pool.token_budget:
        text = f"{role}: {pool.rank_requests} requests of a rank do not fit a step of {pool.token_budget} tokens"
        found.add("wrong_value", text, None, f"a token budget of at least {pool.rank_requests}")


def _layout(pool: Pool, role: str, settings: Settings, inner: str, title: str, found: Problems) -> None:
    """What this engine can not lay out."""
    if min(pool.chips, pool.attention_dp, pool.expert_parallel, pool.pipeline) < 1:
        return
    ways, stage, dp = pool.expert_parallel, pool.stage, pool.attention_dp
    if dp > 1 and not settings.model.experts:
        text = f"{role}: attention ranks with weights of their own are whole copies of a dense model"
        found.add("use_replicas", text, None, f"{dp} replicas of tp{pool.tensor} instead")
    node = settings.machine.node_chips
    if node > 0 and pool.chips > node and pool.chips % node:
        text = f"{role}: {pool.chips} chips are no whole number of nodes of {node}"
        found.add("does_not_divide", text)
    if inner == "vllm" and dp > 1 and pool.chips > node > 0 and node % (pool.tensor * pool.pipeline):
        text = f"{role}: an attention rank of {pool.tensor * pool.pipeline} chips beside others does not fit a node of {node}"
        found.add("unsupported", text, None, "more attention ranks, of fewer chips each")
    if inner == "vllm" and ways not in (1, stage):
        text = f"{role}: vLLM spreads experts over all {stage} chips or none, not {ways} ways"
        found.add("unsupported", text, None, f"ep{stage}, or no ep")
    if inner == "trtllm" and dp not in (1, stage):
        text = f"{role}: TensorRT-LLM has one attention rank, or one a chip, not {dp} on {stage} chips"
        found.add("unsupported", text, None, f"dp{stage}, or no dp")
    if inner == "sglang" and dp > 1 and ways not in (1, stage):
        text = f"{role}: SGLang carries tokens to experts spread over all {stage} chips (DeepEP), not {ways} ways"
        found.add("unsupported", text, None, f"ep{stage}, or no ep")


def _stack(settings: Settings, inner: str, title: str, found: Problems) -> None:
    machine = settings.machine
    if machine.stack not in STACKS[inner]:
        known = ", ".join(STACKS[inner])
        text = f"{title} as recorded runs {inner} on {known}; {machine.name} has {machine.stack}"
        found.add("unsupported", text)
    if inner == "trtllm" and settings.precision != "bf16" and settings.precision not in machine.formats:
        text = f"TensorRT-LLM computes {settings.precision} weights on chips with such units; {machine.name} has none"
        found.add("unsupported", text, None, "another precision, or vLLM or SGLang, which widen the weights")
    if machine.node_chips < 1:
        found.add("wrong_value", f"{machine.name}: {machine.node_chips} chips a node")


def _numbers(settings: Settings, inner: str, title: str, found: Problems) -> None:
    model, context = settings.model, settings.context_tokens
    if settings.precision not in ("bf16", "fp8", "fp4"):
        found.add("unknown_name", f"no precision of weights '{settings.precision}'", None, "known: bf16, fp8, fp4")
    if settings.kv_precision not in KV_WORDS[inner]:
        known = "known: " + ", ".join(KV_WORDS[inner])
        found.add("unknown_name", f"{title} stores no cache in '{settings.kv_precision}'", None, known)
    if settings.kv_precision == "fp4" and "fp4" not in settings.machine.formats:
        found.add("unsupported", f"a cache in fp4 wants chips with fp4 units; {settings.machine.name} has none")
    if context < 0:
        found.add("wrong_value", f"a context of {context} tokens; 0 leaves the model's own")
    if model.max_positions and context > model.max_positions:
        text = f"a context of {context:,} tokens is longer than {model.id} takes ({model.max_positions:,})"
        found.add("too_long", text)
    goal = settings.goal
    if goal and context and goal.input_tokens + goal.output_tokens > context:
        asked = goal.input_tokens + goal.output_tokens
        found.add("too_long", f"requests of {asked:,.0f} tokens do not fit a context of {context:,}")
    if not 0.0 < settings.memory_share <= 1.0:
        found.add("wrong_value", f"a share of memory of {settings.memory_share:g}; it lies between 0 and 1")
    if settings.offload_bytes < 0:
        found.add("wrong_value", f"{settings.offload_bytes:g} bytes of host memory")
    if settings.offload_bytes > 0 and not settings.prefix_caching:
        text = "host memory keeps old caches for prompts that begin alike, and prefix caching is off"
        found.add("contradiction", text, None, "prefix_caching, or offload_bytes 0")


def _speculation(settings: Settings, found: Problems) -> None:
    if settings.draft_tokens < 0:
        found.add("wrong_value", f"{settings.draft_tokens} drafted tokens; 0 drafts none")
    if settings.draft_tokens > 0 and not settings.draft_model and not settings.model.mtp_layers:
        text = f"{settings.model.id} has no layer that predicts further tokens, so nothing drafts"
        found.add("no_draft", text, None, "name a draft_model (EAGLE-3), or draft_tokens 0")
    if settings.draft_model and settings.draft_tokens < 1:
        found.add(
            "no_draft", f"'{settings.draft_model}' would draft {settings.draft_tokens} tokens", None, "at least 1"
        )


def _between(settings: Settings, inner: str, title: str, found: Problems) -> None:
    """Pools that are apart."""
    if settings.prefill is None:
        return
    if settings.connector not in CONNECTORS[inner]:
        known = "known: " + ", ".join(CONNECTORS[inner])
        found.add("unknown_name", f"{title} moves no cache by '{settings.connector}' ({inner})", None, known)
    if inner == "vllm" and settings.offload_bytes > 0:
        text = "vLLM's offload replaces the connector between prefill and decode workers: one or the other"
        found.add("unsupported", text, None, "no offload, or pools that are not apart")

"""SGLang: attention ranks lie within the tensor-parallel chips; requests and prompt tokens are counted over the replica."""

from __future__ import annotations

import math

from gigawatt.study.serve.emit.refuse import CONNECTORS, KV_WORDS
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.serve.emit.settings import Pool, Settings
from gigawatt.study.serve.emit.texts import (
    Words,
    header,
    left_out,
    model_variable,
    names_of,
    on_the_fly,
    router_script,
    script,
)

PORT = "${PORT:-30000}"
BOOTSTRAP_PORT = "8998"
RENDEZVOUS_PORT = "20000"
DEEPEP_MODES = {"serve": "auto", "prefill": "normal", "decode": "low_latency"}
DISPATCH_TOKENS = 128  # what DeepEP's low-latency kernels take of a rank unless they are told otherwise


def worker(settings: Settings, pool: Pool, role: str, pinned: bool = False) -> Words:
    """The engine's arguments of one worker, without addresses, nodes and the checkpoint; `pinned`: of the older release."""
    dp = pool.attention_dp
    words: Words = [("--tp-size", str(pool.stage))]
    if pool.pipeline > 1:
        words.append(("--pp-size", str(pool.pipeline)))
    if dp > 1:
        words += [("--dp-size", str(dp)), "--enable-dp-attention"] if pinned else [("--attn-dp-size", str(dp))]
    if pool.expert_parallel > 1:
        words.append(("--ep-size", str(pool.expert_parallel)))
        if exchanges(settings, pool):
            words += [("--moe-a2a-backend", "deepep"), ("--deepep-mode", DEEPEP_MODES[role])]
    if pool.max_requests:
        words.append(("--max-running-requests", str(pool.rank_requests * dp)))
    words.append(("--chunked-prefill-size", str(pool.token_budget * dp)))
    if settings.context_tokens:
        words.append(("--context-length", str(settings.context_tokens)))
    words.append(("--mem-fraction-static", f"{settings.memory_share:g}"))
    words.append(("--kv-cache-dtype", KV_WORDS["sglang"][settings.kv_precision]))
    if on_the_fly(settings):
        words.append(("--quantization", "fp8"))
    if not settings.prefix_caching:
        words.append("--disable-radix-cache")
    if settings.draft_tokens:
        words += _speculation(settings)
    if not settings.cuda_graphs:
        words += [(f"--cuda-graph-backend-{phase}", "disabled") for phase in ("decode", "prefill")]
    elif pool.max_requests:
        words.append(("--cuda-graph-max-bs-decode", str(pool.rank_requests)))
    if settings.offload_bytes and role != "decode":  # old caches serve prompts
        each = math.ceil(settings.offload_bytes / 1e9 / pool.chips)
        words += ["--enable-hierarchical-cache", ("--hicache-size", str(each))]
    if role != "serve":
        words.append(("--disaggregation-mode", role))
        words.append(("--disaggregation-transfer-backend", CONNECTORS["sglang"][settings.connector]))
    return words


def exchanges(settings: Settings, pool: Pool) -> bool:
    """Tokens go to their experts by kernels of their own: ranks hold different tokens, on CUDA."""
    return pool.expert_parallel > 1 and pool.attention_dp > 1 and settings.machine.stack == "cuda"


def _speculation(settings: Settings) -> Words:
    """One branch, as many passes as tokens: what the model's own predictor or an EAGLE-3 draft does."""
    n = settings.draft_tokens
    words: Words = [("--speculative-algorithm", "EAGLE3" if settings.draft_model else "NEXTN")]
    if settings.draft_model:
        words.append(("--speculative-draft-model-path", settings.draft_model))
    words += [("--speculative-num-steps", str(n)), ("--speculative-eagle-topk", "1")]
    return [*words, ("--speculative-num-draft-tokens", str(n + 1))]


def dispatch_tokens(settings: Settings, pool: Pool, role: str) -> int:
    """Tokens of a rank that the low-latency kernels must take, where it is more than they do by default; else 0."""
    if role == "prefill" or not exchanges(settings, pool) or not pool.max_requests:
        return 0
    tokens = pool.rank_requests * (1 + settings.draft_tokens)
    return tokens if tokens > DISPATCH_TOKENS else 0


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`serve.sh`, or one for each role; `router.sh` where there is something to route."""
    server, files = known.commands["server"], {}
    path, about = model_variable(settings, quantises=True)
    for role, pool in settings.pools:
        words: Words = [("--model-path", "$MODEL_PATH"), *worker(settings, pool, role)]
        body = [path]
        tokens = dispatch_tokens(settings, pool, role)
        if tokens:
            body.append(f"export SGLANG_DEEPEP_NUM_MAX_DISPATCH_TOKENS_PER_RANK={tokens}")
        if role == "prefill":
            words.append(("--disaggregation-bootstrap-port", BOOTSTRAP_PORT))
        count = -(-pool.chips // settings.machine.node_chips)
        if count > 1:
            body += [': "${HEAD_ADDRESS:?address of the first node}"', ': "${NODE_RANK:?number of this node, from 0}"']
            words += [("--nnodes", str(count)), ("--node-rank", "$NODE_RANK")]
            words.append(("--dist-init-addr", f"$HEAD_ADDRESS:{RENDEZVOUS_PORT}"))
        words += [("--host", "0.0.0.0"), ("--port", PORT)]
        each = f", each on {count} nodes (this script on every one)" if count > 1 else ""
        run = f"Run {pool.replicas} of these{each}." if pool.replicas > 1 or count > 1 else ""
        head = header(settings, known, server, [*about, run], left_out(server, names_of(words)))
        stem = "serve" if role == "serve" else f"serve-{role}"
        files[f"{stem}.sh"] = script(head, body, " ".join(server.program), words)
    if settings.prefill is not None or settings.serve.replicas > 1:
        apart: Words = ["--pd-disaggregation", "${workers[@]}"]
        files["router.sh"] = router_script(settings, known, apart, f" {BOOTSTRAP_PORT}")
    return files

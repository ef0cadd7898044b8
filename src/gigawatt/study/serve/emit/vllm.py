"""vLLM: attention ranks are its data parallelism, experts stand whole over all chips or are cut over all of them."""

from __future__ import annotations

from gigawatt.study.serve.emit.refuse import CONNECTORS, KV_WORDS
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.serve.emit.settings import Pool, Settings
from gigawatt.study.serve.emit.texts import (
    GIB,
    Words,
    as_json,
    header,
    left_out,
    model_variable,
    names_of,
    on_the_fly,
    router_script,
    script,
)

PORT = "${PORT:-8000}"
RPC_PORT = "13345"
NODE = (': "${HEAD_ADDRESS:?address of the first node}"', ': "${NODE_RANK:?number of this node, 1 to the last}"')
# Experts' kernels of a pool that only prefills or only decodes; a pool that does both keeps the engine's default.
EXCHANGE = {"prefill": "deepep_high_throughput", "decode": "deepep_low_latency"}
ROLES = {"mooncake": {"prefill": "kv_producer", "decode": "kv_consumer"}}


def worker(settings: Settings, pool: Pool, role: str) -> Words:
    """The engine's arguments of one worker, without addresses, nodes and the checkpoint."""
    words: Words = [("--tensor-parallel-size", str(pool.tensor))]
    if pool.pipeline > 1:
        words.append(("--pipeline-parallel-size", str(pool.pipeline)))
    if pool.attention_dp > 1:
        words.append(("--data-parallel-size", str(pool.attention_dp)))
    if pool.expert_parallel > 1:
        words.append("--enable-expert-parallel")
        if pool.attention_dp > 1 and role in EXCHANGE and settings.machine.stack == "cuda":
            words.append(("--all2all-backend", EXCHANGE[role]))
    if pool.max_requests:
        words.append(("--max-num-seqs", str(pool.rank_requests)))
    words.append(("--max-num-batched-tokens", str(pool.token_budget)))
    if settings.context_tokens:
        words.append(("--max-model-len", str(settings.context_tokens)))
    words.append(("--gpu-memory-utilization", f"{settings.memory_share:g}"))
    words.append(("--kv-cache-dtype", KV_WORDS["vllm"][settings.kv_precision]))
    if on_the_fly(settings):
        words.append(("--quantization", "fp8"))
    words.append("--enable-prefix-caching" if settings.prefix_caching else "--no-enable-prefix-caching")
    if settings.draft_tokens:  # on both sides of a transfer: the drafting layers have cache too
        draft = {"method": "eagle3", "model": settings.draft_model} if settings.draft_model else {"method": "mtp"}
        words.append(("--speculative-config", as_json({**draft, "num_speculative_tokens": settings.draft_tokens})))
    if not settings.cuda_graphs:
        words.append("--enforce-eager")
    elif pool.max_requests:
        largest = pool.rank_requests * (1 + settings.draft_tokens)
        words.append(("--max-cudagraph-capture-size", str(largest)))
    if settings.offload_bytes:
        each = settings.offload_bytes / GIB / pool.attention_dp
        words.append(("--kv-offloading-size", f"{each:.6g}"))
    if role != "serve":
        kind = ROLES.get(settings.connector, {}).get(role, "kv_both")
        moved = {"kv_connector": CONNECTORS["vllm"][settings.connector], "kv_role": kind}
        words.append(("--kv-transfer-config", as_json(moved)))
    return words


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`serve.sh`, or one for each role, with one for further nodes; `router.sh` where there is something to route."""
    server, files = known.commands["server"], {}
    path, about = model_variable(settings, quantises=True)
    for role, pool in settings.pools:
        words = worker(settings, pool, role)
        address: Words = [("--host", "0.0.0.0"), ("--port", PORT)]
        body = [path, *_side_channel(settings, role)]
        stem = "serve" if role == "serve" else f"serve-{role}"
        first, further = nodes(settings, pool)
        left = left_out(server, names_of([*words, *address, *first, *further]))
        start = [*body, NODE[0]] if first else body
        program = 'vllm serve "$MODEL_PATH"'
        notes = [*about, _copies(settings, stem, pool)]
        head = header(settings, known, server, notes, left)
        files[f"{stem}.sh"] = script(head, start, program, [*words, *first, *address])
        if further:
            files[f"{stem}-node.sh"] = script(head, [*body, *NODE], program, [*words, *further])
    if settings.prefill is not None or settings.serve.replicas > 1:
        apart: Words = ["--vllm-pd-disaggregation", "${workers[@]}", ("--kv-connector", settings.connector)]
        files["router.sh"] = router_script(settings, known, apart)
    return files


def nodes(settings: Settings, pool: Pool) -> tuple[Words, Words]:
    """What the first node adds, and what further nodes say instead; both empty on one node."""
    size = settings.machine.node_chips
    if pool.chips <= size:
        return [], []
    rank = pool.tensor * pool.pipeline
    if pool.attention_dp > 1:
        local = str(size // rank)
        shared: Words = [
            ("--data-parallel-size-local", local),
            ("--data-parallel-address", "$HEAD_ADDRESS"),
            ("--data-parallel-rpc-port", RPC_PORT),
        ]
        return shared, [*shared, "--headless", ("--data-parallel-start-rank", f"$((NODE_RANK * {local}))")]
    count = str(-(-pool.chips // size))
    shared = [("--nnodes", count), ("--master-addr", "$HEAD_ADDRESS")]
    return [*shared, ("--node-rank", "0")], [*shared, "--headless", ("--node-rank", "$NODE_RANK")]


def _side_channel(settings: Settings, role: str) -> list[str]:
    """Where the workers of the other pool find this one: NIXL listens on the local host alone unless it is told."""
    if role == "serve" or settings.connector != "nixl":
        return []
    return ['export VLLM_NIXL_SIDE_CHANNEL_HOST="${VLLM_NIXL_SIDE_CHANNEL_HOST:-$(hostname -i)}"']


def _copies(settings: Settings, stem: str, pool: Pool) -> str:
    size = -(-pool.chips // settings.machine.node_chips)
    each = f", each on {size} nodes: {stem}.sh on the first, {stem}-node.sh on the others" if size > 1 else ""
    return f"Run {pool.replicas} of these{each}." if pool.replicas > 1 or size > 1 else ""

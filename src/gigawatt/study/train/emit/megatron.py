"""Megatron-LM: a script around pretrain_gpt.py, with the model's shape, its mapping, precision, overlap and checkpoints."""

from __future__ import annotations

from gigawatt.physics.training.columns import (
    ACTIVATION,
    CORE_ATTENTION,
    EXPERTS,
    LATENT_UP,
    MLP,
    NORM,
)
from gigawatt.physics.workload.architecture import FeedForward, Mixer
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.serve.emit.texts import Words, names_of, script
from gigawatt.study.train.emit.settings import Settings
from gigawatt.study.train.emit.texts import header, split_layers

MODULES = {
    CORE_ATTENTION: "core_attn",
    NORM: "layernorm",
    ACTIVATION: "moe_act",
    LATENT_UP: "mla_up_proj",
    MLP: "mlp",
    EXPERTS: "moe",
}
CONTEXT = ("p2p", "all_gather", "a2a")  # in the order of columns.CONTEXTS
# Formats and recipes of each precision; Hopper's 8 bit scales whole tensors, Blackwell's blocks.
PRECISION: dict[str, Words] = {
    "bf16": [],
    "fp8": [("--fp8-format", "hybrid"), ("--fp8-recipe", "tensorwise"), "--fp8-param-gather"],
    "fp8-delayed": [("--fp8-format", "hybrid"), ("--fp8-recipe", "delayed"), "--fp8-param-gather"],
    "fp8-current": [("--fp8-format", "hybrid"), ("--fp8-recipe", "tensorwise"), "--fp8-param-gather"],
    "fp8-blockwise": [("--fp8-format", "e4m3"), ("--fp8-recipe", "blockwise"), "--fp8-param-gather"],
    "mxfp8": [("--fp8-format", "e4m3"), ("--fp8-recipe", "mxfp8")],
    "nvfp4": [("--fp4-format", "e2m1"), ("--fp4-recipe", "nvfp4")],
}
YOURS = (
    "Yours, since no record of the model holds it: rotary base and scaling, learning rate, data and tokenizer. Give them after "
    "the script's name; without data it runs on mock data."
)


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`pretrain.sh`."""
    command = known.commands["train"]
    words = [*_shape(settings), *_layout(settings), *_memory(settings), *_speed(settings), *_run(settings)]
    body = [
        ': "${MASTER_ADDR:?address of the first node}"',
        ': "${NODE_RANK:?number of this node, 0 to the last}"',
        ': "${SAVE:?folder of the checkpoints}"',
        f"export CUDA_DEVICE_MAX_CONNECTIONS={_connections(settings)}",
        'data=("$@")',
        'if [ "$#" -eq 0 ]; then data=(--mock-data --tokenizer-type NullTokenizer); fi',
    ]
    launch = (
        f"torchrun --nproc-per-node {settings.machine.node_chips} --nnodes {settings.nodes} --node-rank $NODE_RANK "
        f"--master-addr $MASTER_ADDR --master-port ${{MASTER_PORT:-29500}} {command.program[0]}"
    )
    head = header(settings, known, command, [YOURS, *_notes(settings)], names_of(words))
    return {"pretrain.sh": script(head, body, launch, [*words, "${data[@]}"])}


def _connections(settings: Settings) -> int:
    """How many queues a chip has: one keeps messages and kernels in order, which FSDP can not have."""
    return 8 if settings.part("sharding") >= 2 else 1


def _mixer(settings: Settings) -> Mixer:
    return max(settings.arch.groups, key=lambda group: group.count).mixer


def _feeds(settings: Settings) -> tuple[FeedForward | None, FeedForward | None]:
    """(dense feed-forward part, mixture) of the model; None where it has none."""
    feeds = [group.feed_forward for group in settings.arch.groups]
    return next((f for f in feeds if f.kind == "dense"), None), next((f for f in feeds if f.kind == "moe"), None)


def _shape(settings: Settings) -> Words:
    """The model."""
    arch, mixer = settings.arch, _mixer(settings)
    dense, mixture = _feeds(settings)
    ffn = dense or mixture
    assert ffn is not None
    words: Words = [
        ("--num-layers", str(arch.layers)),
        ("--hidden-size", str(arch.hidden)),
        ("--ffn-hidden-size", str(ffn.width)),
        ("--num-attention-heads", str(mixer.heads)),
    ]
    if mixer.kind == "mla":
        words += _latent(mixer)
    else:
        words.append(("--kv-channels", str(mixer.head_dim)))
        if mixer.kv_heads not in (0, mixer.heads):
            words += ["--group-query-attention", ("--num-query-groups", str(mixer.kv_heads))]
        words += ["--qk-layernorm"] if mixer.qk_norm else []
    wide = any(group.norm_bias for group in arch.groups)
    words += [("--normalization", "LayerNorm" if wide else "RMSNorm")]
    words += [("--position-embedding-type", "learned_absolute" if arch.learned_positions else "rope")]
    words += [
        ("--max-position-embeddings", str(max(settings.degree("seq"), arch.learned_positions))),
        ("--vocab-size", str(arch.vocab)),
    ]
    words += ["--swiglu"] if ffn.gated else ["--squared-relu"] if _activation(settings) == "relu2" else []
    words += [] if arch.tied_embeddings else ["--untie-embeddings-and-output-weights"]
    words += [] if ffn.bias else ["--disable-bias-linear"]
    words += ["--add-qkv-bias"] if mixer.qkv_bias and not ffn.bias else []
    words += [("--attention-dropout", "0"), ("--hidden-dropout", "0")]
    words += [("--mtp-num-layers", str(arch.mtp_layers))] if arch.mtp_layers else []
    return words + (_mixture(settings, mixture) if mixture is not None else [])


def _activation(settings: Settings) -> str:
    config = settings.config
    return str(config.get("hidden_act") or config.get("activation_function") or config.get("hidden_activation") or "")


def _latent(mixer: Mixer) -> Words:
    words: Words = ["--multi-latent-attention"]
    words += [("--q-lora-rank", str(mixer.q_lora_rank))] if mixer.q_lora_rank else []
    return [
        *words,
        ("--kv-lora-rank", str(mixer.kv_lora_rank)),
        ("--qk-head-dim", str(mixer.nope_dim)),
        ("--qk-pos-emb-head-dim", str(mixer.rope_dim)),
        ("--v-head-dim", str(mixer.v_head_dim)),
        "--qk-layernorm",
    ]


def _mixture(settings: Settings, ffn: FeedForward) -> Words:
    shared = ffn.shared_width or ffn.shared_experts * ffn.width
    words: Words = [
        ("--num-experts", str(ffn.experts)),
        ("--moe-router-topk", str(ffn.top_k)),
        ("--moe-ffn-hidden-size", str(ffn.width)),
    ]
    words += [("--moe-shared-expert-intermediate-size", str(shared))] if shared else []
    words += [("--moe-layer-freq", layer_pattern(settings))]
    if ffn.router_bias:
        words += [("--moe-router-score-function", "sigmoid"), "--moe-router-enable-expert-bias"]
    return [*words, "--moe-grouped-gemm"]


def layer_pattern(settings: Settings) -> str:
    """Which layers are mixtures: the dense ones first, as the models that have both lay them out.

    Where the two alternate (`every`), one word repeats.
    """
    groups = settings.arch.groups
    mixtures = sum(group.count for group in groups if group.feed_forward.kind == "moe")
    dense = settings.arch.layers - mixtures
    first = int(settings.config.get("first_k_dense_replace") or 0)
    if not dense or first == dense:
        return f"([0]*{dense}+[1]*{mixtures})" if dense else f"([1]*{mixtures})"
    return f"([0]+[1])*{mixtures}"


def _layout(settings: Settings) -> Words:
    """Degrees, batch, schedule."""
    words: Words = [
        ("--tensor-model-parallel-size", str(settings.degree("tp"))),
        ("--pipeline-model-parallel-size", str(settings.degree("pp"))),
        ("--context-parallel-size", str(settings.degree("cp"))),
        ("--micro-batch-size", str(settings.degree("micro_batch"))),
        ("--global-batch-size", str(settings.degree("global_batch"))),
        ("--seq-length", str(settings.degree("seq"))),
    ]
    words += ["--sequence-parallel"] if settings.degree("tp") > 1 and settings.part("sequence_parallel") else []
    if settings.degree("vpp") > 1:
        words.append(("--num-virtual-stages-per-pipeline-rank", str(settings.degree("vpp"))))
    split = split_layers(settings)
    if settings.degree("pp") > 1 and split is not None and split.ends_count:
        words += ["--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split"]
    if split is not None and split.last:
        words.append(("--decoder-last-pipeline-num-layers", str(split.last)))
    words += [("--cp-comm-type", CONTEXT[settings.degree("context")])] if settings.degree("cp") > 1 else []
    if settings.experts:  # left out, experts would be cut over the tensor ranks
        words += [
            ("--expert-model-parallel-size", str(settings.degree("ep"))),
            ("--expert-tensor-parallel-size", str(settings.degree("etp"))),
        ]
    return words


def _memory(settings: Settings) -> Words:
    """What is sharded, run again, or kept in host memory."""
    words: Words = []
    stage = settings.degree("sharding")
    if stage >= 2:
        kept = "optim_grads" if stage == 2 else "optim_grads_params"
        words += ["--use-megatron-fsdp", ("--data-parallel-sharding-strategy", kept), ("--ckpt-format", "fsdp_dtensor")]
        words += ["--no-gradient-accumulation-fusion"]
    elif stage == 1:
        words.append("--use-distributed-optimizer")
    ranks, group = settings.degree("dp") * settings.degree("cp"), settings.degree("shard_ranks")
    if group and stage:
        words.append(("--num-distributed-optimizer-instances", str(ranks // group)))
    words += recompute(settings)
    if settings.part("offload_optimizer"):
        share = f"{settings.part('offload_optimizer'):g}"
        words += ["--optimizer-cpu-offload", ("--optimizer-offload-fraction", share), "--use-precision-aware-optimizer"]
    return words


def recompute(settings: Settings) -> Words:
    """Whole layers, so many of each chunk; or modules of all layers."""
    share, modules = settings.part("recompute"), settings.part("modules")
    if share:
        count = max(round(share * _each(settings)), 1)
        method = "uniform" if share == 1 else "block"
        number = "1" if share == 1 else str(count)
        return [("--recompute-granularity", "full"), ("--recompute-method", method), ("--recompute-num-layers", number)]
    named = [word for bit, word in MODULES.items() if settings.mapping.recomputes(bit)]
    return [("--recompute-granularity", "selective"), ("--recompute-modules", *named)] if modules else []


def _each(settings: Settings) -> int:
    """Layers of a chunk."""
    split = split_layers(settings)
    return split.each if split is not None else settings.arch.layers


def _speed(settings: Settings) -> Words:
    """Precision, fused kernels, messages beside kernels."""
    stack, m = settings.software, settings
    words: Words = ["--bf16", *PRECISION[settings.precision], ("--attention-backend", "auto")]
    if m.part("overlap_dp") and stack.overlap_dp:
        words += ["--overlap-grad-reduce"] + (["--overlap-param-gather"] if m.degree("sharding") >= 1 else [])
    if m.degree("tp") > 1 and m.part("sequence_parallel") and m.part("overlap_tp") and stack.overlap_tp:
        words.append("--tp-comm-overlap")
    words += ["--no-overlap-p2p-communication"] if not m.part("overlap_pp") else []
    if settings.experts and m.degree("ep") > 1:
        if stack.exchanges_plainly:
            words.append(("--moe-token-dispatcher-type", "alltoall"))
        else:
            backend = "hybridep" if m.machine.domain_chips > 8 else "deepep"
            words += [("--moe-token-dispatcher-type", "flex"), ("--moe-flex-dispatcher-backend", backend)]
        words += ["--overlap-moe-expert-parallel-comm", "--delay-wgrad-compute"] if m.part("paired") else []
    if settings.experts:
        words += ["--moe-permute-fusion", "--moe-router-fusion"] if m.part("fused") else []
    elif not m.part("fused"):
        words += ["--no-bias-swiglu-fusion", "--no-bias-dropout-fusion", "--no-rope-fusion"]
    return words


def _run(settings: Settings) -> Words:
    """How long it runs, and what it saves."""
    words: Words = [("--train-iters", str(settings.steps) if settings.steps else "${STEPS:-100}")]
    words += [("--save", "$SAVE"), ("--load", "$SAVE")]
    words += [("--save-interval", str(settings.save_every))] if settings.save_every else []
    words += ["--async-save"] if settings.degree("sharding") < 2 else []
    return [*words, "--log-throughput", ("--manual-gc-interval", "100"), "--manual-gc"]


def _notes(settings: Settings) -> list[str]:
    notes = []
    share, each = settings.part("recompute"), _each(settings)
    if 0 < share < 1 and each and abs(round(share * each) - share * each) > 1e-6:
        count = max(round(share * each), 1)
        notes.append(f"Recompute: {count} of the {each} layers of a chunk, for the {100 * share:g} % of the mapping.")
    if settings.software.graphs and settings.software.passes != "eager":
        notes.append(
            "The prediction takes kernel launches to be hidden, as CUDA graphs do: --cuda-graph-impl transformer_engine."
        )
    if settings.degree("sites") > 1:
        notes.append(f"Order the nodes so that each of the {settings.degree('sites')} sites is one block of replicas.")
    if settings.arch.learned_positions == 0 and settings.degree("tp") > 1 and settings.software.overlap_tp:
        notes.append("--tp-comm-overlap takes MPI or NCCL to start its buffers: see --tp-comm-bootstrap-backend.")
    return notes

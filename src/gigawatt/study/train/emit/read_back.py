"""A script of Megatron-LM read back as a mapping: what `megatron.build` writes, and what others wrote by hand."""

from __future__ import annotations

import math

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.training.columns import Mapping
from gigawatt.study.serve.emit.check import commands_in
from gigawatt.study.train.emit.megatron import CONTEXT, MODULES
from gigawatt.study.train.emit.schema import schema

STAGES = {"no_shard": 0.0, "optim": 1.0, "optim_grads": 2.0, "optim_grads_params": 3.0}


def mapping_of(text: str, chips: int) -> Mapping:
    """The mapping that a script launches on so many chips.

    Raises:
        InputError: no command of Megatron-LM is in it, or its degrees do not divide the chips.
    """
    given = _given(text)

    def number(name: str, missing: float = 1.0) -> float:
        words = given.get(f"--{name}")
        return float(words[0]) if words else missing

    def switched(name: str) -> bool:
        return f"--{name}" in given

    tp, pp, cp = (number(f"{name}-parallel-size") for name in ("tensor-model", "pipeline-model", "context"))
    if chips % (tp * pp * cp):
        text = f"tp {tp:g} x pp {pp:g} x cp {cp:g} do not divide {chips:,} chips"
        raise InputError(Problem("does_not_divide", text))
    chunks = _chunks(number, pp)
    seq, dp = number("seq-length"), chips / (tp * pp * cp)
    sharding = STAGES[given["--data-parallel-sharding-strategy"][0]] if switched("use-megatron-fsdp") else 0.0
    sharding = max(sharding, 1.0) if switched("use-distributed-optimizer") else sharding
    instances = number("num-distributed-optimizer-instances")
    return Mapping(
        chips=float(chips),
        tp=tp,
        pp=pp,
        vpp=chunks,
        dp=dp,
        cp=cp,
        ep=number("expert-model-parallel-size"),
        micro_batch=number("micro-batch-size"),
        global_batch=number("global-batch-size"),
        seq=seq,
        recompute=_recomputed(given, number, pp * chunks),
        modules=_modules(given),
        sequence_parallel=1.0 if tp == 1 or switched("sequence-parallel") else 0.0,
        sharding=sharding,
        context=float(CONTEXT.index(given.get("--cp-comm-type", ["p2p"])[0])),
        etp=number("expert-tensor-parallel-size", tp) if switched("num-experts") else 1.0,
        shard_ranks=dp * cp / instances if instances > 1 else 0.0,
        offload_optimizer=number("optimizer-offload-fraction") if switched("optimizer-cpu-offload") else 0.0,
        overlap_tp=1.0 if tp == 1 or switched("tp-comm-overlap") else 0.0,
        overlap_pp=0.0 if switched("no-overlap-p2p-communication") else 1.0,
        overlap_dp=1.0 if switched("overlap-grad-reduce") else 0.0,
        paired=1.0 if switched("overlap-moe-expert-parallel-comm") else 0.0,
        fused=0.0 if switched("no-bias-swiglu-fusion") else 1.0,
    )


def _given(text: str) -> dict[str, list[str]]:
    known = schema("megatron")
    lines = list(commands_in(text, known))
    if not lines:
        raise InputError(Problem("no_command", f"no command of {known.title} was found"))
    given: dict[str, list[str]] = {}
    name = ""
    for word in lines[0][2]:
        if word.startswith("--"):
            argument = known.commands["train"].find(word)
            name = argument.name if argument else word
            given[name] = []
        elif name:
            given[name].append(word)
    return given


def _chunks(number: object, pp: float) -> float:
    """Chunks of a stage, by either of the two arguments that say so."""
    assert callable(number)
    stages = number("num-virtual-stages-per-pipeline-rank", 0.0)
    each = number("num-layers-per-virtual-pipeline-stage", 0.0)
    if stages:
        return float(stages)
    return float(number("num-layers") / pp / each) if each else 1.0


def _recomputed(given: dict[str, list[str]], number: object, chunks: float) -> float:
    """Share of the layers that run again as a whole: `block` names so many of each chunk, `uniform` all of them."""
    assert callable(number)
    if given.get("--recompute-granularity") != ["full"]:
        return 0.0
    if given.get("--recompute-method") != ["block"]:
        return 1.0
    return float(min(number("recompute-num-layers") / math.ceil(number("num-layers") / chunks), 1.0))


def _modules(given: dict[str, list[str]]) -> float:
    if given.get("--recompute-granularity") != ["selective"]:
        return 0.0
    named = given.get("--recompute-modules", ["core_attn"])
    return sum(bit for bit, word in MODULES.items() if word in named)

"""torchtitan: a TOML file of its job configuration, and the command that reads it."""

from __future__ import annotations

from typing import Any

from gigawatt.physics.training.columns import DUAL_PIPE_V, GPIPE, ONE_F_ONE_B, ZERO_BUBBLE_V
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.train.emit.settings import Settings
from gigawatt.study.train.emit.texts import header

Sections = dict[str, dict[str, Any]]
SCHEDULE = {GPIPE: "GPipe", ONE_F_ONE_B: "1F1B", ZERO_BUBBLE_V: "ZBVZeroBubble", DUAL_PIPE_V: "DualPipeV"}
INTERLEAVED = "Interleaved1F1B"
ROTATES = ("alltoall", "allgather")  # in the order of columns.CONTEXTS: a ring passes shards on, or all are gathered
# Converters of linear layers and of grouped products, and the recipe of each precision.
CONVERTERS: dict[str, tuple[str, str]] = {
    "bf16": ("", ""),
    "fp8": ("float8", "rowwise"),
    "fp8-current": ("float8", "tensorwise"),
    "mxfp8": ("mx", "mxfp8_cublas"),
}


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`train.toml`, and `run.sh`."""
    sections = _sections(settings, known)
    used = [f"{section}.{name}" for section, values in sections.items() for name in values]
    layout = known.files["config"]
    note = "Yours: tokenizer and weights (model.hf_assets_path), data (training.dataset), learning rate."
    head = header(settings, known, layout, [note, *_notes(settings)], used)
    return {"train.toml": head + as_toml(sections), "run.sh": _script(settings, head.splitlines()[0])}


def _script(settings: Settings, title: str) -> str:
    lines = [
        "#!/usr/bin/env bash",
        title,
        "# Start it on every node.",
        "set -euo pipefail",
        ': "${MASTER_ADDR:?address of the first node}"',
        ': "${NODE_RANK:?number of this node, 0 to the last}"',
        'export PYTORCH_ALLOC_CONF="expandable_segments:True"',
        f"exec torchrun --nproc_per_node {settings.machine.node_chips} --nnodes {settings.nodes} \\",
        '  --node_rank "$NODE_RANK" --rdzv_backend c10d --rdzv_endpoint "$MASTER_ADDR:29500" \\',
        '  -m torchtitan.train --job.config_file "${CONFIG:-train.toml}"',
    ]
    return "\n".join(lines) + "\n"


def _sections(settings: Settings, known: Schema) -> Sections:
    name, flavor = known.extras["models"][settings.model]
    steps = settings.steps or 1000
    model: dict[str, Any] = {"name": name, "flavor": flavor, "hf_assets_path": f"./assets/hf/{settings.model}"}
    quantize, converters = _quantize(settings)
    model |= {"converters": converters} if converters else {}
    out: Sections = {
        "job": {"dump_folder": "./outputs", "description": f"{settings.model} on {settings.chips} GPUs"},
        "model": model,
        "training": _training(settings, steps),
        "parallelism": _parallelism(settings),
        "activation_checkpoint": _recompute(settings),
        "compile": {"enable": settings.software.passes != "eager", "components": ["model", "loss"]},
    }
    if settings.save_every:
        out["checkpoint"] = {"enable": True, "interval": settings.save_every, "async_mode": "async"}
    return out | quantize


def _training(settings: Settings, steps: int) -> dict[str, Any]:
    """Batch: with a pipeline all micro-batches of a rank are one local batch; without, gradients are summed over them."""
    piped = settings.degree("pp") > 1
    local = settings.degree("micro_batch") * (settings.micro_batches if piped else 1)
    out: dict[str, Any] = {
        "seq_len": settings.degree("seq"),
        "local_batch_size": local,
        "global_batch_size": settings.degree("global_batch"),
        "steps": steps,
        "mixed_precision_param": "bfloat16",
        "mixed_precision_reduce": "float32",
    }
    return out | ({"enable_cpu_offload": True} if settings.part("offload_optimizer") else {})


def _parallelism(settings: Settings) -> dict[str, Any]:
    s = settings
    group = s.degree("shard_ranks") // max(s.degree("cp"), 1) or s.degree("dp")
    replicas = s.degree("dp") // group if s.degree("sharding") else s.degree("dp")
    out: dict[str, Any] = {
        "data_parallel_replicate_degree": replicas,
        "data_parallel_shard_degree": s.degree("dp") // replicas,
        "fsdp_reshard_after_forward": "always" if s.degree("sharding") == 3 else "never",
        "tensor_parallel_degree": s.degree("tp"),
        "context_parallel_degree": s.degree("cp"),
        "pipeline_parallel_degree": s.degree("pp"),
    }
    if s.degree("pp") > 1:
        schedule = SCHEDULE[s.part("schedule")]
        if schedule == "1F1B" and s.degree("vpp") > 1:
            schedule = INTERLEAVED
        chunks = s.degree("pp") * s.degree("vpp")
        out |= {
            "pipeline_parallel_schedule": schedule,
            "pipeline_parallel_microbatch_size": s.degree("micro_batch"),
            "pipeline_parallel_layers_per_stage": -(-(s.arch.layers + 2) // chunks),
        }
    if s.degree("cp") > 1:
        out["context_parallel_rotate_method"] = ROTATES[s.degree("context")]
    if s.experts:
        out |= {"expert_parallel_degree": s.degree("ep"), "expert_tensor_parallel_degree": s.degree("etp")}
    if s.degree("tp") > 1:
        out["enable_async_tensor_parallel"] = bool(s.part("overlap_tp") and s.software.overlap_tp)
    return out


def _recompute(settings: Settings) -> dict[str, Any]:
    """Every n-th layer, all of them, or none."""
    share = settings.part("recompute")
    if share == 1:
        return {"mode": "full"}
    if share == 0:
        return {"mode": "none"}
    return {"mode": "selective", "selective_ac_option": str(round(1.0 / share))}


def _quantize(settings: Settings) -> tuple[Sections, list[str]]:
    kind, recipe = CONVERTERS[settings.precision]
    if not kind:
        return {}, []
    out: Sections = {f"quantize.linear.{kind}": {"recipe_name": recipe, "filter_fqns": ["output", "router.gate"]}}
    converters = [f"quantize.linear.{kind}"]
    if settings.experts:
        out[f"quantize.grouped_mm.{kind}"] = {"fqns": ["experts"]}
        converters.append(f"quantize.grouped_mm.{kind}")
    if kind == "float8" and recipe == "tensorwise":
        out["quantize.linear.float8"] |= {"enable_fsdp_float8_all_gather": True}
    return out, converters


def _notes(settings: Settings) -> list[str]:
    notes = [] if settings.tokens else ["No budget of tokens was given: 1,000 steps."]
    if settings.degree("pp") > 1 and settings.arch.layers % (settings.degree("pp") * settings.degree("vpp")):
        notes.append("Embedding and head count as a layer each in the split of the stages, as torchtitan counts them.")
    return notes


def as_toml(sections: Sections) -> str:
    """Sections as TOML text."""
    blocks = []
    for section, values in sections.items():
        lines = [f"[{section}]", *(f"{name} = {_value(value)}" for name, value in values.items())]
        blocks.append("\n".join(lines))
    return "\n" + "\n\n".join(blocks) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)

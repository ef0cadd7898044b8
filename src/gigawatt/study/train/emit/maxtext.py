"""MaxText: a YAML file over base.yml, and the command that reads it.

The mesh of a slice (a TPU pod, or the GPUs of one scale-up domain) and that between slices are filled axis by axis: tensor,
context and expert ranks nearest, then sharded and replicated data-parallel ranks, then stages.
"""

from __future__ import annotations

import math
from typing import Any

from gigawatt.physics.training.columns import CORE_ATTENTION
from gigawatt.study.serve.emit.schema import Schema
from gigawatt.study.serve.emit.texts import as_yaml
from gigawatt.study.train.emit.settings import Settings
from gigawatt.study.train.emit.texts import header

STRATEGIES = ("ring", "all_gather", "ulysses")  # in the order of columns.CONTEXTS
GPU_QUANTIZATION = {
    "bf16": "",
    "fp8": "te_fp8_currentscaling",
    "fp8-current": "te_fp8_currentscaling",
    "fp8-delayed": "te_fp8_delayedscaling",
    "mxfp8": "te_mxfp8",
    "nvfp4": "te_nvfp4",
}
TPU_QUANTIZATION = {"bf16": "", "fp8": "fp8_full"}
ROCM_QUANTIZATION = {"bf16": "", "fp8": "nanoo_fp8"}


def quantizations(settings: Settings) -> dict[str, str]:
    """Which precisions MaxText has on this kind of chip, by its word."""
    kinds = {"xla": TPU_QUANTIZATION, "rocm": ROCM_QUANTIZATION}
    return kinds.get(settings.machine.stack, GPU_QUANTIZATION)


def build(settings: Settings, known: Schema) -> dict[str, str]:
    """`train.yml`, and `run.sh`."""
    data = _config(settings, known)
    note = "Yours: tokenizer and data (dataset_type), learning rate, base_output_directory; it runs on synthetic data."
    head = header(settings, known, known.files["config"], [note, *_notes(settings)], data)
    text = head + as_yaml({"base_config": "base.yml", **data})
    return {"train.yml": text, "run.sh": _script(known, head.splitlines()[0])}


def _script(known: Schema, title: str) -> str:
    lines = [
        "#!/usr/bin/env bash",
        title,
        "# Start it on every host.",
        "set -euo pipefail",
        ': "${OUTPUT:?folder or bucket of the run}"',
        f"exec {' '.join(known.commands['train'].program)} "
        '"${CONFIG:-train.yml}" "base_output_directory=$OUTPUT" "run_name=${RUN_NAME:-run}" "$@"',
    ]
    return "\n".join(lines) + "\n"


def axes(settings: Settings) -> dict[str, int]:
    """Degrees by MaxText's axes; expert ranks are carved out of the data-parallel ones."""
    s = settings
    ranks, ep = s.degree("dp"), s.degree("ep")
    inner = ranks // ep if ranks % ep == 0 else 0  # data-parallel ranks beside the expert ranks
    sharded = s.degree("sharding") == 3
    group = s.degree("shard_ranks") // (s.degree("cp") * ep) if s.degree("shard_ranks") else inner
    fsdp = group if sharded else 1
    return {
        "tensor": s.degree("tp"),
        "context": s.degree("cp"),
        "expert": ep,
        "fsdp": fsdp,
        "data": inner // fsdp if fsdp else 0,
        "pipeline": s.degree("pp"),
    }


def mesh(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    """(degrees inside a slice, degrees between slices) of each axis."""
    room = min(settings.machine.domain_chips, settings.chips)
    inside, between = {}, {}
    for name, size in axes(settings).items():
        inside[name] = math.gcd(size, room)
        between[name] = size // inside[name]
        room //= inside[name]
    return inside, between


def _config(settings: Settings, known: Schema) -> dict[str, Any]:
    s = settings
    inside, between = mesh(settings)
    data: dict[str, Any] = {
        "model_name": known.extras["models"][s.model],
        "hardware": "tpu" if s.machine.stack == "xla" else "gpu",
        "max_target_length": s.degree("seq"),
        "per_device_batch_size": s.part("global_batch") / s.micro_batches / s.chips,
        "gradient_accumulation_steps": s.micro_batches if s.degree("pp") == 1 else 1,
        "steps": s.steps or 1000,
        "dtype": "bfloat16",
        "quantization": quantizations(s)[s.precision],
        "remat_policy": _remat(s),
    }
    if s.degree("pp") > 1:
        chunk = s.arch.layers // (s.degree("pp") * s.degree("vpp"))
        data |= {
            "per_device_batch_size": s.part("global_batch") / s.chips,
            "num_layers_per_pipeline_stage": chunk,
            "num_pipeline_repeats": s.degree("vpp"),
            "num_pipeline_microbatches": s.micro_batches,
        }
    data |= {f"ici_{name}_parallelism": size for name, size in inside.items()}
    data |= {f"dcn_{name}_parallelism": size for name, size in between.items()}
    if s.degree("cp") > 1:
        data["context_parallel_strategy"] = STRATEGIES[s.degree("context")]
    data |= {"shard_optimizer_over_data": True} if s.degree("sharding") == 1 else {}
    data |= {"optimizer_memory_host_offload": True} if s.part("offload_optimizer") else {}
    data |= {"parameter_memory_host_offload": True} if s.part("offload_weights") else {}
    data |= {"sparse_matmul": True, "megablox": s.machine.stack == "xla"} if s.experts else {}
    data |= {"attention": "flash" if s.machine.stack == "xla" else "cudnn_flash_te"}
    data |= {"enable_checkpointing": True, "async_checkpointing": True} if s.save_every else {}
    return data | ({"checkpoint_period": s.save_every} if s.save_every else {})


def _remat(settings: Settings) -> str:
    if settings.part("offload_activations"):
        return "minimal_offloaded"
    if settings.part("recompute") == 1:
        return "full"
    return "minimal" if settings.mapping.recomputes(CORE_ATTENTION) else "minimal_with_context"


def _notes(settings: Settings) -> list[str]:
    notes = [] if settings.tokens else ["No budget of tokens was given: 1,000 steps."]
    if settings.degree("pp") > 1:
        notes.append("Stages run all forward passes, then all backward ones, over repeats; memory is that of GPipe.")
    return notes

"""A measured training row as the model takes it: chip, precision, stack, and the mappings its blanks leave open.

Stated values are taken as they are. What is blank gets the setting a practitioner would use, or, for the mapping, all
settings that divide: the fastest that fits the memory is then predicted. Nothing here reads a measured value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.training import Machine, Mapping, Shape, Stack, load_calibration, machine_of, shape_of
from gigawatt.physics.training.calibration import RELEASE_YEAR, Context, kin_of
from gigawatt.physics.training.columns import CORE_ATTENTION
from gigawatt.validation.base import number
from gigawatt.validation.training_recipes import OPEN_RELEASE, choose, documented, modules_of
from gigawatt.validation.training_shapes import architecture_of, key_of
from gigawatt.validation.wiring import usual_fabric

Row = Dict[str, str]
TOKENS_PER_STEP = 4.0e6  # global batch where none is stated: what pre-training runs of 2020-26 use
TOKENS_PER_CHIP = 1024.0  # and at least so many a chip: 16 M tokens on 16,384 (Llama 3), 12.6 M on 12,288 (MegaScale)
ACCUMULATION = 4.0  # micro-batches where a step time is given with no batch
TOKENS_PER_CHIP_XLA = 8192.0
CHIPS = {
    "a100": "a100-sxm-80gb",
    "a100-80gb": "a100-sxm-80gb",
    "a100-40gb": "a100-sxm-40gb",
    "h100": "h100-sxm",
    "h200": "h200-sxm",
    "h800": "h800-sxm",
    "b200": "b200-sxm",
    "b300": "b300-sxm",
    "mi300": "mi300x",
    "tpu v7 ironwood": "tpu7x",
    "tpu v6e trillium": "tpu-v6e",
}
# what a source's name documents about its software; the first that matches is taken
SOURCES: tuple[tuple[str, str], ...] = (
    (r"sc21 table 2", "megatron-2021"),
    (r"bigscience", "megatron-omnipath"),
    (r"vtrain|narayanan|korthikanti|2205\.05198|sc21|opt-175|metaseq", "megatron-2021"),
    (r"llm-foundry|mosaicml|deepspeed", "fsdp-eager"),
    (r"torchtitan|fms-fsdp|foundation-model-stack|torchtune", "fsdp-compile"),
    (r"internevo|internlm", "zero1-flash"),
    (r"simumax", "megatron-core"),
    (r"deepseek-ai", "deepseek"),
    (r"primus|rocm|amd-agi", "primus"),
    (r"maxtext|tpu-recipes|gpu-recipes|palm|google", "maxtext"),
)
# Networks that sources state, where they are not the chip's usual one: bytes/s a chip of eight, and technology.
NETWORKS: Dict[str, tuple[float, str]] = {
    "vtrain": (12.5e9, "infiniband"),  # 800 Gb/s a node
    # Jean Zay: four Omni-Path 100 ports a node. The host's processors move the bytes, as they do behind a TCP proxy.
    "bigscience": (6.25e9, "tcpx"),
}
SELECTIVE_SHARE = (
    0.4  # of a forward pass that per-operator selective checkpointing runs again (assumed: every second GEMM)
)
FULL_RECOMPUTE_STACKS = ("megatron-2021", "megatron-omnipath", "zero3-2021")


@dataclass(frozen=True, slots=True)
class Case:
    """One row, ready: everything but the answer. `mapping` holds the open candidates as columns."""

    id: str
    metric: str
    source: str
    shape: Shape
    chip: Chip
    machine: Machine
    context: Context
    plain: bool
    mapping: Mapping
    seq: float
    global_batch: float
    chips: float
    recompute_stated: bool
    group: str
    family: str
    moe: bool
    lora: bool
    notes: tuple[str, ...]


@lru_cache(maxsize=64)
def _chip(name: str) -> tuple[Chip, bool]:
    catalog = Catalog.load()
    key = name.strip().lower()
    ids = catalog.ids("accelerator")
    for option in (CHIPS.get(key, ""), key, key.replace(" ", "-"), f"{key}-sxm", key.split(" ")[0]):
        if option in ids:
            return chip_from_record(catalog.get("accelerator", option)), True
    for option in ids:
        if key and (option.startswith(key) or key.startswith(option.split("-")[0])):
            return chip_from_record(catalog.get("accelerator", option)), True
    return chip_from_record(catalog.get("accelerator", "a100-sxm-80gb")), False


def case_of(row: Row, release: str | None = None) -> Case:
    """The case of a row of `train_truth.csv`; `release` is the container's, where the caller knows it."""
    notes: list[str] = []
    row = documented(row)
    source = row.get("source", "")
    arch, shape_notes = architecture_of(row)
    notes += shape_notes
    chip, known = _chip(row.get("gpu", ""))
    if not known:
        notes.append(f"chip taken as {chip.name}")
    stack = stack_of(source, chip, row)
    year = number(row.get("year")) or 2024.0
    width = width_of(row, chip, year, notes)
    released = release_of(source, year)
    chosen = choose(row, key_of(row.get("model", "")), chip.name, width, stack, years=released, release=release)
    if chosen.recipe.predictions is not None:
        arch = replace(arch, mtp_layers=chosen.recipe.predictions)
    shape = shape_of(arch)
    moe = any(kind.experts > 0 for kind in shape.kinds)
    chips = number(row.get("n_gpus"))
    lora = "lora" in (row.get("model", "") + source).lower()
    if (
        not lora
        and chips
        and chips <= 8
        and stack.name == "megatron-tuned"
        and float(shape.parameters) > 60e9
        and not moe
    ):
        lora = True
        notes.append("adapters, since one node cannot train all of it")
    seq = number(row.get("seq_len")) or _default_seq(row, arch.name, lora, notes)
    machine = machine_of(chip, width, _network(source, chip), one_nic=stack.one_nic)
    mapping, chips, batch, stated = _mappings(row, shape, chip, stack, chips, seq, lora, notes)
    if moe:
        mapping = replace(mapping, modules=np.maximum(mapping.modules, modules_of(chosen.recipe)))
    family = family_of(source, stack, chip, moe, lora)
    if moe and chosen.open:
        notes.append(OPEN_RELEASE)
    if moe or release:
        released = chosen.released
    years_before = RELEASE_YEAR - released if stack.name in ("megatron-tuned", "maxtext", "primus") else 0.0
    return Case(
        id=row["id"],
        metric=row["measured_metric"],
        source=source,
        shape=shape,
        chip=chip,
        machine=machine,
        context=Context(chip.generation, width, stack, round(years_before, 2), chosen.recipe if moe else None),
        plain=moe and chosen.recipe.dispatch == "all-to-all",
        mapping=mapping,
        seq=seq,
        global_batch=batch,
        chips=chips,
        recompute_stated=stated,
        group=f"{'moe' if moe else 'dense'}.{kin_of(chip.generation)}",
        family=family,
        moe=moe,
        lora=lora,
        notes=tuple(dict.fromkeys(notes)),
    )


def _network(source: str, chip: Chip) -> Fabric:
    """What the source says of its network, else what the chip is wired with by default."""
    usual = usual_fabric(chip)
    stated = next((network for name, network in NETWORKS.items() if name in source.lower()), None)
    if stated is None:
        return usual
    return replace(usual, nic_bytes_per_s=stated[0], port_bytes_per_s=stated[0], technology=stated[1])


def stack_of(source: str, chip: Chip, row: Row) -> Stack:
    """The software stack that the source's name documents, else the usual one of the chip."""
    fit = load_calibration()
    kin = kin_of(chip.generation)
    text = source.lower()
    name = next((name for pattern, name in SOURCES if re.search(pattern, text)), "")
    if name == "megatron-2021" and kin != "ampere":
        name = ""
    if name == "megatron-2021" and "table 2" in text and _data_parallel_only(row):
        name = "zero3-2021"
    if name == "maxtext" and kin != "tpu":
        name = "maxtext-gpu"
    if not name:
        name = {"tpu": "maxtext", "amd": "primus"}.get(kin, "megatron-tuned")
    return fit.stack(name)


def release_of(source: str, year: float) -> float:
    """When the software of a row was released: what the document's name says, else the middle of the year."""
    text = source.lower()
    if "performance-summary.md" in text:
        return 2026.6  # the current page: container 26.08
    if "performance-summary-archive" in text:
        return 2026.2 if year >= 2026 else 2025.8  # containers 26.02 to 26.06, 25.09 to 25.11
    return year + 0.5 if year < 2026 else RELEASE_YEAR


def _data_parallel_only(row: Row) -> bool:
    """ZeRO-3 runs one replica a chip: the micro-batch is then the global batch over the chips, above one."""
    batch, chips, micro = (number(row.get(k)) for k in ("global_batch", "n_gpus", "micro_batch"))
    return bool(batch and chips and micro and micro > 1 and abs(batch / chips - micro) < 0.5)


def width_of(row: Row, chip: Chip, year: float, notes: list[str]) -> str:
    """GEMM precision: as written, else what the source's submitters ran."""
    text = row.get("precision", "").lower()
    if not text.strip():
        if not {"fp8", "int8"} & set(chip.peak_flops) or kin_of(chip.generation) == "ampere":
            return "16"  # nothing to choose
        notes.append("precision")
        if "mlcommons" in row.get("source", "").lower() and kin_of(chip.generation) != "ampere":
            four = "v5.1" in row["source"] and "fp4" in chip.peak_flops and kin_of(chip.generation) == "blackwell"
            return "4" if four else "8" if chip.peak_flops.get("fp8") or chip.peak_flops.get("int8") else "16"
        return "8" if "deepseek-v3" in row.get("source", "").lower() else "16"
    if "nvfp4" in text or "fp4" in text:
        return "4"
    if "mxfp8" in text or "fp8-mx" in text:
        return "mx8"
    if "8" in text and "bf" not in text.replace("bf16", ""):
        return "8"
    return "8" if re.search(r"fp8|float8|int8", text) else "16"


def _default_seq(row: Row, name: str, lora: bool, notes: list[str]) -> float:
    notes.append("sequence length")
    key = name.lower().replace(" ", "")
    context = number(row.get("cp"))
    if context and context >= 4:
        return 8192.0 * context  # context parallelism of that width is for long sequences
    if lora or "llama3" in key or "llama-3" in key or "llama4" in key or "mistral" in key:
        return 8192.0
    return 2048.0 if any(word in key for word in ("gpt", "maxtext", "palm", "bloom", "mpt", "175b")) else 4096.0


def _mappings(
    row: Row, shape: Shape, chip: Chip, stack: Stack, chips: float | None, seq: float, lora: bool, notes: list[str]
) -> tuple[Mapping, float, float, bool]:
    """(candidates, chips, global batch, whether recompute is stated)."""
    tp, pp, vpp, dp, cp, ep = (number(row.get(k)) for k in ("tp", "pp", "vpp", "dp", "cp", "ep"))
    micro, batch = number(row.get("micro_batch")), number(row.get("global_batch"))
    layers = max(float(shape.layers), 1.0)
    experts = max((float(k.experts) for k in shape.kinds), default=0.0)
    xla = stack.xla
    if not chips:
        notes.append("number of chips")
        chips = (tp or 1) * (pp or 1) * (cp or 1) * (dp or 1)
        need = 20.0 * float(shape.parameters) / (0.6 * chip.memory_bytes)
        chips = max(chips, 2.0 ** np.ceil(np.log2(max(need, 8.0))))
    if tp is None or (pp is None and not xla):
        notes.append("mapping")
    fsdp = stack.sharded
    options_tp = [tp] if tp else ([1.0] if fsdp else [t for t in _powers(64) if t <= shape.max_heads and t <= chips])
    options_pp = [pp] if pp else ([1.0] if fsdp else [p for p in (*_powers(64), 6.0, 12.0) if p <= layers])
    long = [x for x in _powers(1024) if seq / x >= 2048]
    options_cp = [cp] if cp else ([1.0] if (tp and pp and dp) or seq < 16384 else long)
    if cp is None and dp and tp and pp:
        options_cp = [max(round(chips / (tp * pp * dp)), 1.0)]
    options_ep = [max(ep, 1.0)] if ep else ([e for e in _powers(256) if e <= experts] if experts else [1.0])
    if ep is None and experts:
        notes.append("expert parallelism")
    options_vpp = _chunks(vpp, options_pp, layers, stack)
    if vpp is None and max(options_vpp) > 1:
        notes.append("chunks of the pipeline")
    stated, shares, selective = _recompute(row, stack, float(shape.parameters), notes)
    zero = [3.0] if fsdp else [1.0] if (options_pp != [1.0] or stack.name in FULL_RECOMPUTE_STACKS) else [1.0, 3.0]
    if lora and not fsdp:
        zero = [0.0]
    if xla:
        micros = [micro] if micro else [max(round(TOKENS_PER_CHIP_XLA / seq), 1.0)]
    else:
        micros = [micro] if micro else [1.0, 2.0, 4.0]
    if micro is None:
        notes.append("micro-batch")
    grid = np.meshgrid(options_tp, options_pp, options_cp, options_ep, options_vpp, shares, zero, micros, indexing="ij")
    t, p, x, e, v, r, z, b = (np.asarray(axis, dtype=float).ravel() for axis in grid)
    d = np.full_like(t, dp) if dp and tp and pp else np.floor(chips / (t * p * x))
    if batch is None:
        notes.append("global batch")
        single_step = row["measured_metric"] == "step_time_s"
        if single_step:
            batch = float(np.max(d * b)) * (1.0 if xla else ACCUMULATION)
        elif xla:
            batch = float(np.max(d * b))
        else:
            per = max(float(np.max(d)), 1.0)
            tokens = max(TOKENS_PER_STEP, TOKENS_PER_CHIP * chips)
            batch = max(round(tokens / seq / per), 1.0) * per
    ok = (d >= 1) & (d * b <= batch * 1.001) & ((np.mod(batch, np.maximum(d * b, 1.0)) < 0.5) | bool(micro and dp))
    ok &= np.mod(d * x * t, e) < 0.5
    ok &= (v == 1) | (p > 1)
    if xla and not np.any(ok):
        # fewer sequences than chips: the rest of the ranks share a sequence
        x = np.maximum(np.ceil(d * b / batch), 1.0)
        d, b = np.maximum(np.floor(chips / (t * p * x)), 1.0), np.ones_like(b)
        ok = np.ones_like(t, dtype=bool)
    if not np.any(ok):
        ok = (d >= 1) & (np.abs(t * p * x - np.min(t * p * x)) < 0.5)
        b, d = np.minimum(b, batch), np.minimum(np.maximum(d, 1.0), batch)
    keep = np.flatnonzero(ok if np.any(ok) else np.ones_like(t, dtype=bool))
    mapping = Mapping(
        chips=np.full(keep.size, chips),
        tp=t[keep],
        pp=p[keep],
        vpp=v[keep],
        dp=np.maximum(d[keep], 1.0),
        cp=x[keep],
        ep=e[keep],
        micro_batch=b[keep],
        global_batch=np.full(keep.size, batch),
        seq=np.full(keep.size, seq),
        recompute=r[keep],
        modules=np.full(keep.size, CORE_ATTENTION * selective),
        sequence_parallel=np.full(keep.size, _sequence_parallel(row, stack)),
        sharding=z[keep],
        lora=np.full(keep.size, float(lora)),
    )
    return mapping, chips, float(batch), stated


def _powers(limit: float) -> list[float]:
    return [float(2**i) for i in range(int(np.log2(limit)) + 1)]


def _chunks(vpp: float | None, options_pp: list[float], layers: float, stack: Stack) -> list[float]:
    if vpp:
        return [vpp]
    if max(options_pp) <= 1 or stack.name in FULL_RECOMPUTE_STACKS:
        return [1.0]
    pp = max(options_pp)
    found = [v for v in range(1, 13) if layers % (pp * v) == 0 or (layers + 2) % (pp * v) == 0]
    return [float(v) for v in found] or [1.0]


def _recompute(row: Row, stack: Stack, parameters: float, notes: list[str]) -> tuple[bool, list[float], float]:
    text = row.get("recompute", "").lower()
    if text.startswith("full"):
        return True, [1.0], 0.0
    if text.startswith(("selective", "minimal")):
        return True, [0.0 if stack.name != "fsdp-compile" else SELECTIVE_SHARE], 1.0 if not stack.flash else 0.0
    if text.startswith("none"):
        return True, [0.0], 0.0
    notes.append("recompute")
    if stack.name in FULL_RECOMPUTE_STACKS:
        return False, [1.0], 0.0
    if stack.name == "fsdp-compile":  # the libraries' own configurations: selective for small models, full for large
        return False, [SELECTIVE_SHARE if parameters < 20e9 else 1.0], 0.0
    if stack.xla:
        return False, [load_calibration().parameters["xla_recompute"]], 0.0
    return False, [0.0, 0.5, 1.0], 0.0


def _sequence_parallel(row: Row, stack: Stack) -> float:
    if "sequence" in row.get("recompute", "").lower():
        return 1.0
    return 0.0 if stack.name in FULL_RECOMPUTE_STACKS else 1.0


def family_of(source: str, stack: Stack, chip: Chip, moe: bool, lora: bool) -> str:
    """The kin a row is reported with."""
    text = source.lower()
    kin = kin_of(chip.generation)
    if "mlcommons" in text:
        return "MLPerf " + ("LoRA" if lora else "pre-training")
    if "bigscience" in text:
        return "BLOOM chronicles A100"
    if stack.name == "megatron-2021":
        return "A100 small GPT, one node" if "single" in text else "Megatron papers and A100 studies"
    if kin in ("tpu", "amd"):
        return kin.upper() + (" mixture" if moe else " dense")
    if stack.name in ("fsdp-eager", "fsdp-compile", "maxtext-gpu", "zero1-flash"):
        return f"{stack.name} {chip.generation}"
    return f"{'mixture' if moe else 'dense'} {kin}, NVIDIA stacks"

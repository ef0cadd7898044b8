"""A measured training row as the model takes it: chip, precision, stack, and the mappings its blanks leave open.

Stated values are taken as they are, once they agree with each other (`training_door`). What is blank gets the setting a
practitioner would use, or, for the mapping, all settings that divide: the fastest that fits the memory is then
predicted. Nothing here reads a measured value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.training import Machine, Mapping, Shape, Stack, machine_of, shape_of
from gigawatt.physics.training.calibration import Context, immaturity_of, kin_of
from gigawatt.physics.training.releases import key_of
from gigawatt.validation.base import number
from gigawatt.validation.training_door import Stated, stated
from gigawatt.validation.training_layouts import MAPPING, Job, layouts_of
from gigawatt.validation.training_mlperf import laid_out
from gigawatt.validation.training_recipes import OPEN_RELEASE, choose, documented, modules_of
from gigawatt.validation.training_shapes import architecture_of
from gigawatt.validation.training_sources import alternative_of, family_of, network_of, release_of, stack_of

Row = Dict[str, str]
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
# What was filled in and matters: a row with one of these counts as `defaulted`.
IMPORTANT_BLANKS = (
    "shape by size",
    "mixture by size",
    "mapping",
    "global batch",
    "micro-batches of a step",
    "sequence length",
    "number of chips",
    "precision",
    "chip",
    "stack",
)


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
    year: float
    notes: tuple[str, ...]

    @property
    def mapped(self) -> bool:
        """Whether the row states its mapping."""
        return MAPPING not in self.notes

    @property
    def blanks(self) -> tuple[str, ...]:
        """The notes that matter."""
        return tuple(note for note in self.notes if note in IMPORTANT_BLANKS)


@lru_cache(maxsize=64)
def _chip(name: str) -> tuple[Chip, bool]:
    catalog = Catalog.load()
    key = name.strip().lower()
    first = key.split(" ")[0]
    spellings = dict.fromkeys((key, key.replace(" ", "-"), f"{first}-sxm", first))
    ids = catalog.ids("accelerator")
    for option in (*(CHIPS.get(word, "") for word in spellings), *spellings):
        if option in ids:
            return chip_from_record(catalog.get("accelerator", option)), True
    for option in ids:
        if key and (option.startswith(key) or key.startswith(option.split("-")[0])):
            return chip_from_record(catalog.get("accelerator", option)), True
    return chip_from_record(catalog.get("accelerator", "a100-sxm-80gb")), False


def case_of(row: Row, release: str | None = None) -> Case:
    """The case of a row of `train_truth.csv`, in its first reading; `release` is the container's, where it is known."""
    return readings_of(row, release)[0]


def readings_of(row: Row, release: str | None = None) -> tuple[Case, ...]:
    """The cases that a row may mean: one, or two where its columns leave open which software ran."""
    row = laid_out(documented(row))
    chip, _ = _chip(row.get("gpu", ""))
    stack, s = stack_of(row.get("source", ""), chip), stated(row)
    other, certain = alternative_of(row.get("source", ""), stack, s)
    if other is None:
        return (_case(row, s, stack, release),)
    if certain:
        return (_case(row, s, other, release),)
    return _case(row, s, stack, release, "stack"), _case(row, s, other, release, "stack")


def _case(row: Row, s: Stated, stack: Stack, release: str | None, *notes_before: str) -> Case:
    notes = [*notes_before, *s.notes]
    source = row.get("source", "")
    arch, shape_notes = architecture_of(row)
    notes += shape_notes
    chip, known = _chip(row.get("gpu", ""))
    if not known:
        notes += ["chip", f"chip taken as {chip.name}"]
    year = number(row.get("year")) or 2024.0
    width = width_of(row, chip, stack, notes)
    released = release_of(source, year)
    chosen = choose(row, key_of(row.get("model", "")), chip.name, width, stack, years=released, release=release)
    if chosen.recipe.predictions is not None:
        arch = replace(arch, mtp_layers=chosen.recipe.predictions)
    shape = shape_of(arch)
    moe = any(kind.experts > 0 for kind in shape.kinds)
    lora = "lora" in (row.get("model", "") + source).lower()
    one_node = s.chips is not None and s.chips <= 8 and stack.name == "megatron-tuned"
    if not lora and one_node and float(shape.parameters) > 60e9 and not moe:
        lora = True
        notes.append("adapters, since one node cannot train all of it")
    seq = s.seq or _default_seq(s, arch.name, lora, notes)
    machine = machine_of(chip, width, network_of(source, chip), one_nic=stack.one_nic)
    job = Job(shape, chip, stack, seq, row.get("recompute", ""), lora, row["measured_metric"] == "step_time_s")
    open_ = layouts_of(job, s)
    notes += open_.notes
    mapping = open_.mapping
    if moe:
        again = np.maximum(mapping.modules, modules_of(chosen.recipe))
        mapping = replace(mapping, modules=again, paired=np.full(again.shape, float(chosen.recipe.overlap_experts)))
    if moe and chosen.open:
        notes.append(OPEN_RELEASE)
    if moe or release:
        released = chosen.released
    immaturity = immaturity_of(chip.name, chip.generation, released) if stack.vendor else 0.0
    return Case(
        id=row["id"],
        metric=row["measured_metric"],
        source=source,
        shape=shape,
        chip=chip,
        machine=machine,
        context=Context(chip.generation, width, stack, immaturity, chosen.recipe if moe else None),
        plain=moe and chosen.recipe.dispatch == "all-to-all",
        mapping=mapping,
        seq=seq,
        global_batch=open_.batch,
        chips=open_.chips,
        recompute_stated=open_.recompute_stated,
        group=f"{'moe' if moe else 'dense'}.{kin_of(chip.generation)}",
        family=family_of(source, stack, chip, moe, lora),
        moe=moe,
        lora=lora,
        year=year,
        notes=tuple(dict.fromkeys(notes)),
    )


def width_of(row: Row, chip: Chip, stack: Stack, notes: list[str]) -> str:
    """GEMM precision: as written, else what the source's submitters ran."""
    text = row.get("precision", "").lower()
    if not text.strip():
        if not {"fp8", "int8"} & set(chip.peak_flops) or kin_of(chip.generation) == "ampere":
            return "16"  # nothing to choose
        notes.append("precision")
        if "mlcommons" in row.get("source", "").lower() and kin_of(chip.generation) != "ampere":
            if stack.name == "fsdp-eager":
                return "16"  # PyTorch's own training, without 8-bit products
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


def _default_seq(s: Stated, name: str, lora: bool, notes: list[str]) -> float:
    notes.append("sequence length")
    key = name.lower().replace(" ", "")
    if s.cp and s.cp >= 4:
        return 8192.0 * s.cp  # context parallelism of that width is for long sequences
    if lora or "llama3" in key or "llama-3" in key or "llama4" in key or "mistral" in key:
        return 8192.0
    return 2048.0 if any(word in key for word in ("gpt", "maxtext", "palm", "bloom", "mpt", "175b")) else 4096.0

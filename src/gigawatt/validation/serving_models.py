"""From the names in measured tables to architectures and chips, with what had to be assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from gigawatt.catalog import Catalog
from gigawatt.core.errors import GigawattError
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer

SIZE = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)\s*[Bb](?![A-Za-z])")
ACTIVE = re.compile(r"[-_ ]A(\d+(?:\.\d+)?)B", re.IGNORECASE)

# Names of chips in the tables -> catalog id; the first pattern that is found counts.
CHIPS: tuple[tuple[str, str], ...] = (
    (r"gb300", "gb300"),
    (r"gb200", "gb200"),
    (r"b300", "b300-sxm"),
    (r"b200", "b200-sxm"),
    (r"gh200", "gh200"),
    (r"h200-nvl|h200_nvl", "h200-nvl"),
    (r"h200", "h200-sxm"),
    (r"h100-nvl", "h100-nvl"),
    (r"h100.pcie", "h100-pcie"),
    (r"h100", "h100-sxm"),
    (r"h800", "h800-sxm"),
    (r"h20\b", "h20"),
    (r"a100.*40", "a100-sxm-40gb"),
    (r"a100", "a100-sxm-80gb"),
    (r"l40s", "l40s"),
    (r"rtx pro 6000", "rtx-pro-6000"),
    (r"mi355x", "mi355x"),
    (r"mi350x", "mi350x"),
    (r"mi325x", "mi325x"),
    (r"mi300x", "mi300x"),
    (r"rubin|vr200|nvl144", "rubin"),
    (r"tpu ?v5e", "tpu-v5e"),
    (r"tpu ?v6e", "tpu-v6e"),
    (r"tpu ?v5p", "tpu-v5p"),
    (r"tpu7x|ironwood", "tpu7x"),
    (r"inf2|inferentia2", "inferentia2"),
    (r"trn1|trainium1", "trainium1"),
    (r"trn2|trainium2", "trainium2"),
    (r"mi250", "mi250x"),
    (r"gaudi ?3", "gaudi3"),
    (r"\bl4\b", "l4"),
)
# Chips of which the catalog has no record take the nearest one that it has.
STAND_INS: tuple[tuple[str, str], ...] = ((r"rtx 4090", "l40s"), (r"arc pro b60", "l4"), (r"rtx", "rtx-pro-6000"))
DEFAULT_CHIP = "h100-sxm"


@dataclass(frozen=True, slots=True)
class Named:
    """An architecture and what was assumed of it ('' where it is the published one)."""

    arch: Architecture
    note: str = ""
    kind: str = "llm"
    model_id: str = ""


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """The packaged catalog."""
    return Catalog.load()


def is_diffusion(name: str) -> bool:
    """Whether a name is that of an image or video model."""
    return bool(
        re.search(
            r"stable-diffusion|sdxl|flux|pixart|sana|hunyuan|cogvideo|wan-?\d|wan2|text-to-|diffusers", name.lower()
        )
    )


@lru_cache(maxsize=512)
def architecture_of(name: str) -> Named:
    """The architecture behind a model's name: the catalog's, else one sized by the numbers in the name."""
    record = catalog().find_model(name)
    if record is not None:
        try:
            return Named(from_config(record.id, record.config), "", record.model_kind, record.id)
        except (GigawattError, ValueError, KeyError, TypeError) as error:
            size = float(record.parameters_published) / 1e9
            active = float(record.active_parameters_published or 0) / 1e9
            note = f"shape of '{name}' sized from {size:.3g} B parameters ({type(error).__name__})"
            return Named(generic(name, size, active), note, record.model_kind, record.id)
    sizes = [float(found) for found in SIZE.findall(name)]
    actives = [float(found) for found in ACTIVE.findall(name)]
    size, active = (max(sizes) if sizes else 30.0), (actives[0] if actives else 0.0)
    said = "sized from its name" if sizes else "of unstated size taken as 30 B"
    return Named(generic(name, size, active), f"'{name}' {said}", "moe" if active else "llm")


def generic(name: str, size_b: float, active_b: float = 0.0) -> Architecture:
    """A decoder of usual proportions with `size_b` billion weights, `active_b` of them active where it is sparse.

    Dense: h = 2 P^(1/3) and P = 12.5 L h^2 hold from 7 B to 405 B within a tenth (Llama 2 and 3). Sparse: h = 1.45 A^(1/3),
    L = h / 43, 128 experts of which 8 work (the Qwen3 family).
    """
    if active_b and active_b < 0.8 * size_b:
        hidden = max(round(1.45 * (active_b * 1e9) ** (1 / 3) / 128) * 128, 512)
        layers = max(round(hidden / 43), 8)
        width = max(int((size_b * 1e9 * 0.96) / (layers * 128 * 3 * hidden)), 64)
        mixer = Mixer("gqa", max(hidden // 64, 8), 4, 128)
        part = FeedForward("moe", width, experts=128, top_k=8)
        return Architecture(name, "generic", hidden, 151936, (LayerGroup(layers, mixer, part),))
    parameters = size_b * 1e9
    hidden = max(round(2.0 * parameters ** (1 / 3) / 128) * 128, 256)
    layers = max(round(parameters * 0.95 / (12.5 * hidden * hidden)), 4)
    heads = max(hidden // 128, 1)
    mixer = Mixer("gqa", heads, min(8, heads), 128)
    part = FeedForward("dense", round(3.5 * hidden))
    return Architecture(name, "generic", hidden, 64000, (LayerGroup(layers, mixer, part),))


@lru_cache(maxsize=256)
def chip_of(name: str) -> tuple[Chip, str]:
    """The chip behind a name, and what was assumed ('' where the catalog has it)."""
    text = name.lower().replace("_", "-")
    for pattern, identity in CHIPS:
        if re.search(pattern, text):
            return _chip(identity), ""
    for pattern, identity in STAND_INS:
        if re.search(pattern, text):
            return _chip(identity), f"no record of '{name}': {identity} stands in"
    return _chip(DEFAULT_CHIP), f"chip '{name}' not known: {DEFAULT_CHIP} taken"


@lru_cache(maxsize=64)
def _chip(identity: str) -> Chip:
    record = catalog().get("accelerator", identity)
    try:
        return chip_from_record(record)
    except GigawattError:
        # No published power limit: watts are then meaningless, times are not.
        base = chip_from_record(catalog().get("accelerator", DEFAULT_CHIP))
        peaks = {str(key): float(datum.value) for key, datum in record.peak_flops.items()}
        return replace(
            base,
            name=record.id,
            vendor=record.vendor,
            generation=record.generation,
            stack=record.stack,
            peak_flops=peaks or dict(base.peak_flops),
            memory_bytes=float(record.memory.value) if record.memory else base.memory_bytes,
            memory_bytes_per_s=float(record.memory_bandwidth.value)
            if record.memory_bandwidth
            else base.memory_bytes_per_s,
            scaleup_bytes_per_s=float(record.scaleup_bandwidth.value) if record.scaleup_bandwidth else 100e9,
            scaleup_domain=int(record.scaleup_domain),
            sms=int(record.sms),
        )

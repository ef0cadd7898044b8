"""One replica as columns: the model, the chips under it, the layout, the widths of numbers and the rates that apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.calibration import BLACKWELL, ENGINES, WEIGHT_BYTES, Rates, calibration, rates
from gigawatt.physics.serving.engine.kernel_times import Configuration, KernelTimes, Places, Precisions, kernel_times
from gigawatt.physics.serving.engine.messages import MessageTimes, Route, message_times
from gigawatt.physics.serving.engine.model import Floats, ServedModel, served_model, stack
from gigawatt.physics.workload.architecture import Architecture

FULL = PowerMode("full", 1.0, 1.0)
GIB_PER_GB = 2**30 / 1e9


@dataclass(frozen=True, slots=True)
class ChipColumns:
    """Datasheet numbers of each row's chip. `*_flops` are peaks at the precision the part computes in."""

    memory_bytes: Floats
    memory_bytes_per_s: Floats
    dense_flops: Floats
    bf16_flops: Floats


@dataclass(frozen=True, slots=True)
class Deployment:
    """`gpus` chips hold one replica; attention runs on `dp` ranks of gpus/dp chips; experts are cut `moe_tp` ways.

    moe_tp = 1 is pure expert parallelism, moe_tp = gpus pure tensor parallelism. `*_bytes` are the widths of stored values.
    `widened` is 1 where fp4 weights meet a chip without such units. `speculation` divides the decode step (1: none);
    `maturity` multiplies the speed of everything.
    """

    model: ServedModel
    chip: ChipColumns
    kernels: KernelTimes
    messages: MessageTimes
    rates: Rates
    gpus: Floats
    dp: Floats
    moe_tp: Floats
    attention_bytes: Floats
    dense_bytes: Floats
    expert_bytes: Floats
    kv_bytes: Floats
    widened: Floats
    speculation: Floats
    maturity: Floats
    engine: NDArray[np.intp]

    @property
    def attention_tp(self) -> Floats:
        """Chips that share one attention rank."""
        return self.gpus / self.dp

    @property
    def expert_parallel(self) -> Floats:
        """Ways the experts are spread."""
        return self.gpus / self.moe_tp


@dataclass(frozen=True, slots=True)
class Spec:
    """One row as people state it, before it becomes columns. Without a fabric the chip hangs on its default one."""

    arch: Architecture
    chip: Chip
    gpus: int
    dp: int = 1
    moe_tp: int = 1
    engine: str = "trtllm"
    precision: str = "fp8"
    attention_precision: str = ""
    kv_precision: str = ""
    year: float = 2026.0
    speculation: float = 1.0
    maturity: float = 1.0
    mode: PowerMode = FULL
    fabric: Fabric | None = None

    @property
    def model(self) -> ServedModel:
        """The serving sums of the architecture."""
        return _sums(_Same(self.arch))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """An architecture by identity: it holds a mapping, so it has no hash of its own."""

    arch: Architecture

    def __hash__(self) -> int:
        return id(self.arch)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.arch is self.arch


@lru_cache(maxsize=512)
def _sums(same: _Same) -> ServedModel:
    return served_model(same.arch)


def arithmetic(chip: Chip, precision: str) -> tuple[str, float]:
    """The precision a chip computes in when weights are stored in `precision`, and its peak there, flop/s.

    A chip without the narrow format widens the weights on the way in and computes in bf16.

    Raises:
        ValueError: the chip has no peak at all.
    """
    for name in (precision, "bf16"):
        if chip.peak_flops.get(name):
            return name, float(chip.peak_flops[name])
    if not chip.peak_flops:
        raise ValueError(f"chip '{chip.name}' states no peak")
    name, peak = max(chip.peak_flops.items(), key=lambda item: item[1])
    return ("fp8" if name in ("int8", "fp6") else "bf16"), float(peak)


def attention_precision(spec: Spec) -> str:
    """Precision of the mixers' weights where none is stated.

    Published 4-bit checkpoints of mixtures of experts keep the mixers wide (gpt-oss, DeepSeek-R1-FP4); dense ones do not.
    """
    if spec.attention_precision:
        return spec.attention_precision
    return "bf16" if spec.precision == "fp4" and float(spec.model.moe_layers) > 0 else spec.precision


def kv_precision(spec: Spec) -> str:
    """Width of the cache where none is stated: fp8 with quantised weights, but wide on Hopper outside TensorRT-LLM."""
    if spec.kv_precision:
        return spec.kv_precision
    if spec.precision == "bf16":
        return "bf16"
    return "fp8" if spec.engine == "trtllm" or spec.chip.generation in BLACKWELL else "bf16"


def usable_memory_bytes(chip: Chip) -> float:
    """Memory in bytes: the round GB of HBM data sheets (80, 141, 180) are GiB on NVIDIA boards."""
    return chip.memory_bytes * (GIB_PER_GB if chip.vendor == "nvidia" else 1.0)


def deploy(specs: Sequence[Spec], values: Mapping[str, float] | None = None) -> Deployment:
    """Columns of a sequence of stated rows; `values` are the calibration's constants (the packaged ones by default)."""
    found = calibration() if values is None else values
    models = [s.model for s in specs]

    def column(numbers: Sequence[float]) -> Floats:
        return np.array(numbers, dtype=np.float64)

    index = np.array([ENGINES.index(s.engine) for s in specs], dtype=np.intp)
    compute = column([s.mode.compute_share for s in specs])
    attention, kv = [attention_precision(s) for s in specs], [kv_precision(s) for s in specs]
    return Deployment(
        model=stack(models),
        chip=ChipColumns(
            memory_bytes=column([usable_memory_bytes(s.chip) for s in specs]),
            memory_bytes_per_s=column([s.chip.memory_bytes_per_s * s.mode.memory_share for s in specs]),
            dense_flops=column([arithmetic(s.chip, s.precision)[1] for s in specs]) * compute,
            bf16_flops=column([arithmetic(s.chip, "bf16")[1] for s in specs]) * compute,
        ),
        kernels=_kernels(specs, attention, kv, found["loaded_share"]),
        messages=message_times([_route(s) for s in specs]),
        rates=rates(
            found,
            index,
            np.array([s.chip.generation in BLACKWELL for s in specs]),
            column([s.year for s in specs]),
        ),
        gpus=column([s.gpus for s in specs]),
        dp=column([s.dp for s in specs]),
        moe_tp=column([s.moe_tp for s in specs]),
        attention_bytes=column([WEIGHT_BYTES[a] for a in attention]),
        dense_bytes=column([WEIGHT_BYTES[s.precision] for s in specs]),
        expert_bytes=column([WEIGHT_BYTES[s.precision] for s in specs]),
        kv_bytes=column([WEIGHT_BYTES[c] for c in kv]),
        widened=column([float(s.precision == "fp4" and "fp4" not in s.chip.peak_flops) for s in specs]),
        speculation=column([s.speculation for s in specs]),
        maturity=column([s.maturity for s in specs]),
        engine=index,
    )


def _kernels(specs: Sequence[Spec], attention: Sequence[str], kv: Sequence[str], loaded_share: float) -> KernelTimes:
    chips: dict[tuple[int, PowerMode], Chip] = {}
    return kernel_times(
        [
            Configuration(
                arch=s.arch,
                chip=chips.setdefault((id(s.chip), s.mode), in_mode(s.chip, s.mode)),
                engine=s.engine,
                precisions=Precisions(a, s.precision, s.precision, c),
                places=Places(s.gpus, s.dp, s.moe_tp),
                loaded_share=loaded_share,
            )
            for s, a, c in zip(specs, attention, kv, strict=True)
        ]
    )


def in_mode(chip: Chip, mode: PowerMode) -> Chip:
    """The chip at a power mode's share of its speeds."""
    if mode.compute_share == 1.0 and mode.memory_share == 1.0:
        return chip
    peaks = {name: peak * mode.compute_share for name, peak in chip.peak_flops.items()}
    return replace(chip, peak_flops=peaks, memory_bytes_per_s=chip.memory_bytes_per_s * mode.memory_share)


def _route(spec: Spec) -> Route:
    model = spec.model
    return Route(
        fabric=default_fabric(spec.chip) if spec.fabric is None else spec.fabric,
        gpus=spec.gpus,
        dp=spec.dp,
        hidden=float(model.hidden),
        top_k=float(model.top_k) if float(model.moe_layers) > 0 else 0.0,
        narrow=spec.precision != "bf16",
    )


def take(deployment: Deployment, rows: NDArray[np.intp]) -> Deployment:
    """The rows named, in that order (a row may be taken many times)."""
    out: dict[str, Any] = {}
    for f in fields(Deployment):
        part = getattr(deployment, f.name)
        if isinstance(part, ServedModel):
            out[f.name] = part.take(rows)
        elif isinstance(part, ChipColumns):
            out[f.name] = ChipColumns(*(getattr(part, g.name)[rows] for g in fields(ChipColumns)))
        elif isinstance(part, KernelTimes | MessageTimes):
            out[f.name] = part.take(rows)
        elif isinstance(part, Rates):
            columns = {g.name: getattr(part, g.name)[rows] for g in fields(Rates) if g.name != "values"}
            out[f.name] = replace(part, **columns)
        else:
            out[f.name] = part[rows]
    return Deployment(**out)

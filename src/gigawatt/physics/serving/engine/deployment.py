"""One replica as columns: the model, the chips under it, the layout, the widths of numbers and the rates that apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.chip.host import HostPath
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.calibration import BLACKWELL, ENGINES, WEIGHT_BYTES, Rates, calibration, rates
from gigawatt.physics.serving.engine.kernel_times import Configuration, KernelTimes, Places, Precisions, kernel_times
from gigawatt.physics.serving.engine.messages import MessageTimes, Route, message_times
from gigawatt.physics.serving.engine.model import Floats, ServedModel, served_model, stack
from gigawatt.physics.serving.engine.pipeline import HandOver, HandOverTimes, hand_over_times
from gigawatt.physics.serving.engine.releases import release_year
from gigawatt.physics.serving.engine.scheduling import ENGINE_DEFAULT, Scheduling, SchedulingColumns
from gigawatt.physics.serving.engine.speculation import Draft, drafted, drafter
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
class HostCache:
    """What each chip keeps of old caches in its host's memory (0 bytes: none), and how it gets them back."""

    memory_bytes: Floats
    bytes_per_s: Floats
    latency_s: Floats


@dataclass(frozen=True, slots=True)
class Drafting:
    """What drafts beside the model: `tokens` a step, of which `yields` come out in the mean, by the model `by`.

    `vocabulary` is 1 where that model stores a head and an embedding of its own.
    """

    tokens: Floats
    yields: Floats
    vocabulary: Floats
    by: Deployment


@dataclass(frozen=True, slots=True)
class Deployment:
    """`gpus` chips hold one stage of a replica, which is the whole replica where `stages` is 1.

    Attention runs on `dp` ranks of gpus/dp chips; experts are cut `moe_tp` ways: 1 is pure expert parallelism, gpus pure
    tensor parallelism. `*_bytes` are the widths of stored values. `widened` is 1 where fp4 weights meet a chip without such
    units. `speculation` is a plain factor that divides the decode step (1: none), `draft` speculation by its physics;
    `maturity` multiplies the speed of everything. `eager` is 1 where decoding launches every kernel anew, outside a
    captured graph. `token_budget` is what a step takes of prompts at most (inf: they enter whole). `micro_batches` go
    round the stages; `hand_over` is None where no row has more than one.
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
    scheduling: SchedulingColumns
    stages: Floats
    micro_batches: Floats
    eager: Floats
    token_budget: Floats
    memory_share: Floats
    host: HostCache
    hand_over: HandOverTimes | None = None
    draft: Drafting | None = None

    @property
    def chips(self) -> Floats:
        """Chips of the replica, over all stages."""
        return self.gpus * self.stages

    @property
    def yields(self) -> Floats:
        """Tokens that a sequence gains in a decode step."""
        return self.speculation if self.draft is None else self.speculation * self.draft.yields

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
    """One row as people state it, before it becomes columns. Without a fabric the chip hangs on its default one.

    `gpus` are the chips of one pipeline stage: the replica takes gpus x stages. `micro_batches` 0 are as many as stages.
    `draft` is speculative decoding by its physics, `speculation` a plain factor. `memory_share` is the engine's setting of how
    much of the memory it takes, 0 its default. `host` and `host_cache_bytes` of each chip
    keep old caches in the host's memory.
    """

    arch: Architecture
    chip: Chip
    gpus: int
    dp: int = 1
    moe_tp: int = 1
    engine: str = "trtllm"
    precision: str = "fp8"
    attention_precision: str = ""
    kv_precision: str = ""
    release: str = ""
    speculation: float = 1.0
    maturity: float = 1.0
    mode: PowerMode = FULL
    fabric: Fabric | None = None
    scheduling: Scheduling = ENGINE_DEFAULT
    stages: int = 1
    micro_batches: int = 0
    draft: Draft | None = None
    eager: bool = False
    token_budget: float = np.inf
    memory_share: float = 0.0
    host: HostPath | None = None
    host_cache_bytes: float = 0.0

    @property
    def chips(self) -> int:
        """Chips of the replica, over all stages."""
        return self.gpus * self.stages

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
            column([release_year(s.engine, s.release) for s in specs]),
            np.array([float(m.moe_layers) > 0 for m in models]),
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
        scheduling=SchedulingColumns.of([s.scheduling for s in specs]),
        stages=column([s.stages for s in specs]),
        micro_batches=column([s.micro_batches or s.stages for s in specs]),
        eager=column([float(s.eager) for s in specs]),
        token_budget=column([s.token_budget for s in specs]),
        memory_share=column([s.memory_share for s in specs]),
        host=_host_cache(specs),
        hand_over=hand_over_times([_hand_over(s) for s in specs]),
        draft=_drafting(specs, values),
    )


def _host_cache(specs: Sequence[Spec]) -> HostCache:
    paths = [s.host for s in specs]
    shared = [np.inf if p is None else min(p.to_device_bytes_per_s, p.stream_bytes_per_s / p.sharers) for p in paths]
    return HostCache(
        memory_bytes=np.array([0.0 if s.host is None else s.host_cache_bytes for s in specs]),
        bytes_per_s=np.array(shared),
        latency_s=np.array([0.0 if p is None else p.latency_s for p in paths]),
    )


def _hand_over(spec: Spec) -> HandOver | None:
    if spec.stages == 1:
        return None
    fabric = default_fabric(spec.chip) if spec.fabric is None else spec.fabric
    return HandOver(fabric, spec.chips, max(spec.gpus // spec.dp, 1), float(spec.model.hidden))


def _drafting(specs: Sequence[Spec], values: Mapping[str, float] | None) -> Drafting | None:
    """The drafts of rows, laid over the chips of one stage as their model is; rows without one draft no token."""
    if all(s.draft is None for s in specs):
        return None
    tokens, yields = drafted([s.draft for s in specs])
    by = [
        replace(s, arch=s.arch if s.draft is None else _drafter(_Same(s.arch), s.draft), draft=None, stages=1)
        for s in specs
    ]
    own = np.array(
        [float(s.draft is not None and not b.arch.shared_vocabulary) for s, b in zip(specs, by, strict=True)]
    )
    return Drafting(tokens, yields, own, deploy(by, values))


def _drafter(same: _Same, draft: Draft) -> Architecture:
    return _module(same) if draft.arch is None else draft.arch


@lru_cache(maxsize=64)
def _module(same: _Same) -> Architecture:
    """One object a model, so that sums and tables of it are worked out once."""
    return drafter(same.arch, Draft())


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
        elif isinstance(part, KernelTimes | MessageTimes | HandOverTimes | SchedulingColumns):
            out[f.name] = part.take(rows)
        elif isinstance(part, HostCache):
            out[f.name] = HostCache(*(getattr(part, g.name)[rows] for g in fields(HostCache)))
        elif isinstance(part, Drafting):
            out[f.name] = Drafting(part.tokens[rows], part.yields[rows], part.vocabulary[rows], take(part.by, rows))
        elif part is None:
            out[f.name] = None
        elif isinstance(part, Rates):
            columns = {g.name: getattr(part, g.name)[rows] for g in fields(Rates) if g.name != "values"}
            out[f.name] = replace(part, **columns)
        else:
            out[f.name] = part[rows]
    return Deployment(**out)

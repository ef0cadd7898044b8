"""The question of `gigawatt train` in numbers: which model, where, how long its sequences are, and what the job may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from gigawatt.physics.training.columns import (
    ACTIVATION,
    CONTEXTS,
    CORE_ATTENTION,
    EXPERTS,
    LATENT_UP,
    MLP,
    NORM,
    SCHEDULES,
)
from gigawatt.physics.training.step.sites import Between
from gigawatt.study.hosts import Cap
from gigawatt.study.reliability import Reliability

DEFAULT_ON = "gb300-nvl72"
DEFAULT_CHIPS = 1024
DEFAULT_SEQUENCE = 8192
BATCH_TOKENS = (
    2**24
)  # of a step, where none is named: what Llama 3 405B took over most of its run (arXiv 2407.21783, sec. 3.4)
DEFAULT_FACILITY = "liquid-cooled-2026"
# As the constants were fitted, then recipes by name (`physics.training.precision`).
PRECISIONS = ("nvfp4", "mxfp8", "fp8", "bf16", "fp8-delayed", "fp8-current", "fp8-blockwise")
OBJECTIVES = ("speed", "energy", "cost")
SHARDINGS = ("none", "zero1", "zero2", "fsdp")  # the index is the ZeRO stage of `Mapping.sharding`
RECOMPUTES = ("none", "selective", "full")
# Modules that layers may run again, by the words of Megatron-Core; `selective` is the attention core alone.
MODULES = {
    "core_attn": CORE_ATTENTION,
    "layernorm": NORM,
    "act": ACTIVATION,
    "mla_up_proj": LATENT_UP,
    "mlp": MLP,
    "moe": EXPERTS,
}
OFFLOADS = ("none", "optimizer", "activations", "weights")
USUAL = Reliability()  # failures at the rate published for the chip's generation, guarded as usual at the size
CHIP_HOUR_USD, KWH_USD = 2.0, 0.08  # assumed, where --objective cost names no prices


@dataclass(frozen=True, slots=True)
class Degrees:
    """Degrees of a mapping that are fixed; 0 leaves one open. `mb` is the micro-batch in sequences."""

    tp: int = 0
    pp: int = 0
    vp: int = 0
    dp: int = 0
    cp: int = 0
    ep: int = 0
    etp: int = 0
    mb: int = 0

    @property
    def words(self) -> str:
        """As people write it.

        >>> Degrees(tp=8, pp=16, vp=4).words
        'tp8-pp16-vp4'
        """
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return "-".join(f"{name}{size}" for name, size in named if size)


@dataclass(frozen=True, slots=True)
class Value:
    """Two plain weights: what a chip-hour and a kWh at the meter count for, in one unit of the user's own."""

    chip_hour: float = 1.0
    kwh: float = 0.0
    name: str = "speed"

    @property
    def words(self) -> str:
        """What is least at the best point."""
        if self.name == "speed":
            return "most tokens/s of the job"
        if self.name == "energy":
            return "least energy a token at the meter"
        return f"least cost a token: {self.chip_hour:g} a chip-hour and {self.kwh:g} a kWh"


@dataclass(frozen=True, slots=True)
class Question:
    """How a model is trained on `chips` chips of each of `on`.

    Empty tuples, 0 and None leave the choice open: every precision that the chip has a peak for, every mapping that divides,
    every power mode of the platform. `sequence` is in tokens, `batch` (of a step, over all chips) in sequences; `tokens` is the
    budget of the whole job (0: only the step is asked about). `schedules`, `contexts`, `shardings` narrow what is tried;
    `recompute` holds pairs (share of layers that run again as a whole, sum of modules that the others run again), `offload`
    what may live in host memory. `degrees` fixes degrees of the mapping. `stack` is a software stack of the calibration (the
    usual one of the chip where empty), `release` a container or a date of it (the newest where empty). `step_s` is the
    longest step that is taken, `sites` the number of places that data-parallel ranks are spread over, `between` the cables
    between them, `local_steps` the steps between two exchanges over them. `imbalance` is the load of the busiest expert rank
    over the mean, `pair` whether forward passes run beside backward ones to hide what experts are sent (None: open).
    `failures` says how often the job is interrupted and what guards it; None for a job that nothing interrupts.
    """

    model: str
    on: tuple[str, ...] = (DEFAULT_ON,)
    chips: int = DEFAULT_CHIPS
    sequence: int = DEFAULT_SEQUENCE
    batch: int = BATCH_TOKENS // DEFAULT_SEQUENCE
    tokens: float = 0.0
    precisions: tuple[str, ...] = ()
    stack: str = ""
    release: str = ""
    maturity: float | None = None
    degrees: Degrees = Degrees()
    schedules: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    shardings: tuple[str, ...] = ()
    recompute: tuple[tuple[float, float], ...] = ()
    offload: tuple[str, ...] = ("none",)
    lora: bool = False
    imbalance: float = 1.0
    pair: bool | None = None
    sites: int = 1
    between: Between | None = None
    local_steps: int = 1
    caps: tuple[Cap, ...] = ()
    fabric: str = ""
    facility: str = DEFAULT_FACILITY
    value: Value = Value()
    step_s: float = math.inf
    failures: Reliability | None = USUAL
    pareto: int = 12

    @property
    def step_tokens(self) -> int:
        """Tokens of a step."""
        return self.sequence * self.batch


def usual_batch(sequence: int, chips: int) -> int:
    """Sequences of a step where none are named: near BATCH_TOKENS, with the odd factor of the chips, so that they divide.

    >>> usual_batch(8192, 1024), usual_batch(8192, 4608)
    (2048, 2304)
    """
    target = max(BATCH_TOKENS / sequence, 1.0)
    odd = chips // (chips & -chips)
    if odd > target:
        return int(2 ** round(math.log2(target)))
    return int(odd * 2 ** round(math.log2(target / odd)))


def token_words(tokens: float) -> str:
    """A number of tokens as people write it.

    >>> token_words(15.6e12), token_words(18_874_368), token_words(65_536)
    ('15.6 T tokens', '18.9 M tokens', '65,536 tokens')
    """
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if tokens >= size:
            return f"{tokens / size:,.4g} {name} tokens" if size == 1e12 else f"{tokens / size:,.3g} {name} tokens"
    return f"{tokens:,.0f} tokens"


def day_words(seconds: float) -> str:
    """A long time as people write it.

    >>> day_words(90.0), day_words(7.2e5), day_words(2.0e8)
    ('90 s', '8.33 days', '6.34 years')
    """
    for size, name in ((365.0 * 86400.0, "years"), (86400.0, "days"), (3600.0, "hours")):
        if seconds >= 2.0 * size:
            return f"{seconds / size:,.3g} {name}"
    return f"{seconds:,.3g} s"


__all__ = [
    "CONTEXTS", "DEFAULT_CHIPS", "DEFAULT_FACILITY", "DEFAULT_ON", "DEFAULT_SEQUENCE", "MODULES", "OBJECTIVES", "OFFLOADS",
    "PRECISIONS", "RECOMPUTES", "SCHEDULES", "SHARDINGS", "Degrees", "Question", "Value", "day_words", "token_words",
    "usual_batch",
]  # fmt: skip

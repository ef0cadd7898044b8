"""Calibrated constants of the step-time model, and which of them apply to a chip, a precision and a software stack.

The constants are catalog data (`calibration/training-*.yaml`), fitted by `tools/fit/fit_training.py` and never in a
run. Here they are looked up once per context (generation, precision, stack) and laid out as columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip.calibration import parameters as parameters_of
from gigawatt.physics.chip.calibration import table
from gigawatt.physics.chip.maturity import RECORD as MATURITY
from gigawatt.physics.chip.maturity import decimal_years, launched
from gigawatt.physics.training.release_recipes import ReleaseRecipe

CALIBRATION_ID = "training-step"
Width = Literal["16", "8", "mx8", "4"]

# Generations without measured training rows take their nearest kin's constants, and a wider band.
KIN: dict[str, str] = {
    "ampere": "ampere",
    "ada": "ampere",
    "volta": "ampere",
    "hopper": "hopper",
    "blackwell": "blackwell",
    "blackwell-ultra": "blackwell",
    "rubin": "blackwell",
    "rubin-ultra": "blackwell",
    "cdna2": "amd",
    "cdna3": "amd",
    "cdna4": "amd",
    "cdna5": "amd",
    "tpu": "tpu",
    "neuron": "tpu",
    "gaudi": "tpu",
    "ascend": "amd",
}
MEASURED = frozenset({"ampere", "hopper", "blackwell", "blackwell-ultra", "cdna3", "cdna4", "tpu"})

RELEASE_YEAR = 2026.5  # of the calibration

# Power limit over dense 16-bit peak at which a generation's kernels were timed, where its chips share one design under
# several limits: GB200 to B300, and MI300X (750 W) beside MI325X (1,000 W at the same peak).
HEADROOM_W_PER_TFLOPS = {"blackwell": 0.48, "blackwell-ultra": 0.48, "cdna3": 0.574}

# Bytes of a logit in a loss of PyTorch passes over those of a fused one (14): to 32 bit 6, maximum 4, less it 8, exponential
# 8, sum 4, divided 8; gradient scaled 8, to 16 bit 6 (counted in Megatron-LM's vocab-parallel cross entropy of 2021).
PLAIN_LOSS = 52.0 / 14.0

# The peak each precision runs at.
PEAK_KEY: dict[str, str] = {"16": "bf16", "8": "fp8", "mx8": "fp8", "4": "fp4"}
PRECISIONS: dict[str, str] = {"bf16": "16", "fp16": "16", "fp8": "8", "mxfp8": "mx8", "nvfp4": "4", "fp4": "4"}


@dataclass(frozen=True, slots=True)
class Stack:
    """A training software stack: which kernels, which overlap.

    `flash`: fused attention. `passes` names how norms and activations are done where not by
    the fused kernels of 2024 on: `eager`, a PyTorch kernel each, or `2021`, fused by pairs, with dropout. `graphs`:
    launches hidden by CUDA graphs or a compiler. `vendor`: written by the chip's vendor for its newest chips, so that
    speed grows with the chip's age. `overlap_tp`, `overlap_dp`: whether tensor- and data-parallel messages run beside
    compute. `fused_cast`: scaling and cast to 8 bit ride on other kernels. `sharded`: ZeRO-3 / FSDP. `attention` names
    the kernels of another time. `kernels` names whose derate the stack takes, its own where empty. `one_nic`: messages
    leave a host through one of its NICs. `short_sums`: gradients are summed in 16 bit and weights gathered as
    `training.precision.short_sums` says. `all_to_all`: tokens reach experts through the collective library.
    `plain_loss`: the loss over the vocabulary is PyTorch passes in 32 bit.
    """

    name: str
    flash: bool = True
    passes: str = ""
    graphs: bool = True
    overlap_tp: bool = True
    overlap_dp: bool = True
    fused_cast: bool = True
    sharded: bool = False
    attention: str = ""
    kernels: str = ""
    one_nic: bool = False
    all_to_all: bool = False
    xla: bool = False
    vendor: bool = False
    short_sums: bool = False
    plain_loss: bool = False
    note: str = ""

    @property
    def exchanges_plainly(self) -> bool:
        """Whether tokens reach experts by an all-to-all: XLA has no dispatch kernels."""
        return self.all_to_all or self.xla


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The constants of each row. Exposures are shares of messages that compute does not hide.

    `derate`, `attention`, `experts` and `slowdown` multiply kernel seconds, `sustained` those that fill the chip: all
    but grouped products. `elementwise_unfused` takes the place of `elementwise` where norms and activations are kernels of
    their own; `permute` the passes that bring tokens to experts, `loss` those over logits. `host_group` is the share of
    `host_s` that a doubling of tensor ranks adds. `expert_host_s` are seconds of a mixture layer's pass in which the host has
    not launched its experts yet, `gap_s` those of a layer's pass between kernels that follow each other.
    """

    derate: Any
    sustained: Any
    headroom_exponent: Any
    headroom_w_per_tflops: Any
    attention: Any
    attention_backward: Any
    scan: Any
    adapters: Any
    flash: Any
    elementwise: Any
    elementwise_unfused: Any
    quantise: Any
    quantise_experts: Any
    experts: Any
    unfused_experts: Any
    exposed_tp: Any
    exposed_dp: Any
    exposed_pp: Any
    exposed_cp: Any
    permute: Any
    exposed_ep: Any
    straggler: Any
    host_s: Any
    host_group: Any
    loss: Any
    expert_host_s: Any
    gap_s: Any
    slowdown: Any

    def take(self, rows: NDArray[np.intp]) -> Coefficients:
        """The rows named."""
        return Coefficients(*(np.asarray(getattr(self, f.name))[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Context:
    """What selects constants: chip generation, precision, software stack, how far its release is behind.

    `recipe` is what the release switches on in mixture layers; None is what `default_recipe` says.
    """

    generation: str
    width: str
    stack: Stack
    immaturity: float = 0.0
    recipe: ReleaseRecipe | None = None


def immaturity_of(chip: str, generation: str, released: float) -> float:
    """How much of the gain from a chip's launch to its software's plateau a release still lacks, beyond the calibration's.

    e^(-a / tau) - e^(-r / tau), a and r the ages of the chip at the release and at the calibration's: `chip.maturity` has
    the law, the launches and the settling time tau. 0 where no launch is known.
    """
    launch = launched(chip, generation)
    if not launch:
        return 0.0
    born = float(decimal_years(table(MATURITY, "launches")[launch]))
    tau = parameters_of(MATURITY)["settling_years"]
    left = (np.exp(-max(year - born, 0.0) / tau) for year in (released, RELEASE_YEAR))
    return round(float(next(left) - next(left)), 3)


def kin_of(generation: str) -> str:
    """The measured family whose constants a generation takes."""
    return KIN.get(generation, "amd")


def default_recipe(generation: str, width: str, stack: Stack) -> ReleaseRecipe:
    """What a stack's current release switches on in mixture layers where nothing else is said.

    Tuned NVIDIA stacks: dispatch kernels, and on Blackwell graphs over a layer's static parts; in MXFP8 the whole step is
    a graph and experts are one kernel (Megatron-Bridge recipes of release 26.06).
    """
    if stack.xla:
        return ReleaseRecipe(graphs="step")
    if stack.name not in ("megatron-tuned", "maxtext-gpu"):
        return ReleaseRecipe()
    if kin_of(generation) != "blackwell":
        return ReleaseRecipe(dispatch="kernels")
    if width in ("mx8", "4"):
        narrow = width == "mx8"
        return ReleaseRecipe("step", "kernels", fused_experts=True, narrow_attention=narrow)
    return ReleaseRecipe("part", "kernels")


def constants_of(context: Context, p: Mapping[str, float]) -> dict[str, float]:
    """The constants of one context from the flat parameters `p` of a calibration."""
    kin, width, stack = kin_of(context.generation), context.width, context.stack
    recipe = context.recipe or default_recipe(context.generation, width, stack)
    xla = stack.xla
    low = width != "16"
    derate = p[f"derate.{stack.kernels or stack.name}"]
    wide = "8" if low else "16"
    kernels = p.get(f"kernels.{kin}.{wide}", p.get(f"kernels.{kin}", 1.0))
    derate *= p.get(f"kernels.{context.generation}.{wide}", kernels)
    overlaps = stack.overlap_tp and recipe.overlap_tensor
    plain = stack.exchanges_plainly if context.recipe is None else recipe.dispatch == "all-to-all"
    attention = p.get(f"attention.{stack.attention}-{kin}", p.get(f"attention.{kin}", 1.0))
    return {
        "derate": derate,
        "sustained": p.get(f"sustained.{kin}.{width}", 1.0),
        "headroom_exponent": p["headroom_exponent"] if context.generation in HEADROOM_W_PER_TFLOPS else 0.0,
        "headroom_w_per_tflops": HEADROOM_W_PER_TFLOPS.get(context.generation, 1.0),
        "attention": attention * (p["attention.narrow"] if recipe.narrow_attention else 1.0),
        "attention_backward": p["attention_backward"],
        "adapters": p["adapters"],
        "scan": p.get(f"scan.{kin}", p["scan"]),
        "flash": float(stack.flash),
        "elementwise": p[f"elementwise{stack.passes and '.' + stack.passes}"],
        "elementwise_unfused": max(p["elementwise.eager"], p["elementwise"]),
        "quantise": (p["quantise"] if stack.fused_cast else p["quantise_experts"]) if low else 0.0,
        "quantise_experts": (p["quantise"] if recipe.fused_experts else p["quantise_experts"]) if low else 0.0,
        "experts": p["experts.8"] if low else p["experts.16"],
        "unfused_experts": p["unfused_experts"],
        "exposed_tp": p["exposed_ici"] if xla else (p["exposed_tp"] if overlaps else 1.0),
        "exposed_dp": p["exposed_ici"]
        if xla
        else (p["exposed_fsdp"] if stack.sharded else (p["exposed_dp"] if stack.overlap_dp else 1.0)),
        "exposed_pp": p["exposed_pp"],
        "exposed_cp": p["exposed_ici"] if xla else p["exposed_cp"],
        "permute": p["permute.plain"] if plain and not xla else 1.0,
        "exposed_ep": p["exposed_ici"] if xla else p["exposed_ep"],
        "straggler": p["straggler"],
        "host_s": 0.0 if stack.graphs else p["host_s"],
        "host_group": p["host_group"],
        "loss": PLAIN_LOSS if stack.plain_loss else 1.0,
        "expert_host_s": 0.0 if recipe.graphs == "step" else p[f"expert_host_s.{recipe.graphs}"],
        "gap_s": p["gap_s"] if stack.graphs and not xla else 0.0,
        "slowdown": float(np.exp(p["maturing"] * context.immaturity)),
    }


def coefficients(contexts: Sequence[Context], p: Mapping[str, float]) -> Coefficients:
    """One row of constants for each context."""
    unique = {context: i for i, context in enumerate(dict.fromkeys(contexts))}
    rows = [constants_of(context, p) for context in unique]
    index = np.array([unique[context] for context in contexts], dtype=np.intp)
    return Coefficients(*(np.array([row[f.name] for row in rows])[index] for f in fields(Coefficients)))


@dataclass(frozen=True, slots=True)
class TrainingCalibration:
    """Parameters, residual spread by group (sigma of ln) and the stacks of a calibration record."""

    parameters: Mapping[str, float]
    sigma: Mapping[str, float]
    stacks: Mapping[str, Stack]
    tables: Mapping[str, Any]

    def stack(self, name: str) -> Stack:
        """The stack of that name.

        Raises:
            InputError: there is none; the nearest is named.
        """
        if name not in self.stacks:
            raise InputError(unknown_name("training stack", name, self.stacks))
        return self.stacks[name]


@lru_cache(maxsize=4)
def load_calibration(record_id: str = CALIBRATION_ID) -> TrainingCalibration:
    """The packaged calibration of the step-time model."""
    return read_calibration(Catalog.load().get("calibration", record_id))


def read_calibration(record: Any) -> TrainingCalibration:
    """A calibration record (catalog kind `calibration`) as the step-time model reads it."""
    stacks = {name: Stack(name, **settings) for name, settings in record.tables.get("stacks", {}).items()}
    return TrainingCalibration(
        parameters={name: float(fitted.value) for name, fitted in record.parameters.items()},
        sigma={name: float(value) for name, value in record.groups.items()},
        stacks=stacks,
        tables=record.tables,
    )


def default_stack(generation: str) -> str:
    """The stack a practitioner runs on a generation."""
    kin = kin_of(generation)
    return {"tpu": "maxtext", "amd": "primus"}.get(kin, "megatron-tuned")

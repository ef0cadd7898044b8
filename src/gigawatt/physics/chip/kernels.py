"""`kernel_seconds`: one door to the kernel families, for measured chips and for those that nobody measured.

A chip without own measurements uses the constants of a sister of its generation, else those pooled over all generations,
at its own peak, bandwidth and multiprocessors; the band widens at each step, and says so. One kernel measured on it (an
anchor, see `anchors`) moves every prediction of its family and narrows the band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.attention import (
    decode_seconds,
    encoder_seconds,
    mla_decode_seconds,
    mla_prefill_seconds,
    prefill_seconds,
)
from gigawatt.physics.chip.batched import batched_seconds
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.experts import moe_layer_seconds
from gigawatt.physics.chip.gemm import gemm_reduced_seconds, gemm_seconds
from gigawatt.physics.chip.models import device_model, modelled_seconds
from gigawatt.physics.chip.scans import (
    convolution_seconds,
    convolution_update_seconds,
    delta_chunk_seconds,
    delta_decode_seconds,
)
from gigawatt.physics.chip.streams import stream_reduced_seconds, stream_seconds

Array = NDArray[np.float64]


# What a family's form wants of the precision besides its shape.
Wants = Literal["precision", "attention", "nothing"]


@dataclass(frozen=True, slots=True)
class Family:
    """A kernel family: its calibration, its form, its reduced form where the form is dear, the columns it needs.

    `wants`: "precision" and peak; "attention", fitted by 'Q/KV' precision, peak of the queries' (`wide_peak`: of bf16); or
    "nothing", where `word` names the kernel. `resident` forms can leave operands in L2, as benchmarks do.
    """

    record: str
    form: Callable[..., Array]
    needs: tuple[str, ...]
    wants: Wants = "precision"
    wide_peak: bool = False
    resident: bool = True
    word: str = ""
    reduced: Callable[..., Array] | None = None


_HEADS = ("batch", "length", "heads", "kv_heads", "head_dim")
_LATENT = ("batch", "length", "heads")
FAMILIES: dict[str, Family] = {
    "gemm": Family("chip-gemm", gemm_seconds, ("m", "n", "k"), reduced=gemm_reduced_seconds),
    "prefill": Family("chip-prefill", prefill_seconds, _HEADS, "attention"),
    "decode": Family("chip-decode", decode_seconds, _HEADS, "attention", wide_peak=True),
    "mla-prefill": Family("chip-mla-prefill", mla_prefill_seconds, _LATENT, "attention"),
    "mla-decode": Family("chip-mla-decode", mla_decode_seconds, _LATENT, "attention", wide_peak=True),
    "encoder": Family("chip-encoder", encoder_seconds, ("batch", "length", "heads", "head_dim"), "attention"),
    "moe": Family("chip-moe", moe_layer_seconds, ("tokens", "hidden", "width", "experts", "topk"), resident=False),
    # The small products by head of absorbed latent attention.
    "batched": Family("chip-bmm", batched_seconds, ("batch", "m", "n", "k")),
    "stream": Family(
        "chip-stream",
        stream_seconds,
        ("rows", "width", "read", "written"),
        "nothing",
        resident=False,
        word="quantise",
        reduced=stream_reduced_seconds,
    ),
    "convolution": Family(
        "chip-scan", convolution_seconds, ("batch", "length", "channels"), "nothing", word="conv-context"
    ),
    "convolution-step": Family(
        "chip-scan", convolution_update_seconds, ("batch", "channels"), "nothing", word="conv-update"
    ),
    "delta": Family(
        "chip-scan", delta_chunk_seconds, ("batch", "length", "key_heads", "value_heads"), "nothing", word="delta-chunk"
    ),
    "delta-step": Family("chip-scan", delta_decode_seconds, ("batch", "value_heads"), "nothing", word="delta-decode"),
}
# A shift by an anchor never takes more than the rest of a prediction away.
LEAST_SHARE = 0.3
# Precision asked for -> the nearest that is fitted, where it is not.
NEAR_PRECISION = {"int8": "fp8", "fp6": "fp8", "mxfp8": "fp8", "tf32": "bf16", "fp16": "bf16"}
NEAR_PRECISION |= {"nvfp4": "fp4", "mxfp4": "fp4"}
# Peak that a precision runs at.
PEAK_OF = {"fp8_block": "fp8", "fp16": "bf16", "mxfp8": "fp8", "nvfp4": "fp4", "mxfp4": "fp4"}
# A lower precision runs at the rate of the one above it on a chip that has no units for it: only its weights shrink.
SLOWER = {"fp4": "fp8", "fp6": "fp8", "fp8": "bf16", "int8": "bf16"}


@dataclass(frozen=True, slots=True)
class Kernels:
    """Seconds of each row, the 80 % band of measured over predicted, and a note on whose constants served (empty: its own)."""

    seconds: Array
    low_factor: float
    high_factor: float
    note: str

    @property
    def low(self) -> Array:
        """Seconds at the low end of the band."""
        return self.seconds * self.low_factor

    @property
    def high(self) -> Array:
        """Seconds at the high end of the band."""
        return self.seconds * self.high_factor


@dataclass(frozen=True, slots=True)
class Anchor:
    """The one kernel to measure on a chip that nobody measured.

    Its measured over its predicted time, to the power `weight`, multiplies every prediction; with `shift` the difference is
    added (what it tells is a launch, the same for all). `anchored_band` is of measured over predicted then; None: as before,
    only the middle moves.
    """

    family: str
    precision: str
    shape: Mapping[str, float]
    weight: float = 1.0
    shift: bool = False
    anchored_band: tuple[float, float] | None = None


def peak_of(chip: Chip, precision: str) -> float:
    """Dense peak of a precision; that of the next wider one where the chip has no units for it.

    Raises:
        InputError: neither is known.
    """
    name = PEAK_OF.get(precision, precision)
    while name not in chip.peak_flops and name in SLOWER:
        name = SLOWER[name]
    if name not in chip.peak_flops:
        raise InputError(unknown_name(f"precision of {chip.name}", precision, chip.peak_flops))
    return chip.peak_flops[name]


def calibration_for(chip: Chip, family: str, precision: str, engine: str = "best") -> Constants:
    """Constants of a kernel family for a chip: the engine's where it was fitted, else the best of all engines.

    Args:
        chip: the chip.
        family: a name in `FAMILIES`.
        precision: bf16, fp8, fp8_block, fp4; of attention 'Q/KV' such as 'bf16/fp8', or one word for both.
        engine: trtllm, vllm, sglang, or best.

    Raises:
        InputError: unknown family.
    """
    return _lookup(_family(family).record, chip.name, chip.generation, fitted_precision(family, precision), engine)


def fitted_precision(family: str, precision: str) -> str:
    """The word under which constants were fitted: 'Q/KV' for attention, a kernel's name, else the nearest precision."""
    kind = _family(family)
    if kind.wants == "nothing":
        return kind.word
    wanted = NEAR_PRECISION.get(precision, precision)
    if kind.wants == "attention" and "/" not in wanted:
        return f"{wanted}/{wanted}" if wanted != "fp8" or "prefill" in family else "bf16/fp8"
    return wanted


def fitted_words(family: str) -> list[str]:
    """The precisions of a family that were fitted on any chip; the kernel's name where it has none."""
    kind = _family(family)
    rows = calibration.record(kind.record).tables["rows"].values()
    words = {_word(fit) for row in rows for fit in row["fits"]}
    return [kind.word] if kind.wants == "nothing" else sorted(words)


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise InputError(unknown_name("kernel family", name, FAMILIES))
    return FAMILIES[name]


@lru_cache(maxsize=1024)
def _lookup(name: str, chip_name: str, generation: str, word: str, engine: str) -> Constants:
    tables = calibration.record(name).tables
    stub = Chip(chip_name, "", generation, "", {}, 0, 0, 0, 1, 0, 0)
    fitted: Mapping[str, Any] = {
        chip: row for chip, row in tables["rows"].items() if any(_word(fit) == word for fit in row["fits"])
    }
    if not fitted:
        # Fitted nowhere in this family: the widest form of it.
        return _lookup(name, chip_name, generation, "bf16/bf16" if "/" in word else "bf16", engine)
    kin = {key: value for key, value in tables["kin"].items() if value in fitted}
    chosen, nearness = calibration.kin_of(stub, fitted, {"default": _default(fitted)} | kin)
    fits = [fit for fit in fitted[chosen]["fits"] if _word(fit) == word]
    # The first of a precision is the default: the best of all engines, or the one with the smallest error.
    row = next((fit for fit in fits if fit["engine"] == engine), fits[0])
    values = {key: float(value) for key, value in row.items() if isinstance(value, (int, float))}
    stretch = {"measured": 1.0}
    stretch |= {key: calibration.parameters(name)[f"stretch_{key}"] for key in ("generation", "kin")}
    near = (values.pop("low"), values.pop("high"))
    low, high = calibration.widened(*near, stretch[nearness])
    foreign = tables.get("kin_band", {}).get(word)
    if nearness == "kin" and foreign:
        # Never narrower than where the constants come from.
        low, high = min(float(foreign["low"]), near[0]), max(float(foreign["high"]), near[1])
    return Constants(chosen, nearness, values, low, high, name)


def _word(fit: Mapping[str, Any]) -> str:
    """What a fit is filed under: its precision, or the kernel where that is the same in all of them."""
    return str(fit.get("precision") or fit["kernel"])


def _default(fitted: Mapping[str, Any]) -> str:
    return next((name for name in ("pooled", "h100-sxm", "b200-sxm") if name in fitted), next(iter(fitted)))


def kernel_seconds(
    chip: Chip, family: str, precision: str = "bf16", *, engine: str = "best", reduced: bool = False, **columns: Any
) -> Kernels:
    """Seconds of kernels, one row each.

    Args:
        chip: the chip.
        family: a name in `FAMILIES`; its `needs` are the columns.
        precision: see `calibration_for`.
        engine: whose kernels.
        reduced: the reduced form, for searches.
        columns: the family's columns, and its options (`window`, `context`, `local_experts`, `fused_quantise`, ...).

    Raises:
        InputError: unknown family or precision, a missing column, or a device model that can not be used.
    """
    kind = _family(family)
    missing = [name for name in kind.needs if name not in columns]
    if missing:
        raise InputError(Problem("missing_column", f"{family} kernels need {', '.join(missing)} too"))
    if chip.device_model:
        return _modelled(chip, kind, family, precision, columns)
    fit = calibration_for(chip, family, precision, engine)
    seconds = _form(chip, kind, precision, fit, reduced, columns)
    low, high = fit.low, fit.high
    measured = chip.anchors.get(f"{family}/{fitted_precision(family, precision)}")
    if measured and fit.nearness != "measured":
        anchor = anchor_for(family, precision)
        if anchor is not None:
            alone = float(_form(chip, kind, precision, fit, False, dict(anchor.shape))[0])
            if anchor.shift:
                seconds = np.maximum(seconds + (measured - alone), LEAST_SHARE * seconds)
            else:
                seconds = seconds * (measured / alone) ** anchor.weight
            low, high = anchor.anchored_band or (low, high)
    return Kernels(seconds, low, high, fit.note)


def _modelled(chip: Chip, kind: Family, family: str, precision: str, columns: Mapping[str, Any]) -> Kernels:
    """The answer of the chip's own device model."""
    wide = "bf16" if kind.wide_peak or kind.wants == "nothing" else precision.split("/")[0]
    model = device_model(chip.device_model)
    seconds = modelled_seconds(chip, family, precision, peak_of(chip, wide), columns)
    return Kernels(seconds, *model.band, f"device model {chip.device_model}")


def _form(chip: Chip, kind: Family, precision: str, fit: Constants, reduced: bool, columns: Mapping[str, Any]) -> Array:
    options: dict[str, Any] = {name: value for name, value in columns.items() if name not in kind.needs}
    shape: list[ArrayLike] = [columns[name] for name in kind.needs]
    form = kind.reduced if reduced and kind.reduced else kind.form
    if kind.wants == "nothing":
        return form(chip, *shape, fit, **options)
    if kind.wants == "precision":
        return form(chip, *shape, precision, peak_of(chip, precision), fit, **options)
    first, kv = precision.split("/")[0], precision.split("/")[-1]
    if "kv_heads" in kind.needs or "mla" in kind.record:
        options.setdefault("kv_bytes", 1.0 if kv.startswith(("fp8", "int8", "mxfp8")) else 2.0)
    if "prefill" in kind.record:
        options.setdefault("value_bytes", 1.0 if first == "fp8" else 2.0)
    return form(chip, *shape, peak_of(chip, "bf16" if kind.wide_peak else first), fit, **options)


def anchor_for(family: str, precision: str) -> Anchor | None:
    """Which kernel of a family to measure on a chip that nobody measured; None where no anchor helped."""
    word = fitted_precision(family, precision)
    tables = calibration.record(_family(family).record).tables
    row = tables.get("left_out", {}).get(word, {}).get("anchor") or tables.get("anchor")
    if row is None:
        return None
    told = ("weight", "shift", "low", "high")
    shape = {key: float(value) for key, value in row.items() if key not in told}
    band = (float(row["low"]), float(row["high"])) if "low" in row else None
    return Anchor(family, word, shape, float(row["weight"]), bool(row.get("shift", 0)), band)


def anchors(chip: Chip) -> list[Anchor]:
    """What to measure on a chip: a kernel for each family and precision that it has and nobody measured on it."""
    found = []
    for family in FAMILIES:
        for word in fitted_words(family):
            first = word.split("/")[0]
            known = FAMILIES[family].wants == "nothing" or PEAK_OF.get(first, first) in chip.peak_flops
            if known and calibration_for(chip, family, word).nearness != "measured":
                anchor = anchor_for(family, word)
                found += [anchor] if anchor is not None else []
    return found

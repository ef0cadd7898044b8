"""An operator table on a chip: seconds, watts and joules of every operator, and what binds it.

Each row of the table goes to the kernel family that was measured for it:

    gemm, head             matrix products                        chip-gemm
    moe_gemm               one fused layer: up, activation, down  chip-moe; time shared out by the larger of FLOPs and bytes
    attention_prefill      prefill of causal, windowed, latent    chip-prefill, chip-mla-prefill; encoders chip-encoder
    attention_decode       one step over the cache                chip-decode, chip-mla-decode
    scan                   recurrences                            chip-scan
    elementwise, embedding bytes over bandwidth and a launch      chip-stream

Backward products are products of their own; backward attention runs five products for the forward pass's two (its FLOPs in
the table) at the forward rate. A band is that of the family's calibration: sums add low to low and high to high, as the
errors of one family go together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.gemm import WIDTHS
from gigawatt.physics.chip.kernel_power import kind_codes, mean_watts
from gigawatt.physics.chip.kernels import Kernels, kernel_seconds, peak_of
from gigawatt.physics.workload.table import OperatorTable, Widths

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
# An operator is bound by its launch where its time is more than this many times what arithmetic or memory alone would take.
LAUNCH_BOUND = 2.5
BOUNDS = ("compute", "memory", "launch")
GRID = 64  # numbers of tokens that the reduced form interpolates a layer of experts between


@dataclass(frozen=True, slots=True)
class Numerics:
    """Precision of each class of values: bf16, fp8, fp8_block, fp4. Activations between operators stay in 16 bits.

    `fused_quantise`: activations are quantised inside the kernel before, so that no pass of its own is paid.
    """

    weights: str = "bf16"
    kv: str = "bf16"
    high: str = "bf16"
    head: str = "bf16"
    fused_quantise: bool = False

    def widths(self) -> Widths:
        """Bytes by class, for `operators`."""
        wide = {name: WIDTHS.get(getattr(self, name), (2.0, 2.0))[0] for name in ("weights", "kv", "high", "head")}
        return Widths(**wide)

    def of(self, kind: str) -> str:
        """Precision of a class of the table."""
        return str(getattr(self, kind, "bf16"))


@dataclass(frozen=True, slots=True)
class OperatorCosts:
    """What each operator of a table takes on a chip, once: arrays (operators, points), and the table's `count`.

    `low_factor` and `high_factor` (operators,) are the 80 % band of measured over predicted.
    `notes` say whose constants served, where not the chip's own.
    """

    table: OperatorTable
    seconds: Array
    low_factor: Array
    high_factor: Array
    watts: Array
    notes: tuple[str, ...]
    peak_flops: Array
    memory_bytes_per_s: float

    @property
    def roof_compute_s(self) -> Array:
        """Seconds that arithmetic alone would take at the data sheet's peak."""
        return np.asarray(self.table.flops / self.peak_flops[:, None])

    @property
    def roof_memory_s(self) -> Array:
        """Seconds that the bytes alone would take at the data sheet's bandwidth."""
        return np.asarray((self.table.bytes_read + self.table.bytes_written) / self.memory_bytes_per_s)

    @property
    def low(self) -> Array:
        """Seconds at the low end of the 80 % band."""
        return np.asarray(self.seconds * self.low_factor[:, None])

    @property
    def high(self) -> Array:
        """Seconds at the high end of the 80 % band."""
        return np.asarray(self.seconds * self.high_factor[:, None])

    @property
    def joules(self) -> Array:
        """Energy of one run of each operator, J."""
        return np.asarray(self.seconds * self.watts)

    @property
    def bound(self) -> NDArray[np.intp]:
        """Index into `BOUNDS`, by operator and point."""
        roof = np.maximum(self.roof_compute_s, self.roof_memory_s)
        by_roof = (self.roof_memory_s > self.roof_compute_s).astype(np.intp)
        return np.where(self.seconds > LAUNCH_BOUND * roof, 2, by_roof)

    @property
    def total_s(self) -> Array:
        """Seconds of the whole table run one operator after the other, shape (points,)."""
        return np.asarray(self.table.count @ self.seconds)

    @property
    def total_low_s(self) -> Array:
        return np.asarray((self.table.count * self.low_factor) @ self.seconds)

    @property
    def total_high_s(self) -> Array:
        return np.asarray((self.table.count * self.high_factor) @ self.seconds)

    @property
    def total_j(self) -> Array:
        """Joules of the whole table, shape (points,)."""
        return np.asarray(self.table.count @ self.joules)


@dataclass(slots=True)
class _Filled:
    """Columns being filled family by family; `kind` is the power model's."""

    seconds: Array
    low: Array
    high: Array
    peak: Array
    kind: NDArray[np.object_]
    notes: dict[str, None]

    def put(self, rows: Rows, found: Kernels, share: Array | float | None = None) -> None:
        seconds = found.seconds.reshape(len(rows), -1)
        self.seconds[rows] = seconds if share is None else seconds * share
        self.low[rows], self.high[rows] = found.low_factor, found.high_factor
        if found.note:
            self.notes[found.note] = None


def run_operators(
    chip: Chip, table: OperatorTable, numerics: Numerics | None = None, *, engine: str = "best", reduced: bool = False
) -> OperatorCosts:
    """Seconds, watts and joules of a table of operators on one chip.

    Args:
        chip: the chip.
        table: operators of one chip (`workload.operators`), any number of points.
        numerics: precisions; bf16 throughout where None.
        engine: whose kernels: trtllm, sglang, vllm, or the best of them.
        reduced: the reduced forms, for searches; what they add to the error stands in the calibrations.

    Raises:
        InputError: a precision that the chip has no units for and no wider one to fall back on.
    """
    n = numerics or Numerics()
    shape = (len(table), table.points)
    ones = np.ones(shape[0])
    out = _Filled(np.zeros(shape), ones, ones.copy(), ones.copy(), np.full(shape[0], "stream", object), {})
    for family in np.unique(table.family):
        rows = np.flatnonzero(table.family == family)
        _FAMILIES[str(family)](_Call(chip, table, n, engine, reduced), rows, out)
    codes = kind_codes(np.array(out.kind.tolist(), dtype=np.str_))
    watts = np.empty(shape)
    # A row at a time: what is used between stays in the cache.
    for row, code in enumerate(codes):
        per_s = 1.0 / np.maximum(out.seconds[row], 1e-12)
        compute = table.flops[row] * per_s * (1.0 / out.peak[row])
        memory = (table.bytes_read[row] + table.bytes_written[row]) * per_s * (1.0 / chip.memory_bytes_per_s)
        mean_watts(chip, compute, memory, int(code), out=watts[row])
    return OperatorCosts(
        table, out.seconds, out.low, out.high, watts, tuple(out.notes), out.peak, chip.memory_bytes_per_s
    )


@dataclass(frozen=True, slots=True)
class _Call:
    chip: Chip
    table: OperatorTable
    numerics: Numerics
    engine: str
    reduced: bool

    @property
    def cache(self) -> str:
        """Precision of the cache as attention kernels know it."""
        return "fp8" if self.numerics.kv.startswith("fp8") else "bf16"

    def seconds(self, family: str, precision: str, **columns: object) -> Kernels:
        found: Kernels = kernel_seconds(
            self.chip, family, precision, engine=self.engine, reduced=self.reduced, **columns
        )
        return found


def _products(call: _Call, rows: Rows, out: _Filled) -> None:
    t = call.table
    classes = np.array([call.numerics.of(str(kind)) for kind in t.precision[rows]])
    for precision in np.unique(classes):
        mine = rows[classes == precision]
        found = call.seconds(
            "gemm", precision, m=t.m[mine], n=t.n[mine], k=t.k[mine], fused_quantise=call.numerics.fused_quantise
        )
        out.put(mine, found)
        out.peak[mine] = peak_of(call.chip, precision)
        out.kind[mine] = f"gemm/{precision.replace('_block', '')}"


def _experts(call: _Call, rows: Rows, out: _Filled) -> None:
    """The two products of a layer are one kernel: rows `expert_up*` and `expert_down*` of equal suffix share its time."""
    t, precision = call.table, call.numerics.weights
    peak = peak_of(call.chip, precision)
    out.peak[rows] = peak
    out.kind[rows] = f"moe/{precision.replace('_block', '')}"
    waiting: dict[tuple[str, float], list[int]] = {}
    for row in rows:
        stem, _, suffix = str(t.name[row]).partition(".")
        if stem.endswith("expert_up"):
            waiting.setdefault((suffix, float(t.count[row])), []).append(int(row))
            continue
        up, down = waiting[suffix, float(t.count[row])].pop(0), int(row)
        hidden, wide, width, held = _layer(t, up, down, suffix)
        shape = {"hidden": hidden, "width": width, "experts": t.of_experts[up], "topk": t.top_k[up]}
        shape["local_experts"] = np.clip(held, 1.0, t.of_experts[up])
        found = _fused_layer(call, precision, t.routed[up], shape, float(np.round(wide[0] / width[0])))
        roofs = [
            np.maximum(t.flops[r] / peak, (t.bytes_read[r] + t.bytes_written[r]) / call.chip.memory_bytes_per_s)
            for r in (up, down)
        ]
        for r, roof in zip((up, down), roofs, strict=True):
            out.put(np.array([r]), found, roof / (roofs[0] + roofs[1]))


def _fused_layer(call: _Call, precision: str, tokens: Array, shape: dict[str, Array], gate: float) -> Kernels:
    """A layer of experts; in the reduced form, where only the tokens differ, interpolated between a few numbers of them."""
    if not call.reduced or tokens.size <= GRID or any(np.ptp(column) > 1e-9 * column[0] for column in shape.values()):
        return call.seconds("moe", precision, tokens=tokens, gate=gate, **shape)
    grid = np.geomspace(tokens.min(), tokens.max() * (1.0 + 1e-9), GRID)
    few = call.seconds("moe", precision, tokens=grid, gate=gate, **{name: column[:1] for name, column in shape.items()})
    return replace(few, seconds=np.interp(tokens, grid, few.seconds))


def _layer(t: OperatorTable, up: int, down: int, suffix: str) -> tuple[Array, Array, Array, Array]:
    """(hidden size, columns of the first product, width of an expert, experts held) of a layer on this chip.

    A row is m x k times k x n; an input gradient has k and n changed, a weight gradient its rows in k.
    """
    if suffix == "dgrad":
        hidden, wide, width, rows = t.n[up], t.k[up], t.n[down], t.m[up]
    elif suffix == "wgrad":
        hidden, wide, width, rows = t.m[up], t.n[up], t.m[down], t.k[up]
    else:
        hidden, wide, width, rows = t.k[up], t.n[up], t.k[down], t.m[up]
    return hidden, wide, width, rows * t.experts[up] / (t.routed[up] * t.top_k[up]) * t.of_experts[up]


def _prefill(call: _Call, rows: Rows, out: _Filled) -> None:
    """Causal and windowed attention, MLA over expanded heads, and what sees everything (encoders, cross-attention)."""
    t = call.table
    out.peak[rows] = peak_of(call.chip, "bf16")
    out.kind[rows] = "prefill/bf16"
    causal, latent = t.causal[rows, 0] > 0, t.latent[rows, 0] > 0
    groups = (("prefill", rows[causal & ~latent]), ("mla-prefill", rows[causal & latent]), ("encoder", rows[~causal]))
    for family, mine in groups:
        if not mine.size:
            continue
        length = t.m[mine] / t.sequences[mine]
        columns = {"batch": t.sequences[mine], "length": length, "heads": t.n[mine]}
        precision = "bf16/bf16"
        if family == "prefill":
            precision = f"bf16/{call.cache}"
            columns |= {"kv_heads": t.kv_heads[mine], "head_dim": t.k[mine], "context": t.past[mine]}
            columns["window"] = _window(t.window[mine])
        elif family == "mla-prefill":
            columns["context"] = t.past[mine]
        else:
            # Pairs of a rectangle as a square of as many.
            columns |= {"head_dim": t.k[mine], "length": np.sqrt(length * t.length[mine])}
        # Five products for two while going backward.
        scale = np.where(np.char.endswith(t.name[mine], ".backward"), 2.5, 1.0)[:, None]
        out.put(mine, call.seconds(family, precision, **columns), scale)


def _decode(call: _Call, rows: Rows, out: _Filled) -> None:
    """One step over the cache; several new tokens (speculation) stream the cache once, so take no longer."""
    t = call.table
    out.peak[rows] = peak_of(call.chip, "bf16")
    out.kind[rows] = "decode/bf16"
    latent, crossed = t.latent[rows, 0] > 0, t.causal[rows, 0] <= 0
    kv = f"bf16/{call.cache}"
    new = t.m[rows] / t.sequences[rows]
    held = np.where(crossed[:, None], t.length[rows], t.past[rows] + new)
    if latent.any():
        mine = rows[latent]
        out.put(mine, call.seconds("mla-decode", kv, batch=t.sequences[mine], length=held[latent], heads=t.n[mine]))
    if not latent.all():
        mine = rows[~latent]
        out.put(
            mine,
            call.seconds(
                "decode",
                kv,
                batch=t.sequences[mine],
                length=held[~latent],
                heads=t.n[mine],
                kv_heads=t.kv_heads[mine],
                head_dim=t.k[mine],
                window=_window(t.window[mine]),
            ),
        )


def _window(window: Array) -> Array:
    return np.where(window > 0, window, 1e9)


def _scans(call: _Call, rows: Rows, out: _Filled) -> None:
    """Recurrences by the kernels of the gated delta rule, the only one measured; others (Mamba, KDA) are its kin."""
    t = call.table
    out.peak[rows] = peak_of(call.chip, "bf16")
    for row in rows:
        one = np.array([row])
        stepping = np.all(t.m[row] <= t.sequences[row])
        common = {"batch": t.sequences[row], "value_heads": t.n[row], "key_dim": t.k[row], "value_dim": t.v_dim[row]}
        if stepping:
            found = call.seconds("delta-step", "bf16", **common)
        else:
            length = t.m[row] / t.sequences[row]
            found = call.seconds("delta", "bf16", length=length, key_heads=t.kv_heads[row], **common)
        out.put(one, found, 2.0 if str(t.name[row]).endswith(".backward") else 1.0)
        if not str(t.name[row]).startswith("delta"):
            out.notes[f"{t.name[row]}: kernels of the gated delta rule as kin"] = None


def _streams(call: _Call, rows: Rows, out: _Filled) -> None:
    """Passes that only move data; causal convolutions have kernels of their own."""
    t = call.table
    out.peak[rows] = peak_of(call.chip, "bf16")
    convolved = np.char.startswith(t.name[rows], "conv") & (t.sequences[rows, 0] > 0)
    for row in rows[convolved]:
        length = t.m[row] / t.sequences[row]
        family, more = ("convolution-step", {}) if np.all(length <= 1) else ("convolution", {"length": length})
        out.put(np.array([row]), call.seconds(family, "bf16", batch=t.sequences[row], channels=t.n[row], **more))
    # What a fused layer of experts does inside has been paid for there.
    inside = np.char.startswith(t.name[rows], "expert_")
    plain = rows[~convolved & ~inside]
    if plain.size:
        elements = np.maximum(t.m[plain] * t.n[plain], 1.0)
        out.put(
            plain,
            call.seconds(
                "stream",
                "bf16",
                rows=t.m[plain],
                width=t.n[plain],
                read=t.bytes_read[plain] / elements,
                written=t.bytes_written[plain] / elements,
                cold=True,
            ),
        )


_FAMILIES: dict[str, Callable[[_Call, Rows, _Filled], None]] = {
    "gemm": _products,
    "head": _products,
    "moe_gemm": _experts,
    "attention_prefill": _prefill,
    "attention_decode": _decode,
    "scan": _scans,
    "elementwise": _streams,
    "embedding": _streams,
}

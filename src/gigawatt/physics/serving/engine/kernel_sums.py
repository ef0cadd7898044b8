"""A model's pieces as kernels of the measured chip floor, summed over its layers on grids of sizes.

One call of `kernel_seconds` per family and precision answers for all pieces, layouts and sizes at once. Families that do
not know a layout's or an engine's detail are worked out once and shared: matrix products depend on neither engine nor
cache, attention not on how experts lie.

What is assumed of a served model, beyond the floor:
    fp8 of mixtures of experts is scaled by blocks, else by tensors (published checkpoints); activations are quantised in
    the pass before (engines fuse it); fp4 on a chip without such units is widened and computed in bf16; routing is
    concentrated: a share of the experts carries the load; behind an all-to-all a chip sees the rows sent to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip, Kernels, calibration_for, kernel_seconds
from gigawatt.physics.workload.pieces import Attention, Convolution, Elementwise, Linear, Piece, Scan
from gigawatt.physics.workload.recurrence import chunk_flops, step_flops

Floats = NDArray[np.float64]

# Sizes that kernels are worked out at: rows (tokens) by half octaves, sequences and their context by octaves.
ROWS = 2.0 ** (np.arange(35) / 2.0)
BATCH = 2.0 ** np.arange(13.0)
CONTEXT = 2.0 ** np.arange(4.0, 21.0)

# Chunked scans: share of the bf16 peak (assumed: half of what prefill attention reaches).
SCAN_SHARE = 0.3
# Kernels behind one fused expert layer: routing, permutation, two products, activation, sum (engines differ; assumed).
EXPERT_KERNELS = 6
ENGINE_OF_PRODUCTS = "best"  # engines share the vendor's libraries; their own tables hold host-bound timings
# Whose expert kernels an engine runs: TensorRT-LLM picks a backend for each shape, and its table splits them up, so the
# fastest of all stands for it; the others run their own.
ENGINE_OF_EXPERTS = {"trtllm": "best"}


@dataclass(frozen=True, slots=True)
class ChipKey:
    """A chip that can be looked up: equal where the numbers that kernels depend on are."""

    name: str
    generation: str
    memory_bytes_per_s: float
    sms: int
    peaks: tuple[tuple[str, float], ...]
    device_model: str
    chip: Chip = field(compare=False)

    @classmethod
    def of(cls, chip: Chip) -> ChipKey:
        """Key of a chip."""
        return cls(
            chip.name,
            chip.generation,
            chip.memory_bytes_per_s,
            chip.sms,
            tuple(sorted(chip.peak_flops.items())),
            chip.device_model,
            chip,
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """Seconds of one family over a model's layers, first axis the layouts asked for.

    `step` is one decode step, `prompt` one prompt; `launch_s` what the step's kernels take with nothing to do, `calls`
    their number, `weight_s` and `spread_s` sums for the mean of the floor's own 80 % half-width.
    """

    step: Floats
    prompt: Floats
    launch_s: float
    calls: float
    weight_s: float
    spread_s: float


def kernel_precision(stored: str, sparse: bool) -> str:
    """The floor's name of a stored precision."""
    return "fp8_block" if stored == "fp8" and sparse else stored


def meeting(chip: Chip, stored: str) -> Chip:
    """The chip as weights of a precision meet it: without units for fp4 it widens them and computes in bf16."""
    peaks = dict(chip.peak_flops)
    bf16 = peaks.setdefault("bf16", max(peaks.values()))
    if stored == "fp4" and "fp4" not in peaks:
        peaks = {"bf16": bf16}
    return replace(chip, peak_flops=peaks)


def stream_seconds(chip: Chip, moved_bytes: Floats | float) -> Floats:
    """A pass over activations or states: one launch, and its bytes at the share of bandwidth that passes reach."""
    moved = np.asarray(moved_bytes, dtype=np.float64)
    found = kernel_seconds(chip, "stream", reduced=True, rows=moved, width=1.0, read=1.0, written=0.0).seconds
    return found.reshape(moved.shape)


def stream_launch_s(chip: Chip) -> float:
    """Seconds of a pass over nothing."""
    return float(stream_seconds(chip, 0.0))


def like_engine(chip: Chip, family: str, precision: str, engine: str, engines: Iterable[str]) -> str:
    """The first engine whose constants serve `engine` too: often several share the chip's only fit."""
    mine = calibration_for(chip, family, precision, engine)
    for other in engines:
        found = calibration_for(chip, family, precision, other)
        if found.values == mine.values and found.chip == mine.chip:
            return other
    return engine


def is_sparse(shape: Iterable[Piece]) -> bool:
    """Whether a model routes tokens to experts."""
    return any(isinstance(p, Linear) and p.experts > 1 for p in shape)


@lru_cache(maxsize=512)
def dense_sums(shape: tuple[Piece, ...], key: ChipKey, attention: str, dense: str, tensors: tuple[int, ...]) -> Sums:
    """Everything but attention and experts: `step[layout, rows]`, `prompt[layout, tokens]` (logits of one row)."""
    chip, sparse = meeting(key.chip, "bf16"), is_sparse(shape)
    tensor = np.array(tensors, dtype=np.float64)[:, None]
    launch_s = stream_launch_s(chip)
    both, step, prompt = (np.zeros((len(tensors), len(ROWS))) for _ in range(3))
    products: dict[tuple[str, str], list[Linear]] = {}
    total = _Totals()
    for p in shape:
        if isinstance(p, Linear) and p.experts == 1:
            products.setdefault(_precisions(p, attention, dense, sparse), []).append(p)
        elif isinstance(p, Convolution) or (isinstance(p, Elementwise) and not p.name.startswith("expert")):
            values, cut = (p.reads + p.writes, p.sharded) if isinstance(p, Elementwise) else (2 * p.channels, True)
            both += p.count * stream_seconds(chip, 2.0 * values * ROWS / (tensor if cut else 1.0))
            total.launch(p.count, launch_s)
        elif isinstance(p, Scan):
            step += p.count * scan_seconds(chip, p, ROWS, ROWS, step_flops(p) * ROWS, tensor)
            prompt += p.count * scan_seconds(chip, p, ROWS, 1.0, chunk_flops(p, ROWS), tensor)
            total.launch(p.count, launch_s)
    for (stored, precision), members in products.items():
        n = np.stack([p.n / tensor if p.cut in ("column", "vocab") else p.n + 0.0 * tensor for p in members])
        k = np.stack([p.k / tensor if p.cut == "row" else p.k + 0.0 * tensor for p in members])
        # One product of size one beside the others tells what an empty one takes.
        ask: dict[str, Any] = {"m": np.append(np.broadcast_to(ROWS, (*n.shape[:2], len(ROWS))), 1.0)}
        ask |= {name: np.append(np.broadcast_to(x, (*n.shape[:2], len(ROWS))), 1.0) for name, x in (("n", n), ("k", k))}
        found = kernel_seconds(
            meeting(chip, stored), "gemm", precision, engine=ENGINE_OF_PRODUCTS, fused_quantise=True, **ask
        )
        for p, seconds in zip(members, found.seconds[:-1].reshape(*n.shape[:2], len(ROWS)), strict=True):
            if p.name == "head":
                step, prompt = step + p.count * seconds, prompt + p.count * seconds[:, :1]
            else:
                both = both + p.count * seconds
        total.add(found, float(sum(p.count for p in members)), float(found.seconds[-1]))
    return total.sums(both + step, both + prompt)


def _precisions(p: Linear, attention: str, dense: str, sparse: bool) -> tuple[str, str]:
    """(stored, the floor's name) of a dense product's weights; router and head stay wide."""
    if p.name in ("head", "shared_gate") or p.part in ("router", "modulation", "stem"):
        return "bf16", "bf16"
    stored = attention if p.part in ("attention", "state") else dense
    return stored, kernel_precision(stored, sparse)


def scan_seconds(
    chip: Chip, p: Scan, tokens: Floats | float, states: Floats | float, flops: Any, tensor: Floats | float
) -> Floats:
    """A recurrence: its states read and written in fp32, its rows in bf16, or its arithmetic where that takes longer."""
    moved = 8.0 * p.state_values * states + 4.0 * (p.heads * p.v_dim + p.groups * p.k_dim) * tokens
    return np.maximum(
        stream_seconds(chip, moved / tensor), np.asarray(flops) / (SCAN_SHARE * chip.peak_flops["bf16"] * tensor)
    )


@lru_cache(maxsize=512)
def attention_sums(shape: tuple[Piece, ...], key: ChipKey, kv: str, engine: str, tensors: tuple[int, ...]) -> Sums:
    """Attention: `step[layout, batch, context]` of decoding, `prompt[layout, tokens]` of a prompt on itself."""
    chip, precision = meeting(key.chip, "bf16"), f"bf16/{'fp8' if kv == 'fp8' else 'bf16'}"
    tensor = np.array(tensors, dtype=np.float64)[:, None]
    cube = (len(tensors), len(BATCH), len(CONTEXT))
    step, prompt, total = np.zeros(cube), np.zeros((len(tensors), len(ROWS))), _Totals()
    for p in shape:
        if not isinstance(p, Attention):
            continue
        heads, kv_heads = np.maximum(p.heads / tensor, 1.0), np.maximum(p.kv_heads / tensor, 1.0)
        window = float(p.window or 1e9)
        ask: dict[str, Any] = {"batch": 1.0, "length": ROWS, "heads": heads}
        if p.latent_dim:  # prompts may take the expanded or the absorbed form: engines take the faster
            found = kernel_seconds(chip, "mla-prefill", "bf16/bf16", **ask)
        else:
            ask |= {"kv_heads": kv_heads, "head_dim": float(p.qk_dim), "window": window}
            found = kernel_seconds(chip, "prefill", precision, engine=engine, **ask)
        prompt += p.count * found.seconds
        seconds, found = _decode(chip, p, precision, engine, tensor, window)
        step += p.count * seconds
        total.add(found, p.count, float(found.seconds[-1]))
    return total.sums(step, prompt)


def _decode(
    chip: Chip, p: Attention, precision: str, engine: str, tensor: Floats, window: float
) -> tuple[Floats, Kernels]:
    """Seconds of one decode attention by (layout, batch, context), and the floor's answer, an empty kernel at its end."""
    cube = (len(tensor), len(BATCH), len(CONTEXT))
    ask: dict[str, Any] = {
        "batch": BATCH[:, None],
        "length": np.minimum(CONTEXT, window),
        "heads": np.maximum(p.heads / tensor, 1.0)[..., None],
    }
    if not p.latent_dim:
        ask |= {"kv_heads": np.maximum(p.kv_heads / tensor, 1.0)[..., None], "head_dim": float(p.qk_dim)}
    columns: dict[str, Any] = {name: np.append(np.broadcast_to(column, cube), 1.0) for name, column in ask.items()}
    found = kernel_seconds(chip, "mla-decode" if p.latent_dim else "decode", precision, engine=engine, **columns)
    return found.seconds[:-1].reshape(cube), found


@lru_cache(maxsize=512)
def expert_sums(
    shape: tuple[Piece, ...],
    key: ChipKey,
    experts: str,
    engine: str,
    places: tuple[tuple[int, int, bool], ...],
    loaded_share: float,
) -> Sums:
    """Routed experts: `step[layout, tokens of all ranks]`, the same for a prompt.

    `places` are (ways the experts are spread, ways each is cut, whether rows are sent by an all-to-all); `loaded_share` of
    the experts carry the load.
    """
    spread, cut, sent = (np.array(column)[:, None] for column in zip(*places, strict=True))
    step, total = np.zeros((len(places), len(ROWS))), _Totals()
    wide: dict[int, Linear] = {}
    for p in shape:
        if not isinstance(p, Linear) or p.experts == 1:
            continue
        if p.inner != "k":
            wide[p.k] = p  # the up product; its layer is worked out with the down product that follows
            continue
        up = wide.get(p.n)
        loaded = max(loaded_share * p.experts, float(p.top_k))
        held = np.maximum(loaded / spread, 1.0)
        ask: dict[str, Any] = {
            "tokens": np.where(sent, np.maximum(ROWS * p.top_k / spread, 1.0), ROWS),
            "hidden": p.n,
            "width": p.k / cut,
            "experts": np.where(sent, held, loaded),
            "topk": np.where(sent, 1.0, p.top_k),
            "local_experts": held,
        }
        columns: dict[str, Any] = {n: np.append(np.broadcast_to(x, step.shape), 1.0) for n, x in ask.items()}
        columns["gate"] = up.n / p.k if up is not None else 2.0
        found = kernel_seconds(
            meeting(key.chip, experts),
            "moe",
            kernel_precision(experts, True),
            engine=ENGINE_OF_EXPERTS.get(engine, engine),
            **columns,
        )
        step += p.count * found.seconds[:-1].reshape(step.shape)
        total.add(found, p.count, float(found.seconds[-1]), EXPERT_KERNELS)
    return total.sums(step, step)


class _Totals:
    """Counts and bands over the pieces of a family."""

    def __init__(self) -> None:
        self.launch_s = self.calls = self.weight_s = self.spread_s = 0.0

    def launch(self, count: float, empty_s: float, kernels: int = 1) -> None:
        """`count` calls that take `empty_s` each with nothing to do."""
        self.launch_s += count * empty_s
        self.calls += count * kernels

    def add(self, found: Kernels, count: float, empty_s: float, kernels: int = 1) -> None:
        """The same, and the band of the floor, weighed by the seconds at a middling size."""
        self.launch(count, empty_s, kernels)
        middle = found.seconds.size // 2
        seconds = count * float(found.seconds[middle])
        self.weight_s += seconds
        self.spread_s += seconds * 0.5 * float(np.log(found.high[middle] / found.low[middle]))

    def sums(self, step: Floats, prompt: Floats) -> Sums:
        return Sums(step, prompt, self.launch_s, self.calls, self.weight_s, self.spread_s)

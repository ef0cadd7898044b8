"""All mappings of a job onto its chips that divide, as columns; built with array arithmetic, never a Python loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import CORE_ATTENTION, Mapping
from gigawatt.physics.training.shape import Shape

POWERS = 2.0 ** np.arange(0, 12)
MIN_CONTEXT_CHUNK = 2048  # tokens of a sequence that a context rank keeps at least (assumed: below it kernels starve)
RECOMPUTE_SHARES = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Candidates that fell out for one reason, and the smallest change that would have saved one."""

    reason: str
    count: int
    nearest_fix: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """Mappings that divide, their index into the distinct layer-level settings `layer`, and what fell out.

    Rows of equal `stage_row` are equal in all that messages between stages and data-parallel ranks depend on.
    """

    mapping: Mapping
    layer: Mapping
    layer_row: NDArray[np.intp]
    stage_row: NDArray[np.intp]
    rejected: tuple[Rejection, ...]
    enumerated: int

    def __len__(self) -> int:
        return int(self.layer_row.size)


def divisors(n: int) -> NDArray[np.float64]:
    """All divisors of n, ascending.

    >>> divisors(12).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 12.0]
    """
    small = np.arange(1, int(np.sqrt(n)) + 1)
    low = small[n % small == 0]
    return np.unique(np.concatenate([low, n // low])).astype(float)


def enumerate_mappings(
    shape: Shape, *, chips: int, seq: int, global_batch: int, scaleup_domain: float, lora: bool = False
) -> Candidates:
    """The grid of (tp, cp, pp, vpp, micro-batch, ep, recompute, sharding) without what does not divide.

    tp: powers of two up to the heads and the scale-up domain (64 at most); cp: powers of two that leave 2,048 tokens;
    pp: powers of two and divisors of the layers; dp: what is left of the chips, lowered to a divisor of the batch
    (the rest of the chips idles); vpp: chunks that divide the layers; ep: powers of two up to the experts.
    """
    layers = round(float(shape.layers))
    experts = max((float(kind.experts) for kind in shape.kinds), default=0.0)
    reach = float(min(max(scaleup_domain, 8.0), 64.0, shape.max_heads))
    tp = POWERS[reach >= POWERS]
    cp = POWERS[(POWERS == 1) | (seq / POWERS >= MIN_CONTEXT_CHUNK)][:8]
    pp = np.union1d(divisors(layers), POWERS)
    pp = pp[(pp <= layers) & (pp <= chips) & (pp <= 64)]
    micro = np.array([1.0, 2.0, 4.0, 8.0])
    micro = micro[micro <= global_batch]
    ep = POWERS[(experts >= POWERS) & (np.mod(experts, POWERS) == 0)][:9] if experts else np.ones(1)
    # embedding and head may count as a layer each (126 layers split as 128), so that depths with few divisors
    # interleave
    chunks = np.union1d(divisors(layers), divisors(layers + 2))
    chunks = chunks[chunks <= 12]
    shares = np.array([*RECOMPUTE_SHARES, -1.0])  # -1 = selective
    sharding = np.array([1.0, 3.0])

    # first the layout, then what multiplies it
    t, x, p, b, e = (axis.ravel() for axis in np.meshgrid(tp, cp, pp, micro, ep, indexing="ij"))
    enumerated = t.size * chunks.size * shares.size * sharding.size
    room = np.floor(chips / (t * x * p))
    dp = _largest_divisor_at_most(global_batch, b, room)
    too_wide, no_batch = room < 1, (room >= 1) & (dp < 1)
    bad_ep = (dp >= 1) & (np.mod(dp * x * t, e) != 0)
    keep = (dp >= 1) & ~bad_ep
    per = chunks.size * shares.size * sharding.size
    rejected = [
        Rejection("more parallel ranks than chips", int(too_wide.sum()) * per, "use more chips, or fewer stages"),
        Rejection(
            "the global batch does not divide",
            int(no_batch.sum()) * per,
            f"use a global batch that is a multiple of the micro-batch (now {global_batch} sequences)",
        ),
        Rejection("expert groups do not divide the ranks", int(bad_ep.sum()) * per, "use a power of two of chips"),
    ]
    t, x, p, b, e, dp = (axis[keep] for axis in (t, x, p, b, e, dp))
    # what rules chunks and sharding out is told by the layout alone
    m, stages = (global_batch / (dp * b))[:, None], p[:, None]
    splits = (chunks == 1) | ((stages > 1) & _splits(layers, stages * chunks) & (np.mod(m, stages) == 0))
    flat = (sharding == 1) | (stages == 1)
    split, steep = splits.sum(axis=1), (~flat).sum(axis=1)
    unsplit = int(splits.size - split.sum()) * shares.size * sharding.size
    rejected.append(Rejection("layers do not split into the chunks", unsplit, "use a depth with more divisors"))
    piped = int((split * steep).sum()) * shares.size
    rejected.append(Rejection("full sharding with a pipeline", piped, "use one stage, or optimizer sharding"))
    ok = splits[:, :, None, None] & flat[:, None, None, :]
    row, chunk, share, zero = np.nonzero(np.broadcast_to(ok, (t.size, chunks.size, shares.size, sharding.size)))
    v, r, z = chunks[chunk], shares[share], sharding[zero]

    # distinct layer-level settings
    keys = np.stack([t, x, b, e])
    layer_keys, inverse = np.unique(keys, axis=1, return_inverse=True)
    size = layer_keys.shape[1]
    ones = np.ones(size)
    lora_value = float(lora)
    layer = Mapping(
        chips=ones,
        tp=layer_keys[0],
        pp=ones,
        vpp=ones,
        dp=ones,
        cp=layer_keys[1],
        ep=layer_keys[3],
        micro_batch=layer_keys[2],
        global_batch=ones,
        seq=float(seq),
        lora=lora_value,
    )
    mapping = Mapping(
        chips=t[row] * x[row] * p[row] * dp[row],
        tp=t[row],
        pp=p[row],
        vpp=v,
        dp=dp[row],
        cp=x[row],
        ep=e[row],
        micro_batch=b[row],
        global_batch=float(global_batch),
        seq=float(seq),
        recompute=np.maximum(r, 0.0),
        modules=np.where(r < 0, CORE_ATTENTION, 0.0),
        sequence_parallel=1.0,
        sharding=z,
        lora=lora_value,
    )
    found = tuple(item for item in rejected if item.count)
    return Candidates(mapping, layer, inverse.ravel()[row], 2 * row + (z > 1), found, int(enumerated))


def _splits(layers: int, chunks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the layers, alone or with embedding and head, divide into `chunks`."""
    return np.asarray((np.mod(layers, chunks) == 0) | (np.mod(layers + 2, chunks) == 0))


def _largest_divisor_at_most(batch: int, micro: NDArray[np.float64], room: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row, the largest divisor of batch / micro that is at most `room`; 0 where there is none."""
    found = np.zeros_like(room)
    for size in np.unique(micro):
        if batch % int(size):
            continue
        options = divisors(batch // int(size))
        rows = micro == size
        index = np.searchsorted(options, room[rows], side="right") - 1
        found[rows] = np.where(index >= 0, options[np.maximum(index, 0)], 0.0)
    return found

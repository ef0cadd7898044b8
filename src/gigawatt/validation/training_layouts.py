"""The mappings that a measured row leaves open, as columns: what is stated stays, blanks get what a practitioner would use.

Degrees that are blank become all that divide; which of them is predicted, the fastest that fits the memory, is decided
where steps are timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.physics.chip import Chip
from gigawatt.physics.training import Mapping, Shape, Stack, load_calibration
from gigawatt.physics.training.columns import ACTIVATION, CORE_ATTENTION, MLP, NORM
from gigawatt.physics.training.columns import EXPERTS as MIXTURE
from gigawatt.physics.training.shape import ROW
from gigawatt.validation.training_door import IDLE, LEAST_TOKENS_PER_RANK, LONG_SEQ, Stated
from gigawatt.validation.training_sources import FULL_RECOMPUTE_STACKS

TOKENS_PER_STEP = 4.0e6  # global batch where none is stated: what pre-training runs of 2020-26 use
TOKENS_PER_CHIP = 1024.0  # and at least so many a chip: 16 M tokens on 16,384 (Llama 3), 12.6 M on 12,288 (MegaScale)
# Micro-batches of a step where its time is given with no batch: four, and at least two a stage.
ACCUMULATION, PER_STAGE = 4.0, 2.0
TOKENS_PER_CHIP_XLA = 8192.0
SELECTIVE_SHARE = (
    0.4  # of a forward pass that per-operator selective checkpointing runs again (assumed: every second GEMM)
)
ROOMY_BYTES = 64e9  # of memory from which TPU recipes keep activations, in place or offloaded
# Notes of blanks.
BATCH, STEP_BATCH, CHIPS, MAPPING, MICRO, RECOMPUTE, CHUNKS, EXPERTS = (
    "global batch",
    "micro-batches of a step",
    "number of chips",
    "mapping",
    "micro-batch",
    "recompute",
    "chunks of the pipeline",
    "expert parallelism",
)


@dataclass(frozen=True, slots=True)
class Layouts:
    """Open mappings of a row, and what goes with them."""

    mapping: Mapping
    chips: float
    batch: float
    recompute_stated: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What a mapping is made for. `timed` says that the row gives the time of a step, which needs its batch."""

    shape: Shape
    chip: Chip
    stack: Stack
    seq: float
    recompute: str
    lora: bool
    timed: bool


def layouts_of(job: Job, s: Stated) -> Layouts:
    """The open mappings of a row."""
    notes: list[str] = []
    shape, stack, seq, xla = job.shape, job.stack, job.seq, job.stack.xla
    layers = max(float(shape.layers), 1.0)
    experts = max((float(k.experts) for k in shape.kinds), default=0.0)
    chips = s.chips
    if chips is None:
        notes.append(CHIPS)
        need = 20.0 * float(shape.parameters) / (0.6 * job.chip.memory_bytes)
        named = s.cut * (s.dp or 1.0)
        chips = named if s.tp and s.pp and s.dp else max(named, 2.0 ** np.ceil(np.log2(max(need, 8.0))))
    if s.tp is None or (s.pp is None and not xla):
        notes.append(MAPPING)
    if s.ep is None and experts:
        notes.append(EXPERTS)
    if s.micro is None:
        notes.append(MICRO)
    tp, pp, cp, ep = _degrees(s, shape, stack, chips, seq, experts)
    chunks = _chunks(s.vpp, pp, layers, stack)
    if s.vpp is None and max(chunks) > 1:
        notes.append(CHUNKS)
    told, shares, modules = _recompute(job, notes)
    micro = [s.micro] if s.micro else [max(round(TOKENS_PER_CHIP_XLA / seq), 1.0)] if xla else [1.0, 2.0, 4.0]
    grid = np.meshgrid(tp, pp, cp, ep, chunks, shares, _sharding(job, pp), micro, indexing="ij")
    t, p, x, e, v, r, z, b = (np.asarray(axis, dtype=float).ravel() for axis in grid)
    d = np.floor(chips / (t * p * x))
    batch = s.batch
    if batch is None:
        notes.append(STEP_BATCH if job.timed else BATCH)
        batch = _batch(job, chips, float(np.max(d)), float(b[0] if s.micro or xla else 1.0), s.pp or 1.0)
    if xla and s.micro is None:  # a compiled step accumulates nothing: a chip takes its share of the batch
        b = np.maximum(np.minimum(b, np.floor(batch / np.maximum(d, 1.0))), 1.0)
    ok = (d >= 1) & (d * b <= batch * 1.001)
    ok &= (np.mod(batch, np.maximum(d * b, 1.0)) < 0.5) | bool(s.micro and s.tp and s.pp)
    ok &= (np.mod(d * x * t, e) < 0.5) & ((v == 1) | (p > 1))
    if s.dp and np.any(ok & (d == s.dp)):
        ok &= d == s.dp
    if not np.any(ok) and xla:
        # fewer sequences than chips: the rest of the ranks share a sequence
        x = np.maximum(np.ceil(d * b / batch), 1.0)
        d, b = np.maximum(np.floor(chips / (t * p * x)), 1.0), np.ones_like(b)
        ok = np.ones_like(t, dtype=bool)
    if not np.any(ok):
        ok = (d >= 1) & (np.abs(t * p * x - np.min(t * p * x)) < 0.5)
        if np.all(d[ok] > batch):
            notes.append(IDLE)
        d = np.minimum(np.maximum(d, 1.0), batch)
        b = np.maximum(np.minimum(b, np.floor(batch / d)), 1.0)
    keep = np.flatnonzero(ok if np.any(ok) else np.ones_like(t, dtype=bool))
    mapping = Mapping(
        chips=np.full(keep.size, chips),
        tp=t[keep],
        pp=p[keep],
        vpp=v[keep],
        dp=np.maximum(d[keep], 1.0),
        cp=x[keep],
        ep=e[keep],
        micro_batch=b[keep],
        global_batch=np.full(keep.size, batch),
        seq=np.full(keep.size, seq),
        recompute=r[keep],
        modules=np.full(keep.size, modules),
        sequence_parallel=np.full(keep.size, _sequence_parallel(job)),
        sharding=z[keep],
        lora=np.full(keep.size, float(job.lora)),
    )
    return Layouts(mapping, float(chips), float(batch), told, tuple(notes))


def _degrees(
    s: Stated, shape: Shape, stack: Stack, chips: float, seq: float, experts: float
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Options of tensor, pipeline, context and expert parallelism."""
    room = max(chips / s.cut, 1.0)
    whole = [t for t in _powers(64) if t <= shape.max_heads and t <= room]
    tp = [s.tp] if s.tp else [1.0] if stack.sharded else whole
    stages = [p for p in (*_powers(64), 6.0, 12.0) if p <= shape.layers and p <= room]
    pp = [s.pp] if s.pp else [1.0] if stack.sharded else stages
    cp = [s.cp] if s.cp else [1.0]
    if s.cp is None and seq >= LONG_SEQ and not stack.xla:
        cp = [x for x in _powers(1024) if seq / x >= LEAST_TOKENS_PER_RANK and x <= room]
    ep = [s.ep] if s.ep else [e for e in _powers(256) if e <= experts] if experts else [1.0]
    return tp, pp, cp, [max(e, 1.0) for e in ep]


def _batch(job: Job, chips: float, ranks: float, micro: float, stages: float) -> float:
    """Sequences of a step where none are stated, a whole number of micro-batches on every rank."""
    each = max(ranks * micro, 1.0)
    if job.stack.xla:
        return each
    if job.timed:
        return each * max(ACCUMULATION, PER_STAGE * stages)
    tokens = max(TOKENS_PER_STEP, TOKENS_PER_CHIP * chips)
    return float(max(round(tokens / job.seq / each), 1) * each)


def _powers(limit: float) -> list[float]:
    return [float(2**i) for i in range(int(np.log2(limit)) + 1)]


def _chunks(vpp: float | None, stages: Sequence[float], layers: float, stack: Stack) -> list[float]:
    if vpp:
        return [vpp]
    if max(stages) <= 1 or stack.name in FULL_RECOMPUTE_STACKS:
        return [1.0]
    pp = max(stages)
    found = [v for v in range(1, 13) if layers % (pp * v) == 0 or (layers + 2) % (pp * v) == 0]
    return [float(v) for v in found] or [1.0]


def _sharding(job: Job, stages: Sequence[float]) -> list[float]:
    if job.stack.sharded:
        return [3.0]
    if job.lora:
        return [0.0]
    return [1.0] if (stages != [1.0] or job.stack.name in FULL_RECOMPUTE_STACKS) else [1.0, 3.0]


def _recompute(job: Job, notes: list[str]) -> tuple[bool, list[float], float]:
    """(stated, shares of layers run again, modules run again in the others)."""
    text, stack = job.recompute.lower(), job.stack
    if text.startswith("full"):
        return True, [1.0 - unread_share(job.shape, job.seq) if stack.xla else 1.0], 0.0
    if text.startswith(("selective", "minimal")):
        share = SELECTIVE_SHARE if stack.name == "fsdp-compile" else 0.0
        if stack.xla:  # products with weights are kept, the rest is made again
            return True, [0.0], CORE_ATTENTION + NORM + ACTIVATION
        return True, [share], 0.0 if stack.flash else CORE_ATTENTION
    if text.startswith(("none", "no", "false")):
        return True, [0.0], 0.0
    notes.append(RECOMPUTE)
    if stack.name in FULL_RECOMPUTE_STACKS:
        return False, [1.0], 0.0
    if stack.name == "fsdp-compile":  # the libraries' own configurations: selective for small models, full for large
        return False, [SELECTIVE_SHARE if float(job.shape.parameters) < 20e9 else 1.0], 0.0
    if stack.xla:
        return False, [load_calibration().parameters[xla_recompute(job.chip)]], 0.0
    return False, [0.0, 0.5, 1.0], 0.0


def unread_share(shape: Shape, seq: float) -> float:
    """Share of the layers' forward FLOPs that a compiler drops from recompute: what leaves a layer feeds no gradient in it.

    The layer's input is kept and its output is the next one's input, so the product that makes it (the last of the
    feed-forward part, dense or of experts) is dead code when the layer is run again.
    """
    unread = sum(
        kind.count * 2.0 * sum(m.k * m.n * (m.cut == ROW) * (m.module in (MLP, MIXTURE)) for m in kind.matrices)
        + kind.count * 2.0 * kind.top_k * kind.expert_hidden * kind.expert_width
        for kind in shape.kinds
    )
    head = 2.0 * shape.hidden * shape.vocab * (1.0 + shape.mtp_layers)
    return float(unread / (shape.forward_flops_per_token(seq) - head))


def xla_recompute(chip: Chip) -> str:
    """The parameter that says how much an XLA stack runs again on a chip: policies follow the room there is."""
    return "xla_recompute" if chip.memory_bytes < ROOMY_BYTES else "xla_recompute.roomy"


def _sequence_parallel(job: Job) -> float:
    if "sequence" in job.recompute.lower():
        return 1.0
    return 0.0 if job.stack.name in FULL_RECOMPUTE_STACKS else 1.0

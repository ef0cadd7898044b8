"""The door of a measured training row: text in, typed and consistent settings out, every repair told.

What the columns state is taken as it is unless two of them cannot both be true. Then what a run cannot get wrong is
kept (the chips that a rate is divided by, the matrices that were cut) and what was written beside it gives way:

    chips < tp pp cp                   chips were hosts, or left out: tp pp cp dp is taken
    tp pp cp dp != chips, cp blank     long sequences: the rest is context parallelism; else dp gives way
    tp pp cp dp != chips               dp gives way
    micro-batch > batch / dp           a rank's share of the batch, cut into micro-batches where there are stages
    batch in tokens, length in K       turned into sequences, into tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gigawatt.validation.base import number

Row = Mapping[str, str]
LONG_SEQ = 16_384.0  # tokens from which a run is likely to use context parallelism
LEAST_SEQ, LEAST_SEQ_PER_RANK = 128.0, 1024.0  # a shorter length, whole or on a context-parallel rank, is one in K
LEAST_TOKENS_PER_RANK = 2048.0  # of a sequence cut by context parallelism
# Repairs, as notes tell them.
HOSTS, NO_DP, TOKENS, IN_K, CLIPPED, IDLE = (
    "chips from the mapping, the stated are too few",
    "data-parallel degree, which contradicts the chips",
    "batch stated in tokens",
    "sequence length stated in K",
    "micro-batch, larger than a rank's share",
    "some chips idle: fewer sequences than data-parallel ranks",
)
REPAIRS = (HOSTS, NO_DP, TOKENS, IN_K, CLIPPED, IDLE)


@dataclass(frozen=True, slots=True)
class Stated:
    """The numbers of a row, None where blank or not above zero. `batch` is in sequences, `seq` in tokens."""

    tp: float | None
    pp: float | None
    vpp: float | None
    dp: float | None
    cp: float | None
    ep: float | None
    micro: float | None
    batch: float | None
    seq: float | None
    chips: float | None
    notes: tuple[str, ...] = ()

    def told(self, note: str, **changes: Any) -> Stated:
        """With a repair and its note."""
        return replace(self, notes=(*self.notes, note), **changes)

    @property
    def cut(self) -> float:
        """Chips of one replica as far as they are stated."""
        return (self.tp or 1.0) * (self.pp or 1.0) * (self.cp or 1.0)

    @property
    def replicas(self) -> float | None:
        """Data-parallel ranks, where chips, tp and pp are stated."""
        if self.chips is None or self.tp is None or self.pp is None:
            return None
        return max(self.chips / self.cut, 1.0)


def _positive(text: str | None) -> float | None:
    value = number(text)
    return value if value is not None and value > 0 else None


def stated(row: Row) -> Stated:
    """The settings of a row of `train_truth.csv`, made consistent."""
    names = ("tp", "pp", "vpp", "dp", "cp", "ep", "micro_batch", "global_batch", "seq_len", "n_gpus")
    tp, pp, vpp, dp, cp, ep, micro, batch, seq, chips = (_positive(row.get(name)) for name in names)
    found = Stated(tp, pp, vpp, dp, cp, ep, micro, batch, seq, chips)
    return _shares(_degrees(_units(found)))


def _units(s: Stated) -> Stated:
    least = LEAST_SEQ if (s.cp or 1.0) <= 1 else LEAST_SEQ_PER_RANK * (s.cp or 1.0)
    if s.seq is not None and s.seq < least:
        s = s.told(IN_K, seq=s.seq * 1024.0)
    if s.batch and s.seq and s.batch >= 65_536 and s.batch % s.seq == 0 and s.batch / s.seq >= 1:
        s = s.told(TOKENS, batch=s.batch / s.seq)
    return s


def _degrees(s: Stated) -> Stated:
    if s.chips is None:
        return s
    if s.cut > s.chips:
        return s.told(HOSTS, chips=s.cut * (s.dp or 1.0))
    if s.dp is None or abs(s.cut * s.dp - s.chips) < 0.5:
        return s
    rest = s.chips / (s.cut * s.dp)
    long = s.seq is not None and s.seq >= LONG_SEQ and s.seq / max(rest, 1.0) >= LEAST_TOKENS_PER_RANK
    if s.cp is None and long and rest > 1 and abs(rest - round(rest)) < 1e-6:
        return replace(s, cp=rest)
    if s.tp is None or s.pp is None:
        return s
    return s.told(NO_DP, dp=None)


def _shares(s: Stated) -> Stated:
    ranks = s.dp if s.dp is not None and s.chips is None else s.replicas
    if ranks is None or not s.batch or not s.micro or s.micro <= s.batch / ranks:
        return s
    share = s.batch / ranks
    if share < 1:  # fewer sequences than ranks
        return s.told(CLIPPED, micro=1.0) if s.micro > 1 else s
    return s.told(CLIPPED, micro=float(int(share)) if (s.pp or 1.0) <= 1 else 1.0)

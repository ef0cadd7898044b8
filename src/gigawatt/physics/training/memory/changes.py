"""What a mapping that does not fit the memory lacks, and the smallest changes of it that fit.

Changes are tried one column at a time, each at its steps from the mapping's own value on, then in pairs with full
recompute and a sharded optimizer, which cost no chips; all of them are rows of one call. Degrees are tried where they
divide. What a change costs in time is for the search to say: here they are ordered by what they ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gigawatt.core.errors import Change
from gigawatt.physics.training.columns import ACTIVATION, CORE_ATTENTION, EXPERTS, LATENT_UP, MLP, NORM, Mapping
from gigawatt.physics.training.memory.bytes import KINDS, memory_of
from gigawatt.physics.training.memory.host import host_bytes_of
from gigawatt.physics.training.precision import Stored
from gigawatt.physics.training.schedule.valid import valid_schedule
from gigawatt.physics.training.shape import Shape

CHEAP_MODULES = CORE_ATTENTION + NORM + ACTIVATION + LATENT_UP
DOUBLINGS = 10
WORDS = {
    "modules": "recomputed modules",
    "recompute": "share of layers recomputed",
    "sharding": "ZeRO stage",
    "offload_optimizer": "share of the optimizer in host memory",
    "offload_activations": "share of the activations in host memory",
    "micro_batch": "micro-batch",
    "ep": "expert parallelism",
    "tp": "tensor parallelism",
    "cp": "context parallelism",
    "pp": "pipeline stages",
    "chips": "chips",
}
# The order of asking: less of the same memory, then other memory, then other degrees of the same chips, then more chips.
ORDER = tuple(WORDS)
UNITS = {"chips": "chips", "pp": "stages", "micro_batch": "sequences"}


@dataclass(frozen=True, slots=True)
class MemoryGap:
    """Why a mapping does not fit: bytes of each kind, the largest kind, bytes over the room (negative where it fits), and
    the smallest change of each column that fits, alone or, where none does alone, together with what `changes` lists
    first. Empty `changes`: nothing tried fits."""

    kinds: dict[str, float]
    largest: str
    over_bytes: float
    changes: tuple[tuple[Change, ...], ...]

    @property
    def largest_in_words(self) -> str:
        """The largest kind and its bytes: 'the optimizer takes 609.0 GB'."""
        verb = "take" if self.largest.endswith("s") else "takes"
        article = "" if self.largest.endswith("s") else "the "
        return f"{article}{self.largest} {verb} {self.kinds[self.largest] / 1e9:,.1f} GB"

    def __str__(self) -> str:
        if self.over_bytes <= 0:
            return f"fits, with {-self.over_bytes / 1e9:,.1f} GB to spare"
        text = f"{self.over_bytes / 1e9:,.1f} GB too much; {self.largest_in_words}"
        ways = " or ".join(" and ".join(str(change).strip() for change in way) for way in self.changes)
        return f"{text}; what fits: {ways}" if ways else f"{text}; no change of one or two settings fits"


def smallest_change(
    shape: Shape,
    mapping: Mapping,
    room_bytes: float,
    flash: float = 1.0,
    *,
    recipe: Stored | str = "bf16",
    max_tp: float = 8.0,
    max_chips: float = float("inf"),
    host_bytes: float = float("inf"),
) -> MemoryGap:
    """What one mapping (columns of one row, or scalars) lacks, and the smallest changes that fit `room_bytes`.

    Args:
        shape: the model.
        mapping: the mapping: the nearest of those that a search has tried, say.
        room_bytes: what may be planned with on a chip.
        flash, recipe: as for `memory_of`.
        max_tp: the largest tensor-parallel degree: a scale-up domain.
        max_chips: chips there are.
        host_bytes: what may be planned with of the host's memory, for a chip; 0 where there is no way to it.
    """
    offload = host_bytes > 0
    base = Mapping(**{f.name: float(np.ravel(getattr(mapping, f.name))[0]) for f in fields(Mapping)})
    now = memory_of(shape, base, flash, recipe=recipe)
    kinds = {kind: float(np.ravel(getattr(now, f"{kind}_bytes"))[0]) for kind in KINDS}
    over = float(np.ravel(now.total_bytes)[0]) - room_bytes
    largest = max(kinds, key=lambda kind: kinds[kind])
    if over <= 0:
        return MemoryGap(kinds, largest, over, ())
    singles = list(_steps(shape, base, max_tp, max_chips, offload))
    ways = _fitting(shape, base, singles, (), room_bytes, flash, recipe, host_bytes)
    if not ways:
        spared = {"recompute": 1.0, "sharding": max(base.sharding, 1.0)}
        changed = {name: value for name, value in spared.items() if value != getattr(base, name)}
        first = tuple(_change(base, name, value) for name, value in changed.items())
        eased = replace(base, **changed)
        if first:
            alone: list[Step] = [(ORDER[0], base.modules, {})]
            ways = _fitting(shape, eased, alone, first, room_bytes, flash, recipe, host_bytes)
            more = list(_steps(shape, eased, max_tp, max_chips, offload))
            ways = ways or _fitting(shape, eased, more, first, room_bytes, flash, recipe, host_bytes)
    return MemoryGap(kinds, largest, over, ways)


Step = tuple[str, float, dict[str, float]]  # column named to people, its value, the columns that change


def _steps(shape: Shape, m: Mapping, max_tp: float, max_chips: float, offload: bool) -> Iterator[Step]:
    """Changes of one column, the smallest first, that leave the mapping possible."""
    mixture = any(float(np.max(kind.experts)) > 0 for kind in shape.kinds)
    for modules in (CHEAP_MODULES, CHEAP_MODULES + (EXPERTS if mixture else MLP)):
        asked = float(int(m.modules) | int(modules))
        if asked != m.modules:
            yield "modules", asked, {"modules": asked}
    for name, values in (
        ("recompute", (0.25, 0.5, 0.75, 1.0)),
        ("sharding", (1.0, 2.0, 3.0) if m.pp == 1 else (1.0, 2.0)),
        ("offload_optimizer", (0.25, 0.5, 0.75, 1.0) if offload else ()),
        ("offload_activations", (0.25, 0.5, 0.75, 1.0) if offload else ()),
    ):
        for value in values:
            if value > getattr(m, name):
                yield name, value, {name: value}
    micro = m.micro_batch / 2.0
    while micro >= 1.0:
        yield "micro_batch", micro, {"micro_batch": micro}
        micro /= 2.0
    experts = max((float(np.max(kind.experts)) for kind in shape.kinds), default=0.0)
    for times in (2.0**i for i in range(1, DOUBLINGS + 1)):
        if mixture and experts % (m.ep * times) == 0 and (m.dp * m.cp * m.tp) % (m.ep * times * m.etp) == 0:
            yield "ep", m.ep * times, {"ep": m.ep * times}
        fewer = m.dp / times
        if fewer >= 1.0 and fewer % 1.0 == 0 and (fewer * times * m.cp * m.tp) % (m.ep * m.etp) == 0:
            if m.tp * times <= max_tp and float(shape.max_heads) % (m.tp * times) == 0:
                yield "tp", m.tp * times, {"tp": m.tp * times, "dp": fewer}
            if m.seq % (m.cp * times) == 0:
                yield "cp", m.cp * times, {"cp": m.cp * times, "dp": fewer}
            if m.pp * times * m.vpp <= float(shape.layers):
                yield "pp", m.pp * times, {"pp": m.pp * times, "dp": fewer}
        if m.chips * times <= max_chips and m.global_batch % (m.dp * times * m.micro_batch) == 0:
            yield "chips", m.chips * times, {"chips": m.chips * times, "dp": m.dp * times}


def _fitting(
    shape: Shape,
    base: Mapping,
    steps: list[Step],
    first: tuple[Change, ...],
    room_bytes: float,
    flash: float,
    recipe: Stored | str,
    host_bytes: float,
) -> tuple[tuple[Change, ...], ...]:
    """The smallest step of each column that fits, in `ORDER`; `first` are changes that the base has made already."""
    if not steps:
        return ()
    columns: dict[str, Any] = {
        f.name: np.array([changed.get(f.name, getattr(base, f.name)) for _, _, changed in steps])
        for f in fields(Mapping)
    }
    rows = Mapping(**columns)
    fits = np.asarray(memory_of(shape, rows, flash, recipe=recipe).total_bytes) <= room_bytes
    fits &= np.asarray(host_bytes_of(shape, rows, flash, recipe=recipe)) <= host_bytes
    fits &= np.asarray(valid_schedule(rows.schedule, rows.micro_batches, rows.pp, rows.vpp))
    found: dict[str, tuple[Change, ...]] = {}
    for (name, value, changed), good in zip(steps, fits, strict=True):
        if good and name not in found:
            found[name] = first + ((_change(base, name, value),) if changed else ())
    return tuple(found[name] for name in ORDER if name in found)


def _change(base: Mapping, name: str, value: float) -> Change:
    return Change(WORDS[name], float(getattr(base, name)), value, UNITS.get(name, ""))

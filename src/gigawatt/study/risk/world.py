"""Draws of a scenario: the uncertain inputs with their laws and dimensions, and the worlds that they make.

Inputs stand in a fixed order (those that the file varies, calibrations, the catalog's), each with a dimension of the Sobol'
sequence; row d depends on the seed and d alone. A `World` holds columns of factors, [draws] each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory import Points
from gigawatt.study.resolve import Resolved
from gigawatt.study.risk.channels import Channel, Target, channels, uncertain_facts
from gigawatt.study.risk.spec import Distribution, pairs_of
from gigawatt.study.sampling import Correlation, Law, Sampler, Truncated, correlation_of, law_of_range, mass_outside

Array = NDArray[np.float64]
CALIBRATION = "calibration"
SMALL = 1e-9  # share of the draws that may lie outside a field's bounds: none of 2^30


@dataclass(frozen=True, slots=True)
class Uncertain:
    """One input that is drawn.

    Attributes:
        name: its dotted path, or 'calibration.GROUP'.
        kind: 'file', 'calibration' or 'catalog': who says how far it varies.
        law: of what `scale` turns into a factor: the factor itself, or values (then 1 / value in the plan).
        targets: columns of the world that the factor multiplies.
    """

    name: str
    words: str
    kind: str
    law: Law
    scale: float
    targets: tuple[Target, ...]
    source: str = ""

    def factor(self, u: float) -> float:
        """The factor below which a share `u` of the draws lies."""
        return float(self.law.quantile(u)) * self.scale


@dataclass(frozen=True, slots=True)
class World:
    """Columns of factors along the draws; what no input moves is 1."""

    count: int
    columns: Mapping[Target, Array] = field(default_factory=dict)

    def of(self, name: str, which: object = 0) -> Array | float:
        """[draws] of one column, or 1.0."""
        return self.columns.get((name, which), 1.0)

    def has(self, *names: str) -> bool:
        """Whether any column of these names moves."""
        return any(name in names for name, _ in self.columns)

    def stack(self, name: str, keys: Sequence[object]) -> Array | None:
        """[draws, keys], or None where none of them moves."""
        if not any((name, key) in self.columns for key in keys):
            return None
        one = np.ones(self.count)
        return np.column_stack([self.columns.get((name, key), one) for key in keys])


@dataclass(frozen=True)
class Inputs:
    """All that is drawn, in the order of the dimensions, and how it moves together."""

    uncertain: tuple[Uncertain, ...]
    seed: int
    correlation: Correlation | None = None
    sampler: Sampler = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        laws = {one.name: one.law for one in self.uncertain}
        object.__setattr__(self, "sampler", Sampler(laws, self.seed, self.correlation))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.uncertain)

    def __len__(self) -> int:
        return len(self.uncertain)

    def normals(self, start: int, stop: int, replicate: int = 0) -> Array:
        """Correlated standard normals of rows `start` to `stop`, [rows, inputs]."""
        return self.sampler.normals(start, stop, replicate=replicate)

    def world(self, normal: Array) -> World:
        """Factors from correlated normals [draws, inputs]."""
        drawn = self.sampler.columns(normal)
        return self._world(len(normal), {name: np.asarray(column) for name, column in drawn.items()})

    def draw(self, start: int, stop: int, replicate: int = 0) -> World:
        """Rows `start` to `stop`."""
        return self.world(self.normals(start, stop, replicate))

    def _world(self, count: int, drawn: Mapping[str, Array]) -> World:
        columns: dict[Target, Array] = {}
        for one in self.uncertain:
            factor = drawn[one.name] * one.scale
            for target in one.targets:
                columns[target] = columns[target] * factor if target in columns else factor
        return World(count, columns)


def inputs_of(resolved: Resolved, points: Points, groups: Sequence[str]) -> Inputs:
    """What a scenario draws.

    Args:
        resolved: checked by `study.risk.check`.
        points: operating points; those of one group share one latent error.
        groups: what each group's number is called.
    """
    law = resolved.scenario.uncertainty
    known = channels(resolved)
    found = [from_file(known[path], one) for path, one in law.vary.items()]
    if law.calibration:
        found += list(_calibrations(points, groups))
    if law.catalog:
        found += [from_fact(one) for one in uncertain_facts(known, list(law.vary))]
    names = tuple(one.name for one in found)
    pairs = [pair for pair in pairs_of(law.correlated) if pair[0] in names and pair[1] in names]
    return Inputs(tuple(found), resolved.scenario.seed, correlation_of(names, pairs) if pairs else None)


def from_file(channel: Channel, given: Distribution) -> Uncertain:
    """An input that the file varies.

    Raises:
        ValueError: the law can not be of this input.
    """
    if given.absolute:
        if not channel.base:
            many = "several values move with it" if channel.base is None else "it is 0"
            raise ValueError(
                f"{channel.path} can not be drawn as a value: {many}; give factors, such as low: 0.8, high: 1.2"
            )
        return Uncertain(channel.path, channel.words, "file", given.law(channel.dimension, channel.base), 1 / channel.base,
                         channel.targets, "the scenario")  # fmt: skip
    return Uncertain(channel.path, channel.words, "file", given.law(middle=1.0), 1.0, channel.targets, "the scenario")


def outside(channel: Channel, one: Uncertain) -> float:
    """Share of the draws that the field would refuse."""
    unit = one.scale * (channel.base if channel.base is not None else 1.0)
    return mass_outside(one.law, channel.least / unit, channel.most / unit)


def from_fact(channel: Channel) -> Uncertain:
    """A fact of the catalog within its range of 80 %, cut off at the bounds of its field."""
    assert channel.datum is not None
    datum = channel.datum
    low, high = datum.range
    law = law_of_range(datum.value, max(low, channel.least), min(high, channel.most))
    if mass_outside(law, channel.least, channel.most) > 0:
        law = Truncated(law, channel.least, channel.most)
    return Uncertain(channel.path, channel.words, "catalog", law, 1 / datum.value, channel.targets, datum.source)


def _calibrations(points: Points, groups: Sequence[str]) -> Iterator[Uncertain]:
    """One latent error a group, with the 80 % factors of its first point."""
    for number, first in zip(*np.unique(points.group, return_index=True), strict=True):
        low, high = float(points.low[first]), float(points.high[first])
        if low < high:
            name = f"{CALIBRATION}.{groups[int(number)]}"
            yield Uncertain(name, f"speed of {groups[int(number)]}", CALIBRATION, law_of_range(1.0, low, high), 1.0,
                            (("throughput", int(number)),), "80 % band of the calibration, outside its fit")  # fmt: skip

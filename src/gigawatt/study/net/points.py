"""Seconds of collectives over networks, numbers of chips and sizes, as columns: a million points are a few array passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric import Fabric, bus_factor, collective_seconds
from gigawatt.physics.fabric.collective import Answer
from gigawatt.physics.fabric.experts import kernel_exchange
from gigawatt.physics.fabric.wires import Array, wires_of
from gigawatt.study.net.groups import Groups
from gigawatt.study.net.question import MOE, Experts, lines_of

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Points:
    """One row a point. `network`, `collective` and `algorithm` index what was asked; `code` indexes `texts`.

    `tokens` of a rank is 0 but for experts, whose `nbytes` follow from it and from the network's domains.
    Seconds with their 80 % range; a row that the algorithm does not apply to is infinite.
    """

    network: Codes
    collective: Codes
    algorithm: Codes
    nbytes: Array
    tokens: Array
    ranks: Array
    per_domain: Array
    factor: Array
    seconds: Array
    low: Array
    high: Array
    code: Codes
    texts: tuple[str, ...]

    @property
    def bound(self) -> NDArray[np.str_]:
        """What binds each point, with the algorithm that was fastest."""
        words: NDArray[np.str_] = np.asarray(self.texts)[self.code]
        return words

    def busbw(self, seconds: Array) -> Array:
        """Bus bandwidth in bytes/s at these seconds, as nccl-tests counts it; of experts the payload's own."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rate: Array = np.where(seconds > 0, self.factor * self.nbytes / seconds, np.inf)
        return rate


def points(
    fabrics: Sequence[Fabric],
    kinds: Sequence[str],
    nbytes: ArrayLike,
    groups: Groups,
    *,
    algorithms: Sequence[str] = ("auto",),
    experts: Experts | None = None,
) -> Points:
    """Every network with every collective, group and size (of experts: every number of tokens), in that order.

    Args:
        fabrics: networks.
        kinds: collectives, with moe_dispatch and moe_combine.
        nbytes: sizes in nccl-tests' meaning.
        groups: ranks and their places on each network; see `spread_evenly`.
        algorithms: rows of their own for each; 'auto' is the fastest. A collective without one of them has no rows of it.
        experts: what dispatch and combine move.

    Raises:
        InputError: unknown collective, or nothing to do.
    """
    experts = Experts() if experts is None else experts
    sizes = np.atleast_1d(np.asarray(nbytes, np.float64))
    parts: list[Points] = []
    for at, kind in enumerate(kinds):
        amounts = np.asarray(experts.tokens, np.float64) if kind in MOE else sizes
        net, place, size = (x.ravel() for x in np.indices((len(fabrics), groups.ranks.shape[1], len(amounts))))
        ranks, inside = groups.ranks[net, place], groups.per_domain[net, place]
        for which, algorithm in enumerate(algorithms):
            if algorithm != "auto" and (kind in MOE or not lines_of(kind, algorithm)):
                continue
            tokens = np.zeros(len(net))
            if kind in MOE:
                tokens = amounts[size]
                moved, found = kernel_exchange(
                    tokens,
                    experts.topk,
                    experts.hidden,
                    experts.bytes_of(kind),
                    ranks,
                    wires_of(fabrics).take(net),
                    per_domain=inside,
                    style=experts.style,
                )
                factor = np.ones_like(moved)
            else:
                moved, factor = amounts[size], bus_factor(kind, ranks)
                found = _collective(kind, moved, ranks, fabrics, net, inside, algorithm)
            parts.append(
                Points(
                    network=net,
                    collective=np.full(len(net), at),
                    algorithm=np.full(len(net), which),
                    nbytes=moved,
                    tokens=tokens,
                    ranks=ranks,
                    per_domain=inside,
                    factor=factor,
                    seconds=found.seconds,
                    low=found.low,
                    high=found.high,
                    code=found.code,
                    texts=found.texts,
                )
            )
    if not parts:
        said = f"{', '.join(algorithms)} is no algorithm of {', '.join(kinds)}"
        raise InputError(Problem("unknown_name", said, None, ("auto takes the fastest",)))
    return _joined(parts)


def _collective(
    kind: str, nbytes: Array, ranks: Array, fabrics: Sequence[Fabric], net: Codes, inside: Array, algorithm: str
) -> Answer:
    wires = wires_of(fabrics).take(net) if len(fabrics) > 1 else wires_of(fabrics[0])
    pinned = None if algorithm == "auto" else lines_of(kind, algorithm)
    with np.errstate(invalid="ignore", over="ignore"):
        return collective_seconds(kind, nbytes, ranks, wires, per_domain=inside, algorithms=pinned)


def _joined(parts: Sequence[Points]) -> Points:
    if len(parts) == 1:
        return parts[0]
    texts = tuple(dict.fromkeys(text for part in parts for text in part.texts))
    code = [np.array([texts.index(text) for text in part.texts], dtype=np.intp)[part.code] for part in parts]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Points(
        network=column("network"),
        collective=column("collective"),
        algorithm=column("algorithm"),
        nbytes=column("nbytes"),
        tokens=column("tokens"),
        ranks=column("ranks"),
        per_domain=column("per_domain"),
        factor=column("factor"),
        seconds=column("seconds"),
        low=column("low"),
        high=column("high"),
        code=np.concatenate(code),
        texts=texts,
    )

"""The words around the arguments: headers that say what a file was made for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gigawatt.physics.training.search.points import describe
from gigawatt.study.serve.emit.schema import Command, Schema
from gigawatt.study.serve.emit.texts import comment, left_out
from gigawatt.study.train.emit.settings import Settings


def header(settings: Settings, known: Schema, layout: Command, notes: Sequence[str], used: Iterable[str]) -> str:
    """The comment at the head of an emitted file."""
    nodes = f"{settings.nodes:,} nodes of {settings.machine.node_chips}"
    batch = f"{settings.degree('global_batch'):,} sequences of {settings.degree('seq'):,} tokens a step"
    lines = [
        f"Launch settings for {known.title}, written by Gigawatt.",
        f"Made for: {settings.model} on {settings.chips:,} GPUs of {settings.machine.name} ({nodes}), {batch}.",
        f"Mapping: {describe(settings.mapping, 0)}; {settings.precision}; software as '{settings.software.name}'"
        f"{settings.release and f', {settings.release}'}.",
    ]
    if settings.predicted is not None:
        p = settings.predicted
        kept = "" if math.isnan(p.goodput) else f"; {100 * p.goodput:.1f} % of the time counts"
        lines.append(
            f"Predicted (80 % range): a step in {p.step_s:.4g} s [{p.low_s:.4g} to {p.high_s:.4g}], "
            f"{p.tokens_per_s_per_chip:,.0f} tokens/s a GPU{kept}."
        )
    lines.append(
        f"Checked against the arguments of {known.title} {known.release} of {known.date} ({known.source_url})."
    )
    lines += [note for note in notes if note]
    left = left_out(layout, used)
    if left:
        lines.append(f"Left to the framework's defaults: {left}.")
    return "\n".join(line for text in lines for line in comment(text)) + "\n"


@dataclass(frozen=True, slots=True)
class Split:
    """Layers of the fullest chunk; whether embedding and head count as a layer each; layers of every chunk in the order of
    depth where they are not all alike, else empty."""

    each: int
    ends_count: bool = False
    uneven: tuple[int, ...] = ()


def split_layers(settings: Settings) -> Split | None:
    """How the layers lie on the chunks; None where there are fewer layers than chunks.

    Where they do not divide, chunks differ by one, and the first and the last, beside embedding and head, have fewer.
    """
    chunks, layers = settings.degree("pp") * settings.degree("vpp"), settings.arch.layers
    for more in (0, 2):
        if (layers + more) % chunks == 0:
            return Split((layers + more) // chunks, bool(more))
    if layers < chunks:
        return None
    fewer, extra = divmod(layers, chunks)
    before = (chunks - extra + 1) // 2
    counts = (fewer,) * (chunks - extra - before) + (fewer + 1,) * extra + (fewer,) * before
    return Split(fewer + 1, uneven=counts)

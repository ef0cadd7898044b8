"""Ways to lay a model over the chips of a replica: one scale-up domain, or more where more are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.physics.serving.engine.model import ServedModel

MAX_CHIPS = 2048
MAX_TENSOR = 16  # wider tensor parallelism is all latency: its all-reduces outweigh what it saves


@dataclass(frozen=True, slots=True)
class Layout:
    """`gpus` chips a replica, `dp` attention ranks, experts cut `moe_tp` ways."""

    gpus: int
    dp: int
    moe_tp: int

    @property
    def name(self) -> str:
        """As engineers write it: tp8, tp8-ep8, dp16-ep16."""
        tensor = self.gpus // self.dp
        words = ([f"dp{self.dp}"] if self.dp > 1 else []) + ([f"tp{tensor}"] if tensor > 1 or self.dp == 1 else [])
        experts = self.gpus // self.moe_tp
        return "-".join([*words, f"ep{experts}"] if experts > 1 else words)


def layouts(model: ServedModel, domain: int, only: str = "", most: int = 0) -> list[Layout]:
    """Tensor, tensor with experts spread, and attention data parallel with experts spread, up to `domain` chips.

    `most` allows replicas of more chips, over several domains. `only` keeps the one layout of that name, however wide.
    """
    reach = MAX_CHIPS if only else max(domain, most, 1)
    sizes = [2**k for k in range(MAX_CHIPS.bit_length()) if 2**k <= reach]
    sizes += [size for size in dict.fromkeys((domain, most)) if size > 1 and size not in sizes]
    moe, heads = float(model.moe_layers) > 0, float(model.kv_heads)
    found: list[Layout] = []
    for gpus in sizes:
        if gpus <= MAX_TENSOR and (gpus & (gpus - 1)) == 0 and gpus <= max(4 * heads, 8):
            found.append(Layout(gpus, 1, gpus))
            if moe and 1 < gpus <= float(model.experts):
                found.append(Layout(gpus, 1, 1))
        if moe and 1 < gpus <= float(model.experts):
            found.append(Layout(gpus, gpus, 1))
    return [layout for layout in found if not only or layout.name == only]

"""Ways to lay a model over the chips of a replica: one scale-up domain, or more where more are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gigawatt.physics.serving.engine.model import ServedModel

MAX_CHIPS = 2048
MAX_TENSOR = 16  # wider tensor parallelism is all latency: its all-reduces outweigh what it saves


@dataclass(frozen=True, slots=True)
class Layout:
    """`gpus` chips a stage, `dp` attention ranks, experts cut `moe_tp` ways; `stages` of a pipeline."""

    gpus: int
    dp: int
    moe_tp: int
    stages: int = 1

    @property
    def chips(self) -> int:
        """Chips of a replica."""
        return self.gpus * self.stages

    @property
    def name(self) -> str:
        """As engineers write it: tp8, tp8-ep8, dp16-ep16, tp8-pp2."""
        tensor = self.gpus // self.dp
        words = ([f"dp{self.dp}"] if self.dp > 1 else []) + ([f"tp{tensor}"] if tensor > 1 or self.dp == 1 else [])
        experts = self.gpus // self.moe_tp
        words += [f"ep{experts}"] if experts > 1 else []
        return "-".join(words + ([f"pp{self.stages}"] if self.stages > 1 else []))


def layouts(model: ServedModel, domain: int, only: str = "", most: int = 0, stages: int = 1) -> list[Layout]:
    """Tensor, tensor with experts spread, and attention data parallel with experts spread, up to `domain` chips.

    `most` allows replicas of more chips, over several domains. `only` keeps the one layout of that name, however wide.
    `stages` above 1 adds pipelines of 2, 4, ... as many, whose stages each stay within those limits.
    """
    if named := re.fullmatch(r"(.+)-pp(\d+)", only):
        deep = int(named[2])
        alone = layouts(model, domain, named[1], most) if 1 < deep <= float(model.layers) else []
        return [replace(layout, stages=deep) for layout in alone]
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
    kept = [layout for layout in found if not only or layout.name == only]
    depths = [2**k for k in range(1, stages.bit_length()) if 2**k <= min(stages, float(model.layers))]
    return kept + [replace(layout, stages=deep) for deep in depths for layout in kept if not only]

"""Precision recipes: what a named way of training in 16, 8 or 4 bit casts, keeps wide, gathers and sums.

    cast bytes of an element      read in 16 bit, written along rows and along columns in the narrow type, block scales
                                  beside; a scale taken from the tensor itself (not from earlier steps) reads it once more
    wide layers                   share of the layers whose products stay in 16 bit
    gathered bytes of a weight    of the all-gather: 1 where weights are cast before they are sent
    summed bytes of a gradient    where weights are whole on every rank; sharded gradients are summed in 16 bit

Everywhere the router, the output head and the attention core run in 16 bit, as do sums of activations between chips.

    name             scales of                       source
    bf16             -                               Kalamkar et al., arXiv 1905.12322
    fp8-delayed      a tensor, earlier steps         Micikevicius et al., arXiv 2209.05433; Transformer Engine
    fp8-current      a tensor, this step             Transformer Engine, Float8CurrentScaling
    fp8-blockwise    1 x 128 and 128 x 128 values    DeepSeek-V3, arXiv 2412.19437, sec. 3.3
    mxfp8            32 values, powers of two        OCP MX; Mishra et al., arXiv 2506.08027
    nvfp4            16 values and the tensor        Abecassis et al., arXiv 2509.25149: a sixth of the layers stays wide
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.core.errors import InputError, unknown_name

READ, AMAX = (
    2.0,
    2.0,
)  # bytes of an element in 16 bit: read once to cast, once more where its largest must be known first


@dataclass(frozen=True, slots=True)
class Precision:
    """One recipe. `width` is that of the kernels' constants; `gathered_bytes` and `summed_bytes` are of one parameter."""

    name: str
    width: str
    cast_bytes: float = 0.0
    wide_layers: float = 0.0
    gathered_bytes: float = 2.0
    summed_bytes: float = 4.0


def _cast(bytes_each: float, scale_bytes: float = 0.0, block: float = 1.0, amax: bool = False) -> float:
    """Bytes of an element's cast, both directions written.

    >>> _cast(1.0), _cast(1.0, amax=True)
    (4.0, 6.0)
    """
    return READ + AMAX * amax + 2.0 * (bytes_each + scale_bytes / block)


PRECISION_RECIPES: Mapping[str, Precision] = {
    recipe.name: recipe
    for recipe in (
        Precision("bf16", "16"),
        Precision("fp8-delayed", "8", _cast(1.0), gathered_bytes=1.0),
        Precision("fp8-current", "8", _cast(1.0, amax=True), gathered_bytes=1.0),
        Precision("fp8-blockwise", "8", _cast(1.0, 4.0, 128.0), gathered_bytes=1.0),
        Precision("mxfp8", "mx8", _cast(1.0, 1.0, 32.0)),
        Precision("nvfp4", "4", _cast(0.5, 1.0, 16.0, amax=True), wide_layers=1.0 / 6.0),
    )
}


def precision_recipe(name: str) -> Precision:
    """The recipe of that name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name not in PRECISION_RECIPES:
        raise InputError(unknown_name("precision recipe", name, PRECISION_RECIPES))
    return PRECISION_RECIPES[name]


# What tuned Megatron stacks send where nothing else is said: gradients summed in 16 bit (`grad_reduce_in_fp32` off),
# weights gathered in 8 bit where products have 8 (`fp8_param_gather`): Megatron-Bridge's performance recipes.
SHORT_SUMS: Mapping[str, Precision] = {
    "16": Precision("bf16", "16", summed_bytes=2.0),
    "8": Precision("fp8-current", "8", gathered_bytes=1.0, summed_bytes=2.0),
    "mx8": Precision("mxfp8", "mx8", gathered_bytes=1.0, summed_bytes=2.0),
    "4": Precision("nvfp4", "4", summed_bytes=2.0),
}

"""Precision recipes: what a named way of training in 16, 8 or 4 bit casts, keeps wide, gathers, sums and stores.

    cast bytes of an element      read in 16 bit, written along rows and along columns in the narrow type, block scales
                                  beside; a scale taken from the tensor itself (not from earlier steps) reads it once more
    wide layers                   share of the layers whose products stay in 16 bit
    gathered bytes of a weight    of the all-gather: 1 where weights are cast before they are sent
    summed bytes of a gradient    where weights are whole on every rank; sharded gradients are summed in 16 bit
    stored bytes                  of weights, gradients, optimizer states and saved activations (`Stored`)

Everywhere the router, the output head and the attention core run in 16 bit, as do sums of activations between chips.

    name             scales of                       source
    bf16             -                               Kalamkar et al., arXiv 1905.12322
    fp8-delayed      a tensor, earlier steps         Micikevicius et al., arXiv 2209.05433; Transformer Engine
    fp8-current      a tensor, this step             Transformer Engine, Float8CurrentScaling
    fp8-blockwise    1 x 128 and 128 x 128 values    DeepSeek-V3, arXiv 2412.19437, sec. 3.3
    mxfp8            32 values, powers of two        OCP MX; Mishra et al., arXiv 2506.08027
    nvfp4            16 values and the tensor        Abecassis et al., arXiv 2509.25149: a sixth of the layers stays wide

The numbers are one table of the catalog (`calibration/training-memory.yaml`, `recipes`), with the source of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, unknown_name

RECIPES_ID = "training-memory"
# Bytes of an element in 16 bit: read once to cast, once more where the largest must be known first.
READ, AMAX = 2.0, 2.0
ALIASES = {"fp16": "bf16", "fp8": "fp8-current", "fp4": "nvfp4"}
# The recipe of each width of `calibration.PRECISIONS`.
WIDTH_RECIPES = {"16": "bf16", "8": "fp8-current", "mx8": "mxfp8", "4": "nvfp4"}


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes a parameter and a value that a precision stores; numbers, or columns (`stack_stored`).

    `weight`: what the forward pass of a layer reads and the optimizer writes; `cast`: low-precision copies beside it, of
    the matrices of layers; `gradient`; `state`: master weight and moments. `input`: a saved input of a product; `copy`: a
    second copy for a product of a tensor that is kept in 16 bits anyway. Embedding and head stay in 16 bits.
    """

    weight: Any
    cast: Any
    gradient: Any
    state: Any
    input: Any
    copy: Any

    def take(self, rows: NDArray[np.intp]) -> Stored:
        """The rows named, where fields are columns."""
        return Stored(*(np.asarray(getattr(self, f.name))[rows] for f in fields(Stored)))


@dataclass(frozen=True, slots=True)
class Precision:
    """One recipe. `width` is that of the kernels' constants; `gathered_bytes` and `summed_bytes` are of one parameter."""

    name: str
    width: str
    stored: Stored
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


@lru_cache(maxsize=1)
def precision_recipes() -> dict[str, Precision]:
    """The packaged recipes by name."""
    table = Catalog.load().get("calibration", RECIPES_ID).tables["recipes"]
    return {name: _recipe(name, row) for name, row in table.items()}


def _recipe(name: str, row: dict[str, Any]) -> Precision:
    cast = row.get("narrow")
    return Precision(
        name,
        str(row["width"]),
        Stored(*(float(row[f.name]) for f in fields(Stored))),
        cast_bytes=_cast(cast["bytes"], cast.get("scale_bytes", 0.0), cast.get("block", 1.0), cast["amax"])
        if cast
        else 0.0,
        wide_layers=1.0 / row["wide_one_in"] if "wide_one_in" in row else 0.0,
        gathered_bytes=float(row["gathered"]),
        summed_bytes=float(row["summed"]),
    )


def precision_recipe(name: str) -> Precision:
    """The recipe of that name: bf16, fp8-delayed, fp8-current, fp8-blockwise, mxfp8, nvfp4; or fp8 (scales of this step's
    tensors), fp16, fp4.

    Raises:
        InputError: there is none; the nearest is named.
    """
    recipes, key = precision_recipes(), name.lower()
    key = ALIASES.get(key, key)
    if key not in recipes:
        raise InputError(unknown_name("precision recipe", name, recipes))
    return recipes[key]


def stored_at(width: str) -> Stored:
    """What the usual recipe of a width ('16', '8', 'mx8', '4') stores."""
    return precision_recipe(WIDTH_RECIPES[width]).stored


def stack_stored(rows: Sequence[Stored]) -> Stored:
    """Several as columns, one row each."""
    return Stored(*(np.array([getattr(row, f.name) for row in rows]) for f in fields(Stored)))


@lru_cache(maxsize=8)
def short_sums(width: str) -> Precision:
    """What tuned Megatron stacks send at a width where nothing else is said: gradients summed in 16 bit
    (`grad_reduce_in_fp32` off), weights gathered in 8 bit where products have 8 (`fp8_param_gather`): Megatron-Bridge's
    performance recipes."""
    gathered = 1.0 if width in ("8", "mx8") else 2.0
    return replace(precision_recipe(WIDTH_RECIPES[width]), gathered_bytes=gathered, summed_bytes=2.0)

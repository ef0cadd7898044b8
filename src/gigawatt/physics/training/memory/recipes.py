"""What precision recipes store: bytes of weights, gradients, optimizer states and saved activations, and the constants of
the allocator. Catalog data (`calibration/training-memory.yaml`); here they are looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, unknown_name

CALIBRATION_ID = "training-memory"
# The recipe of each width of `calibration.PRECISIONS`.
ALIASES = {"fp16": "bf16", "fp4": "nvfp4", "fp8-delayed": "fp8", "fp8-current": "fp8"}
WIDTH_RECIPES = {"16": "bf16", "8": "fp8", "mx8": "mxfp8", "4": "nvfp4"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Bytes a parameter and a value of a precision recipe; numbers, or columns (`stack_recipes`).

    `weight`: what the forward pass of a layer reads and the optimizer writes; `cast`: low-precision copies beside it, of
    the matrices of layers; `gradient`; `state`: master weight and moments. `input`: a saved input of a product; `copy`: a
    second copy for a product of a tensor that is kept in 16 bits anyway. Embedding and head stay in 16 bits.
    """

    name: str
    weight: Any
    cast: Any
    gradient: Any
    state: Any
    input: Any
    copy: Any

    def take(self, rows: NDArray[np.intp]) -> Recipe:
        """The rows named, where fields are columns."""
        return Recipe(self.name, *(np.asarray(getattr(self, f))[rows] for f in RECIPE_FIELDS))


@dataclass(frozen=True, slots=True)
class MemoryConstants:
    """Fitted and assumed constants: `workspace_bytes` and `workspace_rows` (values of the hidden width a token) of an
    allocated peak that no tensor explains; `reserved_share` of it that the allocator holds beyond, and `context_bytes`
    of driver, libraries and their buffers."""

    workspace_bytes: float
    workspace_rows: float
    reserved_share: float
    context_bytes: float


RECIPE_FIELDS = tuple(f.name for f in fields(Recipe) if f.name != "name")


@lru_cache(maxsize=1)
def load_recipes() -> dict[str, Recipe]:
    """The packaged recipes by name."""
    table = Catalog.load().get("calibration", CALIBRATION_ID).tables["recipes"]
    return {name: Recipe(name, **{f: float(row[f]) for f in RECIPE_FIELDS}) for name, row in table.items()}


@lru_cache(maxsize=1)
def load_constants() -> MemoryConstants:
    """The packaged constants."""
    found = Catalog.load().get("calibration", CALIBRATION_ID).parameters
    return MemoryConstants(*(float(found[f.name].value) for f in fields(MemoryConstants)))


def recipe_of(precision: str) -> Recipe:
    """The recipe of a precision: bf16, fp8 (per-tensor scaling, weights gathered in 8 bits), fp8-blockwise (DeepSeek-V3),
    mxfp8, nvfp4.

    Raises:
        InputError: there is none; the nearest is named.
    """
    recipes = load_recipes()
    key = ALIASES.get(precision.lower(), precision.lower())
    if key not in recipes:
        raise InputError(unknown_name("precision recipe", precision, recipes))
    return recipes[key]


def stack_recipes(recipes: Sequence[Recipe]) -> Recipe:
    """Several recipes as columns, one row each."""
    name = recipes[0].name if len({recipe.name for recipe in recipes}) == 1 else "several"
    return Recipe(name, **{f: np.array([getattr(recipe, f) for recipe in recipes]) for f in RECIPE_FIELDS})

"""Software releases: which recipe one runs for a model on a chip, and how far its kernels are behind the calibration.

A release is a container (`26.02`) or a date (`2026-03`), which stands for the last container before it. Its recipe for
a mixture of experts is the last entry of `calibration/training-recipes` that is of the release or older and holds for
the model, the chip and the precision (see `release_recipes` for what one switches on). On chips whose vendor writes the stack a
release also lacks what `immaturity_of` says; a release later than the calibration lacks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.maturity import decimal_years
from gigawatt.physics.training.calibration import RELEASE_YEAR, Context, Stack, immaturity_of
from gigawatt.physics.training.release_recipes import ReleaseRecipe, release_recipe
from gigawatt.physics.training.shape import Shape

Entry = Dict[str, Any]
Holds = Callable[[Dict[str, float]], bool]  # whether the columns that tell two recipes of a release apart hold
ANY_MODEL = "*"
NOISE = ("w/o mtp", "tokendrop", "maxtext", "lora", "pretraining", "sft", "instruct", "base")
_CONTAINER = re.compile(r"\d\d\.\d{1,2}")


@dataclass(frozen=True, slots=True)
class Release:
    """A release by name, its date (a year with its fraction), and its container: empty before the first one."""

    name: str
    year: float
    container: str

    @property
    def words(self) -> str:
        """As a person reads it."""
        if self.name == self.container:
            return f"container {self.container}"
        return f"container {self.container} ({self.name})" if self.container else f"{self.name} (before any container)"


@lru_cache(maxsize=1)
def recipe_tables() -> Dict[str, Any]:
    """The tables of `calibration/training-recipes`."""
    found: Dict[str, Any] = Catalog.load().get("calibration", "training-recipes").tables
    return found


def containers() -> tuple[str, ...]:
    """Container releases, oldest first."""
    return tuple(recipe_tables()["releases"])


def date_of(release: str) -> float:
    """The middle of a container release's month.

    >>> round(date_of("26.06"), 3)
    2026.458
    """
    year, month = release.split(".")[:2]
    return 2000.0 + int(year) + (int(month) - 0.5) / 12.0


def release_of(name: str = "") -> Release:
    """A release by its container or its date; the newest where empty.

    >>> release_of("2026-03").container, release_of().container == containers()[-1]
    ('26.02', True)

    Raises:
        InputError: no such container, and no date.
    """
    text, known = name.strip(), containers()
    hints: tuple[str, ...]
    if not text:
        return Release(known[-1], max(RELEASE_YEAR, date_of(known[-1])), known[-1])
    if _CONTAINER.fullmatch(text):
        if text not in known:
            near = min(known, key=lambda one: abs(_months(one) - _months(text)))
            hints = (f"did you mean '{near}'?", "known: " + ", ".join(known) + "; or a date such as 2026-03")
            raise InputError(Problem("unknown_name", f"no software release is called '{text}'", None, hints))
        return Release(text, date_of(text), text)
    try:
        year = float(decimal_years(text))
    except InputError as error:
        hints = (f"a container ({known[0]} to {known[-1]}), or a date such as 2026-03",)
        raise InputError(Problem("bad_release", f"'{text}' is no software release", None, hints)) from error
    return Release(text, year, next((one for one in reversed(known) if date_of(one) <= year + 1e-6), ""))


def _months(container: str) -> int:
    year, month = container.split(".")
    return 12 * int(year) + int(month)


def key_of(name: str) -> str:
    """A model's name without case, separators and what benchmarks hang on to it.

    >>> key_of("LLAMA3.1_405B"), key_of("Llama3.1-405B-MaxText"), key_of("DeepSeekV3 (tokendrop)")
    ('llama31405b', 'llama31405b', 'deepseekv3')
    """
    plain = name.lower()
    for word in NOISE:
        plain = plain.replace(word, " ")
    return re.sub(r"[^a-z0-9]", "", plain)


def entry_of(model: str, chip: str, width: str, year: float, holds: Holds) -> Entry:
    """The last entry of the record that holds for a run of that date; empty where none does.

    Args:
        model: the model's key (see `key_of`).
        chip: the accelerator's name.
        width: precision width of its products.
        year: date of the software.
        holds: says of an entry's `where` whether the run has it.
    """
    found: Entry = {}
    for entry in recipe_tables()["recipes"]:
        if date_of(entry["since"]) > year + 1e-6:
            continue
        named = ANY_MODEL in entry["models"] or any(model.startswith(name) for name in entry["models"])
        if named and width in entry.get("widths", [width]) and _on(entry, chip) and holds(entry.get("where", {})):
            found = entry
    return found


def _on(entry: Entry, chip: str) -> bool:
    """Whether an entry is of a chip, or of the one that it is alike to."""
    if "chips" not in entry:
        return True
    alike = [other for name, other in recipe_tables()["alike"].items() if re.match(rf"{name}\b", chip)]
    return any(re.match(rf"{name}\b", one) for name in entry["chips"] for one in (chip, *alike))


def recipe_for(
    model: str, chip: Chip, width: str, stack: Stack, release: Release, holds: Holds | None = None
) -> ReleaseRecipe:
    """The recipe that a release runs for a mixture of experts.

    Where a record tells two recipes of one release apart by the mapping, and `holds` is not given, the later one holds: a
    search may choose the mapping that it is for.
    """
    own = recipe_tables()["stacks"].get(stack.name)
    if own is not None:
        return release_recipe(own)
    return release_recipe(entry_of(key_of(model), chip.name, width, release.year, holds or (lambda where: True)))


def overlaps_experts(chip: Chip, stack: Stack, release: Release) -> bool:
    """Whether a release hides what experts are sent beside another micro-batch: any model's recipe on the chip does."""
    if stack.name in recipe_tables()["stacks"]:
        return True  # not a container's: left to the search
    dated = (e for e in recipe_tables()["recipes"] if date_of(e["since"]) <= release.year + 1e-6)
    return any(entry.get("overlap_experts", False) and _on(entry, chip.name) for entry in dated)


def behind(chip: Chip, stack: Stack, release: Release) -> float:
    """`immaturity_of` a release where the chip's vendor writes the stack; at least 0."""
    return max(immaturity_of(chip.name, chip.generation, release.year), 0.0) if stack.vendor else 0.0


def context_of(
    model: str, shape: Shape, chip: Chip, width: str, stack: Stack, release: Release
) -> tuple[Context, bool]:
    """What selects constants of a job on a release, and whether tokens reach experts by a plain all-to-all.

    Args:
        model: its name; a model without a recipe of its own runs what most recipes of the release share.
        shape: the model.
        chip, width, stack: the accelerator, the precision width of products, the software.
        release: the stack's.
    """
    late = behind(chip, stack, release)
    if not any(np.any(np.asarray(kind.experts) > 0) for kind in shape.kinds):
        return Context(chip.generation, width, stack, late), stack.exchanges_plainly
    recipe = recipe_for(model, chip, width, stack, release)
    return Context(chip.generation, width, stack, late, recipe), recipe.dispatch == "all-to-all"

"""Which recipe a measured row ran: from what its source, chip, precision and mapping tell, never from its answer.

A source names a span of software releases (a summary page one, its archive several), a row its mapping. Published
recipes that agree with both are candidates; the one that most of the span's releases share is taken, and where they
differ the row says so, since its band must hold them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.physics.training.calibration import Stack
from gigawatt.physics.training.columns import ACTIVATION, CORE_ATTENTION, EXPERTS, LATENT_UP, MLP, NORM
from gigawatt.physics.training.release_recipes import ReleaseRecipe, release_recipe
from gigawatt.physics.training.releases import ANY_MODEL, Entry, date_of, entry_of, recipe_tables
from gigawatt.validation.base import number

Row = Dict[str, str]
OPEN_RELEASE = "software release"  # the note of a row whose possible releases ran different recipes
MODULES: Dict[str, float] = {
    "core_attn": CORE_ATTENTION,
    "layernorm": NORM,
    "moe_act": ACTIVATION,
    "mla_up_proj": LATENT_UP,
    "mlp": MLP,
    "moe": EXPERTS,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The recipe of a row, the date of its software (a year with its fraction), and whether releases disagree."""

    recipe: ReleaseRecipe
    released: float
    open: bool = False


def modules_of(recipe: ReleaseRecipe) -> float:
    """A recipe's recomputed modules as the column of a mapping.

    >>> modules_of(ReleaseRecipe(recompute=("core_attn", "moe_act")))
    5.0
    """
    return sum((MODULES[name] for name in recipe.recompute), 0.0)


def releases_of(source: str, year: float) -> list[str]:
    """Releases that a source may be of: the page of the current one, its archive, else the last before the year's end."""
    known: list[str] = list(recipe_tables()["releases"])
    text = source.lower()
    if written_for := next((name for word, name in recipe_tables()["sources"].items() if word in text), None):
        return [written_for]
    if "performance-summary-archive" in text:
        return [name for name in known[1:-1] if int(date_of(name)) == int(year)] or known[1:-1]
    if "performance-summary.md" in text:
        return known[-1:]
    before = [name for name in known if date_of(name) < year + 1.0]
    return before[-1:] or known[:1]


def documented(row: Row) -> Row:
    """The row with blanks filled by what the report of its one published run states."""
    text = (row.get("source") or "").lower()
    stated = next((report for name, report in recipe_tables()["reports"].items() if name in text), None)
    if stated is None:
        return row
    return {**row, **{k: str(v) for k, v in stated.items() if k in row and not (row.get(k) or "").strip()}}


def choose(
    row: Row, model: str, chip: str, width: str, stack: Stack, *, years: float, release: str | None = None
) -> Chosen:
    """The recipe of a row.

    Args:
        row: its columns; those of the mapping tell recipes of one release apart.
        model: the model's key (see `training_shapes.key_of`).
        chip: the accelerator's name.
        width: precision width of its products.
        stack: its software.
        years: date of the software where releases do not matter (another vendor's stack).
        release: the container release where it is known.
    """
    own = recipe_tables()["stacks"].get(stack.name)
    if own is not None:
        return Chosen(release_recipe(own), years)
    span = [release] if release else releases_of(row.get("source") or "", number(row.get("year")) or years)
    found = {name: _entry(row, model, chip, width, name) for name in span}
    span = _narrowed(span, found)
    recipes = {name: release_recipe(found[name]) for name in span}
    count = Counter(recipes.values())
    recipe = max(count, key=lambda r: count[r])
    return Chosen(recipe, sum(map(date_of, span)) / len(span), len(count) > 1)


def _entry(row: Row, model: str, chip: str, width: str, release: str) -> Entry:
    """The last entry of the record that holds for a run of this release."""

    def holds(where: Dict[str, float]) -> bool:
        return all(number(row.get(column)) == value for column, value in where.items())

    return entry_of(model, chip, width, date_of(release), holds)


def _narrowed(span: Sequence[str], found: Dict[str, Entry]) -> list[str]:
    """Releases whose recipe fits best: one told by its mapping before one of the model, before what all models share."""

    def rank(name: str) -> int:
        entry = found[name]
        return 2 if entry.get("where") else 1 if ANY_MODEL not in entry.get("models", [ANY_MODEL]) else 0

    best = max(rank(name) for name in span)
    return [name for name in span if rank(name) == best]

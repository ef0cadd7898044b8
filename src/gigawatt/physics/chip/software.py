"""Which software runs a family of models on an accelerator stack, and what a port takes where none does.

    verdict(stack, family, task) = the best known cell over the frameworks of that task,     in-tree > plugin > partial
                                   else `no` where a source says so, else `unknown`
    a model of several families:   in each framework the worst of them; then the best framework

A product that one vendor keeps for its own stacks (`only`) says nothing of the software of others: its `no` elsewhere stands
in the matrix and in no verdict. Months and the work of engineers are quantities here; dollars are the catalog's, for
economics to price.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from gigawatt.catalog import Catalog
from gigawatt.catalog.software import FAMILIES, LEVELS, TASKS, Cell, Family, Framework, Level, Task
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.workload.architecture import Architecture

RUNS: tuple[Level, ...] = ("in-tree", "plugin", "partial")
PortKind = Literal["family", "stack", "bring_up"]
PORTING = "baseline-2026"  # the record that says what a port takes


@dataclass(frozen=True, slots=True)
class Support:
    """The verdict for a model on a stack: `frameworks` are those that reach `level`, `note` why.

    `delay_months` and `engineer_months` (each with its range) are what a port takes; None where something runs. `port` is
    the kind of port in the catalog's record, which also holds the price of an engineer's month.
    """

    stack: str
    families: tuple[Family, ...]
    task: Task
    level: Level
    frameworks: tuple[str, ...]
    note: str
    port: PortKind | None = None
    delay_months: Datum | None = None
    engineer_months: Datum | None = None

    @property
    def runs(self) -> bool:
        """Something is known to run it."""
        return self.level in RUNS

    @property
    def refused(self) -> bool:
        """A source says that nothing does."""
        return self.level == "no"


def support(stack: str, family: str | Iterable[str], task: str = "serving", catalog: Catalog | None = None) -> Support:
    """The best framework for a family (or for a model of several) on a stack.

    Raises:
        InputError: no such stack (with the nearest), family or task.
    """
    cat = catalog or _packaged()
    families, wanted = _families(family), _task(task)
    if not any(stack in f.stacks for f in _frameworks(cat)):  # else no need to read every accelerator
        _known("software stack", stack, stacks(cat))
    mine = [f for f in _frameworks(cat) if wanted in f.tasks]
    rows = [(f, _worst([f.cell(stack, name) for name in families])) for f in mine]
    running = [(f, cell) for f, cell in rows if cell.level in RUNS]
    if running:
        best = min((cell.level for _, cell in running), key=LEVELS.index)
        chosen = [(f, cell) for f, cell in running if cell.level == best]
        notes = dict.fromkeys(f"{f.name or f.id}: {cell.note}" for f, cell in chosen if cell.note)
        return Support(stack, families, wanted, best, tuple(f.id for f, _ in chosen), "; ".join(notes))
    owner = next((f for f in _frameworks(cat) if wanted in f.refuses and stack in f.only), None)
    if owner is not None:
        return _missing(cat, stack, families, wanted, "no", f"{owner.name or owner.id} offers no {wanted}", "stack")
    refusing = [f for f, cell in rows if cell.level == "no" and not (f.only and stack not in f.only)]
    runs_some = any(f.cell(stack, name).level in RUNS for f in mine for name in FAMILIES)
    kind: PortKind = "family" if runs_some else "stack"
    words = " and ".join(families)
    if refusing:
        note = (
            f"{', '.join(f.name or f.id for f in refusing)}: not on {stack}; nothing else is known to run {words} there"
        )
        return _missing(cat, stack, families, wanted, "no", note, kind)
    note = f"no source says that {words} runs on {stack}, none that it does not"
    return _missing(cat, stack, families, wanted, "unknown", note, kind)


def families_of(arch: Architecture) -> tuple[Family, ...]:
    """The families that a framework must know to run a model.

    Vision towers count as the model they feed. Sparse attention and actions are not written in an architecture: name
    them.
    """
    if arch.steps > 1:  # a denoiser
        return ("diffusion",)
    mixers = {group.mixer.kind for group in arch.groups}
    found: list[Family] = []
    if "whisper" in (arch.family, *(tower.family for tower in arch.towers)):
        found.append("speech")
    if "mla" in mixers:
        found.append("mla")
    if mixers & {"mamba1", "mamba2", "gated_delta", "linear"}:
        found.append("state-space")
    if any(group.feed_forward.kind == "moe" for group in arch.groups):
        found.append("moe")
    return tuple(found) or ("dense",)


def stacks(catalog: Catalog | None = None) -> tuple[str, ...]:
    """Every software stack: those of the accelerators, and those that frameworks name."""
    cat = catalog or _packaged()
    named = {name for f in _frameworks(cat) for name in f.stacks}
    return tuple(sorted(named | {a.stack for a in cat.all("accelerator")}))


def support_table(catalog: Catalog | None = None, stack: str = "", family: str = "") -> Table:
    """The matrix: by stack and task the verdict of each family; with a stack or a family named, every cell with its source.

    Raises:
        InputError: no such stack or family.
    """
    cat = catalog or _packaged()
    if stack:
        _known("software stack", stack, stacks(cat))
    if family:
        _known("family of models", family, FAMILIES)
    if stack or family:
        rows = [row for row in _cells(cat) if stack in ("", row["stack"]) and family in ("", row["family"])]
        columns = ["stack", "family", "task", "framework", "level", "note", "as_of", "source"]
        title = (
            f"Support of {family or 'every family'} on {stack or 'every stack'}; what no source speaks of is left out"
        )
        return Table.from_rows("support", rows, columns, {}, title)
    verdicts = [
        {"stack": name, "task": task, **{f: support(name, f, task, cat).level for f in FAMILIES}}
        for name in stacks(cat)
        for task in TASKS
    ]
    note = "The best framework of each family; unknown: no source says. Name a stack or a family to see every cell."
    columns = ["stack", "task", *FAMILIES]
    return Table.from_rows("support", verdicts, columns, {}, "What software runs, by accelerator stack", note)


@lru_cache(maxsize=1)
def _packaged() -> Catalog:
    return Catalog.load()


def _frameworks(cat: Catalog) -> list[Framework]:
    return cast("list[Framework]", cat.all("framework"))


def _known(what: str, name: str, options: Iterable[str]) -> None:
    if name not in options:
        raise InputError(unknown_name(what, name, options))


def _task(task: str) -> Task:
    _known("task", task, TASKS)
    return cast("Task", task)


def _families(family: str | Iterable[str]) -> tuple[Family, ...]:
    names = (family,) if isinstance(family, str) else tuple(family)
    for name in names:
        _known("family of models", name, FAMILIES)
    return cast("tuple[Family, ...]", names or ("dense",))


def _worst(cells: list[Cell]) -> Cell:
    """The cell that binds: a framework runs a model no better than the family it runs worst."""
    return max(cells, key=lambda cell: LEVELS.index(cell.level))


def _missing(
    cat: Catalog, stack: str, families: tuple[Family, ...], task: Task, level: Level, note: str, kind: PortKind
) -> Support:
    record = cat.get("porting", PORTING)
    port = getattr(record, kind)
    return Support(stack, families, task, level, (), note, kind, port.months, port.engineer_months)


def _cells(cat: Catalog) -> Iterator[dict[str, Any]]:
    """Every cell that a source speaks of."""
    for framework in _frameworks(cat):
        for stack, on in framework.stacks.items():
            for family in FAMILIES if on.level == "no" else on.families:
                cell = framework.cell(stack, family)
                for task in framework.tasks:
                    yield {
                        "stack": stack,
                        "family": family,
                        "task": task,
                        "framework": framework.id,
                        "level": cell.level,
                        "note": cell.note,
                        "as_of": cell.as_of,
                        "source": cell.source,
                    }

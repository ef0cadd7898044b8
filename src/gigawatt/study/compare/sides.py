"""One side of a comparison: a file, a run folder, or either with inputs changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gigawatt import __version__
from gigawatt.core.errors import InputError, Problem, Problems, Where
from gigawatt.study.compare.differences import Keys, raw_path
from gigawatt.study.evaluate import VERBS, Recipe
from gigawatt.study.folders import kept_metrics, manifest_of, verb_asked
from gigawatt.study.source import Source, override, read

DATED = ("deals", "market")  # verbs whose answer depends on the day up to which things are known


@dataclass(frozen=True)
class Side:
    """A question and where it comes from.

    Attributes:
        name: as shown: the file or folder, and how many inputs were changed.
        recipe: the question; its data include what was changed and the day asked for.
        folder: the run folder it came from, None for a file.
        version: the version that made the folder; this one for a file.
        kept: headline metrics as the folder has them; None for a file, and where an input was changed since.
    """

    name: str
    recipe: Recipe
    folder: Path | None = None
    version: str = __version__
    kept: Mapping[str, float] | None = None

    @property
    def data(self) -> dict[str, Any]:
        return self.recipe.source.data

    @cached_property
    def _text(self) -> Source | None:
        """The file that a folder's run was asked with, where it still stands: for the places of its values."""
        if self.folder is None:
            return self.recipe.source
        try:
            return read(Path(self.recipe.source.file))
        except InputError:
            return None

    def where(self, path: Keys) -> str:
        """'file:line' of what the side says at a path, or of what it stands in; '' where no file says it."""
        source = self._text
        raw = raw_path(self.data, path)
        if len(raw) < len(path):
            return ""
        known = self.recipe.source.places.get(raw)
        if known is None and source is not None:
            there = raw_path(source.data, path)
            same = len(there) == len(path) and _at(source.data, there) == _at(self.data, raw)
            known = source.where(there) if same else None
        if known is None:
            return ""
        return f"{known.file}:{known.line}" if known.line else known.file


def _at(data: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        data = data[part]
    return data


def side_of(
    given: Path | str,
    verb: str | None = None,
    overrides: Sequence[str] = (),
    overlays: Sequence[Path | str] = (),
    as_of: str | None = None,
) -> Side:
    """The side that a file or a run folder is; a folder keeps the overlays that it was asked with where none are named.

    Raises:
        InputError: it can not be read, keeps no question, or a change is wrong.
    """
    path = Path(given)
    side = _of_folder(path, verb, overlays) if path.is_dir() else _of_file(path, verb, overlays)
    data = dict(side.data)
    if as_of is not None and side.recipe.verb in DATED:
        data["as_of"] = as_of
    source = replace(side.recipe.source, data=data)
    if overrides:
        problems = Problems()
        source = override(source, overrides, problems)
        problems.raise_if_any()
        count = len(overrides)
        said = overrides[0] if count == 1 else f"{count} changes"
        side = replace(side, name=f"{side.name} with {said}", kept=None)
    elif as_of is not None and side.kept is not None:
        side = replace(side, kept=None)
    return replace(side, recipe=replace(side.recipe, source=_with_absolute_trace(source)))


def _of_file(path: Path, verb: str | None, overlays: Sequence[Path | str]) -> Side:
    return Side(str(path), Recipe.of(path, verb, (), overlays))


def _of_folder(folder: Path, verb: str | None, overlays: Sequence[Path | str]) -> Side:
    manifest = manifest_of(folder)
    asked = verb_asked(manifest)
    data = manifest.get("scenario")
    if not isinstance(data, dict) or asked not in VERBS:
        message = f"'{folder}' keeps no question that could be asked again: it answers words of the command line"
        hint = "write the question as a file, and compare files: gigawatt new serving/chat"
        if asked not in VERBS:
            message, hint = (
                f"'{folder}' is a run of '{asked}', which is not compared",
                "compare the files that it was asked of",
            )
        raise InputError(Problem("no_question", message, Where(str(folder)), (hint,)))
    if verb is not None and verb != asked:
        message = f"'{folder}' is a run of '{asked}', not of '{verb}'"
        raise InputError(Problem("other_question", message, Where(str(folder)), (f"leave out --verb {verb}",)))
    data = dict(data)
    if asked in DATED and manifest.get("as_of"):
        data["as_of"] = manifest["as_of"]
    source = Source(str(manifest.get("scenario_file", folder)), data)
    recipe = Recipe(asked, source, tuple(map(str, overlays)) or _own_overlays(folder, manifest))
    return Side(str(folder), recipe, folder, str(manifest.get("version", "unknown")), kept_metrics(folder))


def _own_overlays(folder: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders of records that a run was asked with.

    Raises:
        InputError: one is not there any more.
    """
    folders = tuple(map(str, manifest.get("overlays", ())))
    hint = "say where its records are now: --overlay DIR (of B: --overlay-b DIR)"
    gone = [
        Problem("no_overlay", f"'{folder}' was asked with the records of '{one}', which is gone", Where(one), (hint,))
        for one in folders
        if not Path(one).is_dir()
    ]
    if gone:
        raise InputError(gone)
    return folders


def _with_absolute_trace(source: Source) -> Source:
    """A trace is named beside the file that names it: states between two files of two folders need its whole path."""
    trace = source.data.get("trace")
    name = trace.get("file") if isinstance(trace, dict) else None
    if not isinstance(name, str) or Path(name).is_absolute():
        return source
    beside = Path(source.file).parent / name
    data = {**source.data, "trace": {**source.data["trace"], "file": str(beside.resolve())}} if beside.is_file() else {}
    return replace(source, data=data) if data else source


def refuse_unlike(a: Side, b: Side) -> None:
    """Two sides must ask the same question of the same verb.

    Raises:
        InputError: they do not.
    """
    if a.recipe.model is b.recipe.model and a.recipe.verb == b.recipe.verb:
        return
    if a.recipe.model is b.recipe.model and a.recipe.verb != "deals":
        message = f"'{a.name}' is answered by '{a.recipe.verb}' and '{b.name}' by '{b.recipe.verb}'"
        raise InputError(Problem("other_question", message, Where(b.name), ("ask one verb of both: --verb run",)))
    kinds = [str(side.data.get("question") or side.recipe.verb) for side in (a, b)]
    message = f"'{a.name}' asks '{kinds[0]}' and '{b.name}' asks '{kinds[1]}': their numbers are of different things"
    raise InputError(Problem("other_question", message, Where(b.name), ("compare two files of one question",)))

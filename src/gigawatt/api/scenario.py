"""A question as a value: read and checked once, changed into new ones, never in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from html import escape
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.api.data import changes_of, flat, plain_data
from gigawatt.api.tables import Table, table_of
from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest, unknown_name
from gigawatt.study.evaluate import SCENARIO_VERBS, Recipe
from gigawatt.study.questions import VERBS as BY_QUESTION
from gigawatt.study.questions import asked_in, check_source
from gigawatt.study.source import Source, changed, digest, read
from gigawatt.study.templates import templates as template_names

if TYPE_CHECKING:
    from gigawatt.study.load import Default

MAPPING = "mapping"  # what stands for the name of a file where there is none


@dataclass(frozen=True, eq=False, repr=False)
class Scenario:
    """A question that is right: a site, deals, a project, a market, serving, training or a network. `gw.load` makes one.

    It never changes: `with_` gives a new one, checked in the same way. Two are equal where they ask the same.
    """

    _recipe: Recipe
    _catalog: Catalog
    _defaults: tuple[Default, ...]

    @property
    def name(self) -> str:
        """What it calls itself."""
        return str(self._recipe.source.data.get("name") or Path(self._recipe.source.file).stem)

    @property
    def verb(self) -> str:
        """Who answers it where nobody else is asked for: 'run', 'operate', 'deals', 'market', 'serve', 'train' or 'net'."""
        return self._recipe.verb

    @property
    def data(self) -> dict[str, Any]:
        """What the file says, merged with what it extends and with every change; a copy.

        >>> import gigawatt as gw
        >>> gw.load("one-rack").data["site"]["grid_power"]
        '200 kW'
        """
        copied: dict[str, Any] = plain_data(self._recipe.source.data)
        return copied

    @property
    def defaults(self) -> dict[str, Any]:
        """What it does not say, by dotted path, with the value taken (in SI units).

        >>> import gigawatt as gw
        >>> gw.load("one-rack").defaults["discount_rate"]
        0.1
        """
        return {one.path: one.value for one in self._defaults}

    def with_(self, changes: Mapping[str, Any] | None = None, /, **words: Any) -> Scenario:
        """A new one with some inputs changed, checked at once.

        Args:
            changes: dotted path -> what a file would say there: '500 MW', 5, a list. A list's item goes by its id.
            words: the same as keywords, with two underscores for a dot.

        Raises:
            InputError: every problem found: a path that does not exist (the nearest is named), a value that can not be.

        >>> import gigawatt as gw
        >>> rack = gw.load("one-rack")
        >>> dear = rack.with_({"site.energy_price": "90 USD/MWh"}, capital="12 million USD")
        >>> dear.data["site"]["energy_price"], rack == dear
        ('90 USD/MWh', False)
        """
        problems = Problems()
        made = changed(self._recipe.source, changes_of(changes, words), problems)
        try:
            new = checked(replace(self._recipe, source=made), self._catalog)
        except InputError as error:
            problems.extend(error.problems)
        problems.raise_if_any()
        return new

    def check(self) -> Table:
        """What was assumed, as a table; it was found right when it was made, and is looked at again with today's files.

        Raises:
            InputError: a record of an overlay that it names is wrong now.

        >>> import gigawatt as gw
        >>> "discount_rate" in gw.load("one-rack").check()["path"]
        True
        """
        again = checked(self._recipe, Catalog.load(self._recipe.overlays))
        rows = [{"path": path, "value": _shown(value)} for path, value in again.defaults.items()]
        return table_of("defaults", rows, ("path", "value"), f"'{self.name}' is right; {len(rows)} inputs were assumed")

    def paths(self, match: str = "") -> Table:
        """Every input that may be set, sampled or swept, by dotted path: kind, unit, bounds or choices, value, who said it.

        Args:
            match: only paths that hold this text.

        >>> import gigawatt as gw
        >>> next(gw.load("one-rack").paths("grid_power").rows())["value"]
        '200 kW'
        """
        found = [one for path, one in self._recipe.inputs().items() if match in path and one.kind != "group"]
        rows = [
            {
                "path": one.path,
                "kind": one.kind,
                "unit": one.unit,
                "range": one.range_words or ", ".join(one.choices),
                "value": _shown(one.value),
                "written": one.written,
            }
            for one in found
        ]
        columns = ("path", "kind", "unit", "range", "value", "written")
        note = "Ranges are in the unit beside them; a value is as the file says it, or the default in that unit."
        return table_of("paths", rows, columns, f"{len(rows)} inputs of '{self.name}'", note)

    def diff(self, other: Scenario) -> Table:
        """Inputs in which two scenarios differ; '1 GW' and '1000 MW' are the same.

        >>> import gigawatt as gw
        >>> rack = gw.load("one-rack")
        >>> list(rack.diff(rack.with_({"site.grid_power": "0.3 MW"})).rows())
        [{'path': 'site.grid_power', 'this': '200 kW', 'other': '0.3 MW'}]
        """
        sides = [dict(flat(one._recipe.source.data)) for one in (self, other)]
        inputs = [one._recipe.inputs() for one in (self, other)]
        rows = []
        for path in dict.fromkeys((*sides[0], *sides[1])):
            said = [side.get(path) for side in sides]
            meant = [_meant(known, path, value) for known, value in zip(inputs, said, strict=True)]
            if said[0] != said[1] and meant[0] != meant[1]:
                rows.append({"path": path, "this": _shown(said[0]), "other": _shown(said[1])})
        title = f"Inputs that differ: {len(rows)}"
        return table_of("diff", rows, ("path", "this", "other"), title)

    def to_yaml(self, file: Path | str | None = None) -> str:
        """The whole of it as the text of a file, with what it extends; also written where a file is named.

        Raises:
            InputError: a file of that name is there already, or can not be written.

        >>> import gigawatt as gw
        >>> print(gw.load("one-rack").to_yaml().splitlines()[0])
        schema: 1
        """
        from ruamel.yaml import YAML

        yaml = YAML()
        yaml.width = 110
        stream = StringIO()
        yaml.dump(self.data, stream)
        if file is not None:
            _write_new(Path(file), stream.getvalue())
        return stream.getvalue()

    def _asked(self, verb: str | None) -> Recipe:
        """The recipe for a verb; the file's own where none is named.

        Raises:
            InputError: the verb does not answer it.
        """
        if verb is None or verb == self.verb:
            return self._recipe
        allowed = SCENARIO_VERBS if self.verb in SCENARIO_VERBS else (self.verb,)
        if verb not in allowed:
            near = nearest(verb, allowed)
            hints = ([f"did you mean '{near}'?"] if near else []) + ["answered by: " + ", ".join(allowed)]
            raise InputError(Problem("other_question", f"'{verb}' does not answer '{self.name}'", None, tuple(hints)))
        return replace(self._recipe, verb=verb)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, tuple[str, ...], str | None]:
        return (self.verb, digest(self._recipe.source.data), self._recipe.overlays, self._recipe.as_of)

    def __repr__(self) -> str:
        return f"<Scenario {self.name!r}, answered by {self.verb!r}>"

    def _repr_html_(self) -> str:
        """What it asks, and the file behind a click."""
        from gigawatt.core.markup import framed

        said = self._recipe.source.data
        about = " ".join(str(said.get("description") or "").split())
        words = f"answered by '{self.verb}'; {len(self._defaults)} inputs were assumed"
        return framed(
            f"<b>{escape(str(said.get('title') or self.name))}</b>"
            f'<div class="dim">{escape(about)}</div><div class="dim">{escape(self.name)}: {escape(words)}</div>'
            f"<details><summary>as a file</summary><pre>{escape(self.to_yaml())}</pre></details>"
        )


def load(
    what: Scenario | Mapping[str, Any] | Path | str,
    overlays: Sequence[Path | str] | Path | str = (),
    as_of: date | str | None = None,
) -> Scenario:
    """A question of any kind, checked: its file, a template's name, or what a file would say as a mapping.

    Args:
        what: 'plan.yaml', a name of `gw.templates()` such as 'one-gigawatt', a mapping, or a scenario to give overlays to.
        overlays: folders of your own catalog records; the last one wins.
        as_of: of deals and markets: only what was known by that day.

    Raises:
        InputError: with every problem found, each at its place; nearest names are told.

    >>> import gigawatt as gw
    >>> gw.load("one-rack")
    <Scenario 'one-rack', answered by 'run'>
    """
    folders = (overlays,) if isinstance(overlays, (str, Path)) else tuple(overlays)
    day = as_of.isoformat() if isinstance(as_of, date) else as_of
    if isinstance(what, Scenario):
        recipe = replace(what._recipe, overlays=tuple(map(str, folders)) or what._recipe.overlays)
        return checked(replace(recipe, as_of=day or recipe.as_of), Catalog.load(recipe.overlays))
    source = source_of(what)
    return of_source(source, folders, day)


def templates() -> list[str]:
    """Names that `gw.load` takes besides files: the packaged examples.

    >>> import gigawatt as gw
    >>> "one-gigawatt" in gw.templates()
    True
    """
    return template_names()


def of_source(source: Source, overlays: Sequence[Path | str] = (), as_of: str | None = None) -> Scenario:
    """A scenario of data that is read already.

    Raises:
        InputError: with every problem found.
    """
    asked = asked_in(source)
    if asked == "backtest":
        hint = "its outputs: gigawatt market FILE; all of them: gigawatt validate economics"
        raise InputError(Problem("other_question", f"'{source.file}' is a back-test", Where(source.file), (hint,)))
    recipe = Recipe(BY_QUESTION.get(asked, asked), source, tuple(map(str, overlays)), as_of)
    return checked(recipe, Catalog.load(recipe.overlays))


def checked(recipe: Recipe, catalog: Catalog) -> Scenario:
    """The scenario of a recipe.

    Raises:
        InputError: with every problem found.
    """
    return Scenario(recipe, catalog, tuple(check_source(recipe.source, catalog, recipe.as_of)))


def source_of(what: Mapping[str, Any] | Path | str) -> Source:
    """The data of a file, a template or a mapping.

    Raises:
        InputError: it can not be read, or no template has that name.
    """
    if isinstance(what, Mapping):
        if "extends" in what:
            hint = "gw.load(FILE).with_({...}) changes what a file says"
            raise InputError(Problem("bad_extends", "a mapping extends nothing", None, (hint,)))
        return Source(MAPPING, plain_data(what))
    if isinstance(what, Path) or what.endswith((".yaml", ".yml")) or Path(what).is_file():
        return read(Path(what))
    packaged = Path(str(files("gigawatt") / "examples" / f"{what}.yaml"))
    if ".." in what or not packaged.is_file():
        problem = unknown_name("template", what, template_names())
        hints = (*problem.hints, "gw.templates() lists them; a file's name ends in .yaml")
        raise InputError(Problem(problem.code, problem.message, problem.where, hints))
    return read(packaged)


def _meant(known: Mapping[str, Any], path: str, value: Any) -> Any:
    """A number in its unit where the input is one, so that two ways to write it are the same."""
    one = known.get(path)
    if one is None or not one.is_number or value is None:
        return value
    try:
        return float(f"{one.number(value):.12g}")
    except (TypeError, ValueError):
        return value


def _shown(value: Any) -> Any:
    """A cell: texts and numbers as they are, all else as text."""
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(Problem("exists", f"'{file}' is there already", Where(str(file)), ("name another",))) from None
    except OSError as error:
        what = f"can not write '{file}': {error.strerror or error}"
        raise InputError(Problem("not_writable", what, Where(str(file)))) from None

"""Axes as they are asked for, by a file, by words of a command line or from Python, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gigawatt.core import document
from gigawatt.core.errors import InputError, Problems, Where
from gigawatt.study.paths import Input, check_path
from gigawatt.study.source import Source
from gigawatt.study.sweep.axes import Axis, Cases, Columns
from gigawatt.study.sweep.file import SweepFile, zipped
from gigawatt.study.sweep.sampled import sampled_of
from gigawatt.study.sweep.values import Values, ValuesError, read_values

SAMPLES = 256
Placed = tuple[Values, tuple[Where, ...]]  # the values, the place of all of them, and of each where it is known
Said = Mapping[str, Any] | Sequence[str]  # path -> values, or words 'PATH=VALUES'
Named = Mapping[str, Mapping[str, Any]] | Sequence[str]  # name -> changes, or words


@dataclass(slots=True)
class Gathered:
    """What was asked so far. What is asked later of the same input takes the place of what was."""

    problems: Problems
    grid: dict[str, Placed] = field(default_factory=dict)
    zips: list[dict[str, Placed]] = field(default_factory=list)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases_places: dict[str, Where] = field(default_factory=dict)
    sample: dict[str, tuple[Any, Where]] = field(default_factory=dict)

    def add_file(self, spec: SweepFile, source: Source) -> None:
        """The axes of a sweep's file."""
        for path, said in spec.grid.items():
            self._add(self.grid, path, said, _places(source, ("grid", path), said))
        for columns, at in zipped(spec):
            read: dict[str, Placed] = {}
            for path, said in columns.items():
                self._add(read, path, said, _places(source, (*at, path), said))
            self.zips.append(read)
        self.cases = {name: dict(changes) for name, changes in spec.cases.items()}
        self.cases_places = {"": source.where(("cases",))} | {
            name: source.where(("cases", name)) for name in spec.cases
        }
        self.sample = {path: (said, source.where(("sample", path))) for path, said in spec.sample.items()}

    def add_grid(self, said: Said) -> None:
        """Inputs that are each an axis: `--grid PATH=VALUES`."""
        for path, values, where in self._pairs(said, "--grid", "site.energy_price=30..90 USD/MWh/7"):
            self._forget(path)
            self._add(self.grid, path, values, (where,))

    def add_zip(self, said: Said) -> None:
        """Inputs that move together: every `--zip PATH=VALUES` of a command line is of one axis."""
        read: dict[str, Placed] = {}
        for path, values, where in self._pairs(said, "--zip", "capital=20 billion USD, 45 billion USD"):
            self._forget(path)
            self._add(read, path, values, (where,))
        if read:
            self.zips.append(read)

    def add_sample(self, said: Said) -> None:
        """Inputs that are drawn from a law: `--sample PATH=LAW`."""
        for path, law, where in self._pairs(said, "--sample", "site.energy_price=lognormal 1.2"):
            self._forget(path)
            self.sample[path] = (law, where)

    def add(self, cases: Named, grid: Said, zip_: Said, sample: Said) -> None:
        """All that stands beside a question, in the order of the axes."""
        self.add_cases(cases)
        self.add_grid(grid)
        self.add_zip(zip_)
        self.add_sample(sample)

    def add_cases(self, said: Named) -> None:
        """Named changes: `--case 'NAME: PATH=VALUE; PATH=VALUE'`."""
        if isinstance(said, Mapping):
            made = {name: dict(changes) for name, changes in said.items()}
            places = dict.fromkeys(made, Where("cases"))
        else:
            made, places = {}, {}
            for word in said:
                name, changes = self._case(word)
                if name in made:
                    self.problems.add("duplicate_id", f"there are two cases '{name}'", Where(f"--case {word}"))
                made[name], places[name] = changes, Where(f"--case {word}")
        if made:
            self.cases, self.cases_places = made, places

    def axes(self, samples: int | None, seed: int, known: Mapping[str, Input]) -> list[Axis]:
        """Cases, grid, zipped inputs, draws: the first of a product runs slowest."""
        out: list[Axis] = [Cases(self.cases, self.cases_places)] if self.cases else []
        out += [Columns({path: values}, {path: places}) for path, (values, places) in self.grid.items()]
        for columns in self.zips:
            lengths = {path: len(values) for path, (values, _) in columns.items()}
            first = next(iter(columns.values()), None)
            if len(set(lengths.values())) > 1:
                told = ", ".join(f"{path} has {length}" for path, length in lengths.items())
                self.problems.add(
                    "unequal_lengths", f"inputs that are zipped have equally many values: {told}", first and first[1][0],
                    "inputs that vary freely are a grid: --grid",
                )  # fmt: skip
            elif first is not None:
                places = {path: found for path, (_, found) in columns.items()}
                out.append(Columns({path: values for path, (values, _) in columns.items()}, places))
        if samples is not None and not self.sample:
            self.problems.add(
                "contradiction", "a number of samples says nothing without a law", Where("samples"), "--sample PATH=LAW"
            )
        if self.sample:
            self.problems.extend(
                problem
                for path, (_, where) in self.sample.items()
                if (problem := check_path(path, known, where)) is not None
            )
            drawn = sampled_of(self.sample, samples or SAMPLES, seed, known, self.problems)
            out += [drawn] if drawn is not None else []
        return out

    def _forget(self, path: str) -> None:
        """A word of the command line takes the place of what the file says of the same input."""
        self.grid.pop(path, None)
        self.sample.pop(path, None)

    def _add(self, into: dict[str, Placed], path: str, said: Any, places: tuple[Where, ...]) -> None:
        try:
            values = read_values(said)
        except ValuesError as error:
            self.problems.add("bad_values", f"{path}: {error}", places[0])
            return
        into[path] = (values, places if len(places) == 1 + len(values) else places[:1])

    def _pairs(self, said: Said, option: str, example: str) -> list[tuple[str, Any, Where]]:
        """(path, values, place) of a mapping, or of words 'PATH=VALUES'."""
        if isinstance(said, Mapping):
            return [(str(path), values, Where(str(path))) for path, values in said.items()]
        out: list[tuple[str, Any, Where]] = []
        for word in said:
            path, equals, values = word.partition("=")
            where = Where(f"{option} {word}")
            if not equals or not path.strip() or not values.strip():
                self.problems.add(
                    "bad_set", f"'{word}' is not 'PATH=VALUES'", where, f"for example: {option} '{example}'"
                )
                continue
            if any(path.strip() == known for known, _, _ in out):
                self.problems.add(
                    "changed_twice", f"'{path.strip()}' is given twice", where, "write all its values at once"
                )
                continue
            out.append((path.strip(), values.strip(), where))
        return out

    def _case(self, word: str) -> tuple[str, dict[str, Any]]:
        """(name, changes) of 'NAME: PATH=VALUE; PATH=VALUE'."""
        name, _, rest = word.partition(":")
        changes: dict[str, Any] = {}
        where = Where(f"--case {word}")
        for part in filter(str.strip, rest.split(";")):
            path, equals, raw = part.partition("=")
            if not equals or not path.strip():
                self.problems.add(
                    "bad_set", f"'{part.strip()}' is not 'PATH=VALUE'", where,
                    "for example: --case 'cheap: site.energy_price=25 USD/MWh; capital=30 billion USD'",
                )  # fmt: skip
                continue
            self._parsed(changes, path.strip(), raw, where)
        return name.strip(), changes

    def _parsed(self, into: dict[str, Any], path: str, raw: str, where: Where) -> None:
        try:
            into[path] = document.parse(raw, str(where)).data
        except InputError as error:
            self.problems.extend(error.problems)


def _places(source: Source, at: tuple[str | int, ...], said: Any) -> tuple[Where, ...]:
    """Where an input stands in the file, and each of its values where they are a list."""
    each = [source.where((*at, k)) for k in range(len(said))] if isinstance(said, list) else []
    return (source.where(at), *each)

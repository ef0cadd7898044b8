"""`Catalog`: finds a record by kind and id, reads it once, keeps it.

One file per record, `<folder>/<kind>/<id>.yaml`, read only when it is named. Folders of plug-ins lie over the packaged data
(`plugged`) and overlay folders over both; the last one wins. A record may say `extends: other-id` and give only what
differs; in an overlay it may extend the record of its own name below it. Parsed records are kept as JSON in the user's cache
folder by a hash of their text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gigawatt.catalog import cache
from gigawatt.catalog.names import model_keys
from gigawatt.catalog.plugged import clash, missing_hints, plugin_folders, unknown_folders
from gigawatt.catalog.problems import problems_of
from gigawatt.catalog.records import KINDS, Model, Record
from gigawatt.core import document, plugins
from gigawatt.core.document import Document, Path_
from gigawatt.core.errors import InputError, Problem, Where, unknown_name

DATA = Path(__file__).parent / "data"
_EXTENDS = re.compile(rb"^extends:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_HEAD = ("kind", "source", "source_url", "as_of")


class Catalog:
    """All records, read lazily. Make one with `Catalog.load()`.

    >>> Catalog.load().get("accelerator", "h100-sxm").memory.value
    80000000000.0
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)  # the last one wins
        self._records: dict[tuple[str, str], Record] = {}
        self._brought: dict[tuple[str, str], list[plugins.Plugin]] = {}  # records that rest on a plug-in's
        self._plugged = {folder: plugin for folder, plugin in plugin_folders().items() if folder in self._folders}
        self._names: dict[str, str] | None = None
        self._documents: dict[Path, Document] = {}

    @classmethod
    def load(cls, overlays: Sequence[Path | str] = ()) -> Catalog:
        """The packaged catalog, what plug-ins add to it, and `overlays` (folders of the same layout) over both.

        Raises:
            InputError: an overlay is no folder, or holds a sub-folder that is no kind of record.
        """
        folders = [Path(overlay) for overlay in overlays]
        found: list[Problem] = []
        for folder in folders:
            if not folder.is_dir():
                found.append(Problem("no_such_folder", f"overlay '{folder}' is no folder", Where(str(folder))))
                continue
            found += unknown_folders(folder)
        if found:
            raise InputError(found)
        return cls([DATA, *plugin_folders(), *folders])

    @property
    def folders(self) -> tuple[Path, ...]:
        return self._folders

    @property
    def overlays(self) -> tuple[Path, ...]:
        """The folders of the user's own."""
        return tuple(folder for folder in self._folders if folder != DATA and folder not in self._plugged)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(KINDS)

    def ids(self, kind: str) -> list[str]:
        """The ids of a kind, sorted.

        Raises:
            InputError: there is no such kind.
        """
        self._check_kind(kind)
        return sorted({p.stem for folder in self._folders for p in (folder / kind).glob("*.yaml")})

    def get(self, kind: str, name: str) -> Any:
        """The record `name` of `kind` (typed `Any`, since the class depends on `kind`: see `records.KINDS`).

        Raises:
            InputError: no such kind or id (with the nearest), or the file is wrong (every problem with its place).
        """
        record = self._looked_up(kind, name)
        for plugin in self._brought.get((kind, name), ()) if self._plugged else ():
            plugins.note(plugin)
        return record

    def _looked_up(self, kind: str, name: str) -> Record:
        record = self._records.get((kind, name))
        if record is None:
            file = self.file(kind, name)
            record = self._records[kind, name] = self._read(file, kind, ())
            if self._plugged:
                self._brought[kind, name] = self._bringers(file, kind)
        return record

    def all(self, kind: str) -> list[Any]:
        """Every record of a kind, in the order of ids; without those of plug-ins that can not be read (`audit` tells them)."""
        return [record for name in self.ids(kind) if (record := self._listed(kind, name)) is not None]

    def _listed(self, kind: str, name: str) -> Record | None:
        """A record, its use not noted; our own where a plug-in brings one of its name, none where a plug-in's is wrong."""
        try:
            return self._looked_up(kind, name)
        except InputError:
            file = f"{kind}/{name}.yaml"
            if not any((folder / file).is_file() for folder in self._plugged):
                raise
            return self._read(DATA / file, kind, ()) if (DATA / file).is_file() else None

    def platforms_of(self, accelerator: str) -> list[Any]:
        """The platforms that hold an accelerator, by id, those of plug-ins last: installing changes no default of ours."""
        found = [one for one in self.all("platform") if one.accelerator == accelerator]
        added = {file.stem for folder in self._plugged for file in (folder / "platform").glob("*.yaml")}
        return sorted(found, key=lambda one: one.id in added and not (DATA / "platform" / f"{one.id}.yaml").is_file())

    def plugin_of(self, kind: str, name: str) -> plugins.Plugin | None:
        """The plug-in whose file holds a record; None where it is the package's or an overlay's."""
        return self._plugged.get(self.file(kind, name).parent.parent)

    def file(self, kind: str, name: str) -> Path:
        """The file that a record comes from.

        Raises:
            InputError: there is none.
        """
        self._check_kind(kind)
        found = self._find(kind, name, len(self._folders)) if isinstance(name, str) else None
        if found is None:
            lacks = unknown_name(kind, str(name), self.ids(kind))
            raise InputError(replace(lacks, hints=(*lacks.hints, *missing_hints())))
        return found

    def where(self, path: str) -> Where:
        """File, line and column of a value by the `path` of its datum, such as 'accelerator/h100-sxm.tdp'.

        Of several layers that hold the record, the topmost one that holds the value.

        Raises:
            InputError: there is no such record.
        """
        kind, name, words = self.split(path)
        reached: Where | None = None
        for file in self.layers(kind, name):
            doc = self._documents[file] = self._documents.get(file) or document.read(file)
            path_, whole = along(doc.data, words)
            if whole:
                return doc.where(path_)
            reached = reached or doc.where(path_)
            base = doc.data.get("extends") if isinstance(doc.data, dict) else None
            if isinstance(base, str) and base != name:
                return self.where(f"{kind}/{base}.{words}")
        assert reached is not None
        return reached

    def split(self, path: str) -> tuple[str, str, str]:
        """Kind, id and the rest of a datum's path; ids may hold dots.

        Raises:
            InputError: there is no such record.
        """
        kind, _, rest = path.partition("/")
        if kind in KINDS:
            name = rest
            while name:
                if self._find(kind, name, len(self._folders)) is not None:
                    return kind, name, rest[len(name) + 1 :]
                name = name.rpartition(".")[0]
        raise InputError(unknown_name(kind, rest, self.ids(kind)))

    def layers(self, kind: str, name: str) -> list[Path]:
        """Every file that holds a record, the topmost first."""
        found = (folder / kind / f"{name}.yaml" for folder in reversed(self._folders))
        return [file for file in found if file.is_file()]

    def find_model(self, name: str) -> Model | None:
        """The model that `name` means, or None.

        Case, organisation, separators and suffixes of precision and tuning are ignored:
        'nvidia/DeepSeek-R1-NVFP4', 'LLAMA3.1_405B' and 'llama3-70b' are all understood.
        """
        if self._names is None:
            self._names = {}
            for record in self.all("model"):
                for text in (record.id, record.name, *record.aliases):
                    for key in model_keys(text)[:1]:
                        self._names.setdefault(key, record.id)
        for key in model_keys(name):
            if key in self._names:
                found: Model = self.get("model", self._names[key])
                return found
        return None

    def _check_kind(self, kind: str) -> None:
        if kind not in KINDS:
            raise InputError(unknown_name("kind of record", str(kind), KINDS))

    def _find(self, kind: str, name: str, below: int) -> Path | None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.\-_]*", name):
            return None
        for folder in reversed(self._folders[:below]):
            file = folder / kind / f"{name}.yaml"
            if file.is_file():
                return self._only(file, kind, name) if self._plugged else file
        return None

    def _only(self, file: Path, kind: str, name: str) -> Path:
        """The file, of which there is no other among the package and its plug-ins, unless it is an overlay's."""
        added = [DATA, *self._plugged]
        if file.parent.parent in added:
            same = [one for folder in added if (one := folder / kind / f"{name}.yaml").is_file()]
            if len(same) > 1:
                raise clash(kind, name, same)
        return file

    def _bringers(self, file: Path, kind: str) -> list[plugins.Plugin]:
        """The plug-ins whose files a record is made of: its own, and those of what it extends."""
        chain: list[Path] = []
        while file not in chain:
            chain.append(file)
            base = _EXTENDS.search(file.read_bytes())
            if base:
                file = self._base(file, kind, base[1].decode(), Where(str(file)))
        made_of = (self._plugged.get(one.parent.parent) for one in chain)
        return [plugin for plugin in made_of if plugin is not None]

    def _base(self, file: Path, kind: str, base: str, where: Where) -> Path:
        """The file that `file` extends: for its own name the one in a lower folder, else the topmost."""
        layer = next(n for n, folder in enumerate(self._folders) if folder / kind == file.parent)
        found = self._find(kind, base, layer if base == file.stem else len(self._folders))
        if found is None and base == file.stem:
            raise InputError(Problem("circular_extends", f"'extends' runs in a circle: {base} -> {base}", where))
        if found is None:
            raise InputError(unknown_name(kind, base, self.ids(kind), where))
        return found

    def _read(self, file: Path, kind: str, seen: tuple[Path, ...]) -> Record:
        key = self._key(file, kind, ())
        plain = cache.read(kind, file.stem, key) if key else None
        if plain is not None:
            try:
                return KINDS[kind].model_validate(plain)
            except ValidationError:  # a cache written by something else: read the file again
                pass
        record = self._parse(file, kind, seen)
        if key:
            cache.write(kind, file.stem, key, dumped(record))
        return record

    def _parse(self, file: Path, kind: str, seen: tuple[Path, ...]) -> Record:
        doc = document.read(file)
        if not isinstance(doc.data, dict):
            message = f"'{file.name}' holds no mapping of fields"
            raise InputError(Problem("not_a_record", message, Where(str(file), 1, 1)))
        data = dict(doc.data)
        given = data.setdefault("id", file.stem)
        if given != file.stem:
            message = f"the id '{given}' is not the name of its file '{file.name}'"
            raise InputError(Problem("id_not_file_name", message, doc.where(("id",)), (f"write: id: {file.stem}",)))
        if "extends" in data:
            data = self._extend(doc, data, file, kind, seen)
        return self._validate(data, kind, doc)

    def _extend(
        self, doc: Document, data: dict[str, Any], file: Path, kind: str, seen: tuple[Path, ...]
    ) -> dict[str, Any]:
        base, where = data.pop("extends"), doc.where(("extends",))
        if not isinstance(base, str):
            raise InputError(Problem("bad_extends", "'extends' names one record by its id", where))
        chain = (*seen, file)
        below = self._base(file, kind, base, where)
        if below in chain:
            names = " -> ".join(p.stem for p in (*chain[chain.index(below) :], below))
            raise InputError(Problem("circular_extends", f"'extends' runs in a circle: {names}", where))
        # What is inherited keeps its own source: the base is merged as read, every value with its source spelled out.
        return merged(dumped(self._read(below, kind, chain)), data)

    def _validate(self, data: Mapping[str, Any], kind: str, doc: Document) -> Record:
        try:
            return KINDS[kind].model_validate(data)
        except ValidationError as error:
            raise InputError(problems_of(error, KINDS[kind], doc.where)) from None

    def _key(self, file: Path, kind: str, seen: tuple[Path, ...]) -> str:
        """A hash of the record's text, of all it extends, and of the reader; '' where 'extends' is broken."""
        try:
            raw = file.read_bytes()
            base = _EXTENDS.search(raw)
            below = ""
            if base:
                found = self._base(file, kind, base[1].decode(), Where(str(file)))
                below = "" if found in seen else self._key(found, kind, (*seen, file))
                if not below:
                    return ""
        except (OSError, InputError, UnicodeDecodeError):
            return ""
        return hashlib.sha256(b"\0".join((_reader().encode(), kind.encode(), below.encode(), raw))).hexdigest()[:24]


@lru_cache(maxsize=1)
def _reader() -> str:
    """A hash of the code that reads records: a cache never outlives a change of it."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), *(Path(m.__file__ or "") for m in (document,))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def dumped(record: Record) -> dict[str, Any]:
    """A record as plain data, each value with its own source."""
    plain: dict[str, Any] = json.loads(record.model_dump_json(exclude_defaults=True))
    return plain


def merged(low: dict[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """`high` over `low`; mappings are merged, values and lists replaced.

    The head (kind, source, as_of) of a mapping that `high` touches is not taken over: values of `low` spell out theirs,
    and a new value must not pass for one of the old source.
    """
    out = {key: item for key, item in low.items() if key not in _HEAD}
    for key, item in high.items():
        old = out.get(key)
        both = isinstance(old, dict) and isinstance(item, Mapping) and "value" not in old and "value" not in item
        out[key] = merged(old, item) if both and isinstance(old, dict) else item
    return out


def along(data: Any, words: str) -> tuple[Path_, bool]:
    """The path in a document of the dotted rest of a datum's path, as far as the document goes, and whether it goes all along.

    An item of a list goes by its name, its day or its number, and two may share one; names and keys may hold dots themselves.
    """
    if not words:
        return (), True
    keys: list[tuple[str, str | int]]
    if isinstance(data, list):
        keys = [(_name_of(item) or str(n), n) for n, item in enumerate(data)]
    else:
        keys = [(key, key) for key in data] if isinstance(data, dict) else []
    furthest: Path_ = ()
    for word, key in sorted(keys, key=lambda pair: -len(pair[0])):
        if f"{words}.".startswith(f"{word}."):
            below, whole = along(data[key], words[len(word) + 1 :])
            if whole:
                return (key, *below), True
            furthest = furthest or (key, *below)
    return furthest, False


def _name_of(item: Any) -> str:
    """What an item of a list is called in the paths of its values."""
    return str(item.get("name") or item.get("on") or "") if isinstance(item, dict) else ""

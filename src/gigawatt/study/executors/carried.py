"""Folders of the user's own records, sent along with the work: a cluster's machines need not see the driver's disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gigawatt.catalog.cache import folder as cache_folder

Files = tuple[tuple[str, bytes], ...]  # path inside the folder, content; in the order of paths


@dataclass(frozen=True, slots=True)
class Carried:
    """Overlays by path and content."""

    folders: tuple[tuple[str, Files], ...] = ()

    @classmethod
    def of(cls, folders: Sequence[str]) -> Carried:
        """The records in these folders as they are now."""
        return cls(tuple((str(Path(folder).absolute()), _files(Path(folder))) for folder in folders))

    def here(self) -> tuple[str, ...]:
        """The same folders on this machine: their own where they are and hold the same, else unpacked into the cache folder.

        Raises:
            OSError: they can not be written there.
        """
        return tuple(own if _files(Path(own)) == files else _unpacked(files) for own, files in self.folders)


def _files(folder: Path) -> Files:
    if not folder.is_dir():
        return ()
    found = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*.yaml") if file.is_file())
    return tuple((name, file.read_bytes()) for name, file in found)


def _unpacked(files: Files) -> str:
    """A folder with these files, by a hash of them; written under another name and renamed, as several workers may want it."""
    made = hashlib.sha256()
    for name, content in files:
        made.update(f"{name}\0{len(content)}\0".encode() + content)
    place = cache_folder() / "overlays" / made.hexdigest()[:24]
    if _files(place) == files and place.is_dir():
        return str(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        for name, content in files:
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_bytes(content)
        try:
            whole.rename(place)
        except OSError:  # another worker was first, or what is there is not whole
            if _files(place) != files:
                raise
    return str(place)

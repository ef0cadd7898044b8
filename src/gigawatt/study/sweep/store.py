"""A sweep's folder: what was asked, one Parquet file a part, and at the end what came of it.

    sweep.json                 the question, the design, the columns, who made it; written before the first part
    parts/part-000012.parquet  rows of one chunk; written under another name, flushed to the disk and renamed
    manifest.json              when all is there

A part that has its name is whole, so a sweep that was stopped, killed or ran out of disk goes on where it was. One driver at a
time holds the folder: its lock is the kernel's and goes with the process, however that ends.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.schema import INDEX, Schema

FORMAT = "gigawatt-sweep/1"
ASKED, PARTS, MANIFEST, LOCK = "sweep.json", "parts", "manifest.json", ".lock"
TEMPORARY = ".tmp"
IGNORED = {".DS_Store", "Thumbs.db", "desktop.ini", LOCK}
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not be so large",
}


@dataclass(slots=True)
class Store:
    """An open folder; `held` keeps its lock until it is closed."""

    folder: Path
    held: IO[str]

    @property
    def parts(self) -> Path:
        return self.folder / PARTS

    def part(self, chunk: int) -> Path:
        return self.parts / f"part-{chunk:06d}.parquet"

    def close(self) -> None:
        """Let the folder go."""
        self.held.close()

    def asked(self) -> dict[str, Any] | None:
        """What `sweep.json` says, or None where there is none.

        Raises:
            InputError: it is there and can not be read.
        """
        file = self.folder / ASKED
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict) or not str(found.get("format", "")).startswith("gigawatt-sweep/"):
            raise _refused("broken_store", f"'{file}' is broken", self.folder, "begin again: --fresh")
        return found

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write what is asked, before the first part."""
        with told(self.folder):
            self.parts.mkdir(exist_ok=True)
            text = json.dumps(about, indent=1, ensure_ascii=False, default=str) + "\n"
            _write(self.folder / ASKED, text.encode())

    def keep(self, chunk: int, part: bytes) -> None:
        """Write a part so that it is there whole or not at all.

        Raises:
            InputError: the disk is full, or the folder can not be written.
        """
        with told(self.folder):
            _write(self.part(chunk), part)

    def whole(self, chunk: int, design: Design, schema: Schema) -> bool:
        """Whether a part is there with all of its rows, and can be read to its end."""
        import polars as pl

        file = self.part(chunk)
        if not file.is_file():
            return False
        try:
            frame = pl.read_parquet(file)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException:  # a torn file may make the reader panic, which is no Exception
            return False
        rows = design.rows_of(chunk)
        return frame.schema == pl.Schema(schema.types) and frame[INDEX].to_list() == list(rows)

    def clear(self) -> None:
        """Remove what a sweep wrote here and nothing else; what says that it is a sweep's folder goes last."""
        with told(self.folder):
            files = self.unfinish()
            for file in (*self.parts.glob("part-*.parquet"), *files, self.folder / ASKED):
                file.unlink(missing_ok=True)

    def unfinish(self) -> list[Path]:
        """Take the manifest away, since a folder that has one is whole; the other files that it lists."""
        file = self.folder / MANIFEST
        try:
            listed = json.loads(file.read_text(encoding="utf-8")).get("files", [])
        except (OSError, ValueError, AttributeError):
            listed = []
        with told(self.folder):
            file.unlink(missing_ok=True)
        return [self.folder / name for name in map(str, listed) if Path(name).name == name and name != MANIFEST]

    def tidy(self) -> None:
        """Remove what a killed driver left half-written."""
        for folder in (self.folder, self.parts):
            for file in folder.glob(f".*{TEMPORARY}"):
                with suppress(OSError):
                    file.unlink()


def open_store(folder: Path) -> Store:
    """Open a folder for one driver.

    Raises:
        InputError: it holds something else, can not be written, or another driver holds it.
    """
    if folder.exists() and not folder.is_dir():
        raise _refused(
            "not_a_sweep_folder", f"'{folder}' is a file, not a folder", folder, "choose another place: -o DIR"
        )
    with told(folder):
        _refuse_foreign(folder)
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / LOCK).open("a+", encoding="utf-8")
    try:
        _lock(held, folder)
    except BaseException:
        held.close()
        raise
    store = Store(folder, held)
    store.tidy()
    return store


def _refuse_foreign(folder: Path) -> None:
    """Only an empty folder, or a sweep's own, may be written into."""
    if not folder.is_dir() or (folder / ASKED).exists():
        return
    here = {item.name for item in folder.iterdir()} - IGNORED
    here -= {name for name in here if name.startswith(".") and name.endswith(TEMPORARY)}
    if here == {PARTS} and not any((folder / PARTS).iterdir()):
        return
    if here:
        shown = ", ".join(sorted(here)[:3])
        message = f"'{folder}' holds something else than a sweep ({shown}); it was left as it is"
        raise _refused("not_a_sweep_folder", message, folder, "choose another place: -o DIR")


def _lock(held: IO[str], folder: Path) -> None:
    """Take the kernel's lock on the open file; a child that is forked later lets go of it, so that it is the driver's alone."""
    import fcntl

    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        who = held.read().strip()
        message = f"another sweep is writing into '{folder}'" + (f" ({who})" if who else "")
        hints = ("wait until it is done; the same command then goes on from there", "or choose another place: -o DIR")
        raise InputError(Problem("folder_in_use", message, Where(str(folder)), hints)) from None
    except OSError:
        return  # a file system without locks: the user must see to it
    os.register_at_fork(after_in_child=held.close)
    with suppress(OSError):
        held.seek(0)
        held.truncate()
        held.write(f"process {os.getpid()}")
        held.flush()


def _write(file: Path, data: bytes) -> None:
    """Under a temporary name, flushed to the disk, renamed, the folder flushed too."""
    made = file.with_name(f".{file.name}.{os.getpid()}{TEMPORARY}")
    try:
        with made.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        made.replace(file)
    except BaseException:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems do not flush folders
    finally:
        os.close(descriptor)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """A failure to write as an error that says what to do."""
    try:
        yield
    except OSError as error:
        why = _FULL.get(error.errno or 0)
        if why:
            message = f"{why}: nothing more can be written into '{folder}'"
            hints = ("what is finished is kept: make room, and the same command goes on from there",)
            raise InputError(Problem("disk_full", message, Where(str(folder)), hints)) from None
        message = f"can not write '{folder}': {error.strerror or error}"
        raise _refused("not_writable", message, folder, "choose another place: -o DIR") from None


def _refused(code: str, message: str, folder: Path, *hints: str) -> InputError:
    return InputError(Problem(code, message, Where(str(folder)), hints))

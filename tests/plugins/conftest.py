"""Packages that a test makes up: their modules, entry points and metadata in a folder of the import path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gigawatt.cli.main import run
from gigawatt.core import plugins

Plug = Callable[..., None]


@pytest.fixture
def plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    """Installs a package: `plug("my-plug", {"gigawatt.devices": {"sim": "module:NAME"}}, {"module.py": "text"})`."""
    modules: list[str] = []

    def install(name: str, points: Mapping[str, Mapping[str, str]], files: Mapping[str, str] | None = None) -> None:
        site = tmp_path / name
        about = site / f"{name.replace('-', '_')}-1.2.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [
            line for group, of in points.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in of.items()))
        ]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for file, text in (files or {}).items():
            path = site / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            modules.append(file.split("/")[0].removesuffix(".py"))
        monkeypatch.syspath_prepend(str(site))
        plugins.refresh()

    yield install
    monkeypatch.undo()
    for name in modules:
        for loaded in [one for one in sys.modules if one.split(".")[0] == name]:
            del sys.modules[loaded]
    plugins.refresh()


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in an empty folder; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            run(list(words))
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out, printed.err

    return call

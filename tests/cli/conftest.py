"""The command, called as a shell would."""

from collections.abc import Callable

import pytest

from gigawatt.cli.main import run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path) -> Call:
    """Runs the command in an empty folder, 100 columns wide; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            run(list(words))
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out, printed.err

    return call

"""Answers that were kept: run folders, as results again."""

from __future__ import annotations

from pathlib import Path

from gigawatt.api.result import Result


def open(folder: Path | str) -> Result:
    """The result that a folder holds, whoever wrote it: `gigawatt ... -o FOLDER`, `.save()`, `gw.sweep(..., folder=...)`.

    Raises:
        InputError: it is no run folder, or not whole.

    >>> import tempfile
    >>> import gigawatt as gw
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gw.open(gw.run("one-rack").save(f"{folder}/rack")).scenario
    <Scenario 'one-rack', answered by 'run'>
    """
    from gigawatt.report.files import read_run

    place = Path(folder)
    found = read_run(place)
    if found.manifest.get("question") == "sweep":
        from gigawatt.api.sweeps import SweepResult

        return SweepResult(found, None, place)
    return Result(found, None, place)

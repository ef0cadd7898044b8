"""What reaches the terminal: JSON on request, tables that read well, errors without a traceback."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gigawatt.core.errors import GigawattError, Infeasible, InputError

if TYPE_CHECKING:
    import typer
    from rich.console import Console

    from gigawatt.core.errors import Problems
    from gigawatt.core.table import Table
    from gigawatt.study.result import RunResult

WIDTH = 100
T = TypeVar("T")


def console(stderr: bool = False) -> Console:
    """A console of at most 100 columns when it is a terminal, and plain text when piped."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    return made if made.is_terminal and made.width < WIDTH else Console(stderr=stderr, highlight=False, width=WIDTH)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout; NaN and infinity become null, since JSON has neither."""
    sys.stdout.write(json.dumps(_clean(value), indent=1, ensure_ascii=False, default=str) + "\n")


def _clean(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    if hasattr(value, "tolist"):
        return _clean(value.tolist())
    return value


def print_error(error: GigawattError, as_json: bool) -> None:
    """An error as JSON on stdout, or in words on stderr."""
    if as_json:
        print_json(error.as_json())
        return
    out = console(stderr=True)
    if isinstance(error, InputError):
        for problem in error.problems:
            place = f"{problem.where}: " if problem.where else ""
            out.print(f"[bold red]error[/]: {_escape(place)}{_escape(problem.message)}", soft_wrap=True)
            for hint in problem.hints:
                out.print(f"       {_escape(hint)}", soft_wrap=True, style="dim")
        if len(error.problems) > 1:
            out.print(f"{len(error.problems)} problems; nothing was run.", style="dim")
    elif isinstance(error, Infeasible):
        out.print(f"[bold yellow]infeasible[/]: {_escape(error.message)}", soft_wrap=True)
        if error.conflict:
            out.print("These can not all hold:")
            for limit in error.conflict:
                out.print(f"  - {_escape(limit)}", soft_wrap=True)
        if error.changes:
            out.print("The smallest change that fits:")
            for change in error.changes:
                out.print(f"  - {_escape(str(change))}", soft_wrap=True)
    else:
        out.print(f"[bold red]error[/]: {_escape(str(error))}", soft_wrap=True)


def own_fault(error: Exception, as_json: bool) -> None:
    """A bug of ours: one line for the user, the details in a file that a report can carry."""
    handle, name = tempfile.mkstemp(prefix="gigawatt-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write("".join(traceback.format_exception(error)))
    message = f"this is our own fault: {type(error).__name__}: {error}"
    if as_json:
        print_json({"error": {"code": "internal", "message": message, "where": [], "hints": [f"details: {name}"]}})
    else:
        out = console(stderr=True)
        out.print(f"[bold red]error[/]: {_escape(message)}", soft_wrap=True)
        out.print(f"       details for a report: {name}", style="dim", soft_wrap=True)


def print_table(table: Table, limit: int | None = None) -> None:
    """A table with units in its headers, as wide as its text needs."""
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title or None, title_justify="left", show_edge=False, pad_edge=False)
    numeric = {
        name: all(isinstance(v, (int, float)) or v is None for v in values) for name, values in table.columns.items()
    }
    for name in table.columns:
        shown.add_column(_escape(table.header(name)), justify="right" if numeric[name] else "left", overflow="fold")
    for count, row in enumerate(table.rows()):
        if limit is not None and count >= limit:
            break
        shown.add_row(*(_escape(_cell(value)) for value in row.values()))
    out = console()
    out.print(shown)
    if limit is not None and len(table) > limit:
        out.print(f"... and {len(table) - limit} more rows (--json shows all)", style="dim")
    if table.note:
        out.print(_escape(table.note), style="dim", soft_wrap=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")


def not_beside_a_file(context: typer.Context, beside: Collection[str], told: Problems) -> None:
    """Options whose place is in the file; only those of `beside` may stand on the command line with it."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in beside and source is not None and source.name == "COMMANDLINE":
            said = f"{parameter.opts[0]} can not stand beside a file, which says it itself"
            told.add("contradiction", said, None, "--set PATH=VALUE changes any input of a file")


def needs(given: Mapping[str, object], other: str, told: Problems) -> None:
    """Options that say nothing without another one."""
    for option, value in given.items():
        if value:
            told.add("contradiction", f"{option} does nothing without {other}")


def watched(made: Callable[[Callable[[str], Any]], T], as_json: bool, overlays: Sequence[Path] = ()) -> T:
    """What `made` answers, with `overlays` in its manifest; its progress is shown only where somebody looks at it."""
    if sys.stderr.isatty() and not as_json:
        with console(stderr=True).status("reading") as status:
            return _told(made(status.update), overlays)
    return _told(made(lambda _: None), overlays)


def _told(answer: T, overlays: Sequence[Path]) -> T:
    """An answer with the plug-ins that the command used so far, and the overlays, in its manifest."""
    from gigawatt.study.plugged import with_overlays, with_plugins
    from gigawatt.study.result import RunResult

    return with_plugins(with_overlays(answer, overlays)) if isinstance(answer, RunResult) else answer


def folder_for(name: str, asked: Path | None) -> Path:
    """The run folder: as asked, else runs/NAME below the current folder."""
    return asked if asked is not None else Path("runs") / name


def kept(result: RunResult, asked: Path | None, no_report: bool = False) -> Path | None:
    """Write the run folder, as asked or else runs/NAME; None where nothing is to be written."""
    if no_report:
        return None
    from gigawatt.report.files import write_run

    return write_run(result, folder_for(result.name, asked))


def print_result(
    result: RunResult,
    folder: Path | None,
    first: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """A result as one JSON object: `first` is what it has even where the result lacks it; then the folder, then `more`."""
    named = {"folder": str(folder)} if folder else {}
    from gigawatt.study.plugged import with_plugins

    print_json({**(first or {}), **with_plugins(result).as_json(), **named, **(more or {})})

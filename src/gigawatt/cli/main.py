"""The command `gigawatt`: verbs, exit codes, and errors that people and scripts can read.

Exit codes: 0 done; 1 infeasible or a check failed; 2 the input is wrong; 3 our own fault; 130 stopped by Ctrl-C. With `--json`
stdout carries one JSON object and nothing else, for errors too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from gigawatt.cli import (
    catalog_verbs,
    compare_verbs,
    explain_verbs,
    fleet_verbs,
    later,
    moat_verbs,
    money_verbs,
    net_verbs,
    operate_verbs,
    results_verbs,
    risk_verbs,
    scenario_verbs,
    serve_verbs,
    sweep_verbs,
    train_verbs,
    trust_verbs,
)
from gigawatt.cli.output import print_error
from gigawatt.core.errors import GigawattError, InputError, Interrupted, Problem, nearest
from gigawatt.core.plugins import recording

STOPPED = Interrupted.exit_code
app = typer.Typer(
    name="gigawatt",
    help="Design, price and finance AI factories: a scenario in; plan, money and report out.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        from gigawatt import __version__

        typer.echo(f"gigawatt {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    """Design, price and finance AI factories: a scenario in; plan, money and report out.

    Start with:  gigawatt new  |  gigawatt run FILE  |  gigawatt run --power '100 MW' --capital '5 billion USD'
    """


scenario_verbs.add(app)
money_verbs.add(app)
net_verbs.add(app)
serve_verbs.add(app)
train_verbs.add(app)
fleet_verbs.add(app)
moat_verbs.add(app)
operate_verbs.add(app)
risk_verbs.add(app)
sweep_verbs.add(app)
explain_verbs.add(app)
results_verbs.add(app)
compare_verbs.add(app)
catalog_verbs.add(app)
trust_verbs.add(app)
later.add(app)


def run(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a verb and turns every failure into its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        with recording():  # results name the plug-ins that they used
            code = typer.main.get_command(app).main(args=words, prog_name="gigawatt", standalone_mode=False)
        if code == STOPPED:  # typer makes this of Ctrl-C, without a word
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except GigawattError as error:
        print_error(error, as_json)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print_error(Interrupted("stopped by the user; nothing was left half-written"), as_json)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if hasattr(error, "format_message"):
            usage(error.format_message(), as_json)
        from gigawatt.cli.output import own_fault

        own_fault(error, as_json)
        sys.exit(3)


def usage(message: str, as_json: bool) -> None:
    """Wrong words on the command line: exit code 2, with the nearest verb where one was meant."""
    if message.startswith("Usage:"):
        typer.echo(message)
        sys.exit(0 if not as_json else 2)
    hints: tuple[str, ...] = ("gigawatt --help lists the verbs",)
    if message.startswith("No such command"):
        verbs = [c.name or "" for c in app.registered_commands] + [g.name or "" for g in app.registered_groups]
        near = nearest(message.split("'")[1], verbs)
        hints = ((f"did you mean '{near}'?",) if near else ()) + hints
    print_error(InputError(Problem("usage", message, None, hints)), as_json)
    sys.exit(2)


if __name__ == "__main__":
    run()

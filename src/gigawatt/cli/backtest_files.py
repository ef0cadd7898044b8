"""A back-test as the file of a verb: small scenarios with stated inputs and the evaluator that answers them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gigawatt.core.table import Table


def is_backtest(file: Path) -> bool:
    """Whether a file names an evaluator.

    Raises:
        InputError: it can not be read.
    """
    from gigawatt.core import document

    data = document.read(file).data
    return isinstance(data, dict) and "evaluator" in data


def backtest_answer(file: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The outputs of a back-test by name, with its id, class, reading and the sources of its inputs.

    Raises:
        InputError: the file is no back-test, or its inputs are wrong.
    """
    from gigawatt.study.backtests import load

    case = load(file, overrides)
    return {
        "id": case.id,
        "class": case.kind,
        "title": case.title,
        "reading": " ".join(case.reading.split()),
        "evaluator": case.evaluator.name,
        "outputs": case.outputs(),
        "sources": {name: source for name, source in case.sources.items() if source},
        "source": case.source,
    }


def backtest_table(answer: dict[str, Any]) -> Table:
    """An answer as rows of name and value; the unit is the end of the name."""
    outputs = answer["outputs"]
    columns = {"output": list(outputs), "value": list(outputs.values())}
    return Table(
        "outputs", columns, title=f"{answer['id']} ({answer['class']}): {answer['title']}", note=answer["reading"]
    )

"""Which question a file asks, and who answers it: deals, market, project, network, serving, training, back-test, or a plan.

A file says `question: deals`, `market`, `project`, `network`, `serve`, `train` or, to ask many times, `sweep`; a back-test
names its `evaluator`; any other file is a scenario for `run`, `fleet`, `moats` and `operate`; one that says `question: operate`
is meant for its days by the hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.study.plugged import recorded, with_overlays
from gigawatt.study.source import Source, read

if TYPE_CHECKING:
    from gigawatt.catalog import Catalog
    from gigawatt.study.load import Default
    from gigawatt.study.result import RunResult

QUESTIONS = ("deals", "market", "project", "network", "serve", "train", "operate", "plan", "sweep")
# Who answers what asks for something else than its own name.
VERBS = {"plan": "run", "project": "deals", "network": "net", "backtest": "market"}
Progress = Callable[[str], Any]


def backtest_answer(file: Path | str, overrides: Sequence[str] = ()) -> dict[str, Any]:
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
        "proves": case.proves,
        "outcome": case.outcome,
        "evaluator": case.evaluator.name,
        "outputs": case.outputs(),
        "sources": {name: source for name, source in case.sources.items() if source},
        "source": case.source,
    }


def question_of(file: Path) -> str:
    """'deals', 'market', 'project', 'network', 'serve', 'train', 'operate', 'backtest' or 'plan', the file's or its base's.

    Raises:
        InputError: it can not be read, or asks something else.
    """
    from gigawatt.core import document

    data = document.read(file).data
    if not isinstance(data, dict):
        return "plan"
    if "evaluator" in data:
        return "backtest"
    said = data.get("question")
    if said is None and isinstance(data.get("extends"), str):
        base = file.parent / data["extends"]
        return question_of(base) if base.is_file() else "plan"
    if said is not None and said not in QUESTIONS:
        raise InputError(unknown_name("question", str(said), QUESTIONS, document.read(file).where(("question",))))
    return str(said or "plan")


def asked_in(source: Source) -> str:
    """The same of a file that is read already, merged with what it extends.

    Raises:
        InputError: it asks something that nobody answers.
    """
    if "evaluator" in source.data:
        return "backtest"
    said = source.data.get("question")
    if said is not None and said not in QUESTIONS:
        raise InputError(unknown_name("question", str(said), QUESTIONS, source.where(("question",))))
    return str(said or "plan")


def day_of(text: str | None) -> date | None:
    """A day of the command line; a month or a year means its last day.

    Raises:
        InputError: no date.
    """
    from gigawatt.core.dates import last_day

    if text is None:
        return None
    try:
        return last_day(text)
    except ValueError as error:
        hint = "write for example: --as-of 2025-09-24"
        raise InputError(Problem("bad_date", str(error), Where(f"--as-of {text}"), (hint,))) from None


def verb_of(file: Path) -> str:
    """The verb that answers a file."""
    asked = question_of(file)
    return VERBS.get(asked, asked)


def refuse_other(file: Path, verb: str, allowed: Sequence[str]) -> str:
    """The file's question.

    Raises:
        InputError: another verb answers it; names that one.
    """
    asked = question_of(file)
    if asked == "operate" and "operate" not in allowed and "plan" in allowed:
        asked = "plan"  # the scenario of a site, whatever else it is meant for
    if asked not in allowed:
        right = VERBS.get(asked, asked)
        message = f"'{file}' asks for '{asked}', which '{verb}' does not answer"
        hints = [f"try: gigawatt {right} {file}"]
        if asked == "plan":
            message = f"'{file}' does not say 'question: {allowed[0]}', and so is the scenario of a site"
            hints.append(f"or begin it with: question: {allowed[0]}")
        raise InputError(Problem("other_question", message, Where(str(file)), tuple(hints)))
    return asked


def check_file(file: Path, overrides: Sequence[str], catalog: Catalog) -> Sequence[Default]:
    """Read a file of any question and give back what was assumed for it.

    Raises:
        InputError: with every problem found.
    """
    asked = question_of(file)
    if asked == "backtest":
        from gigawatt.study.backtests import load as load_case

        load_case(file, overrides)
        return ()
    if asked == "sweep":
        from gigawatt.study.sweep import Sweep

        Sweep.of(file, overrides=overrides)
        return ()
    return check_source(read(file), catalog, None, overrides)


def check_source(
    source: Source, catalog: Catalog, as_of: str | date | None = None, overrides: Sequence[str] = ()
) -> Sequence[Default]:
    """Check a question that is read already, and give back what was assumed for it.

    Raises:
        InputError: with every problem found.
    """
    asked = asked_in(source)
    day = day_of(as_of) if isinstance(as_of, str) else as_of
    if asked == "market":
        from gigawatt.study.market.scenario import check_market

        return check_market(source, overrides, day).defaults
    if asked == "project":
        from gigawatt.study.project import check_project

        return check_project(source, overrides).defaults
    if asked == "network":
        from gigawatt.study.net.file import check_net

        return check_net(source, overrides, catalog).defaults
    if asked == "serve":
        from gigawatt.study.serve.file import check_serve

        return check_serve(source, overrides, catalog).defaults
    if asked == "train":
        from gigawatt.study.train.file import check_train

        return check_train(source, overrides, catalog).defaults
    if asked == "deals":
        from gigawatt.study.deals.load import check as check_deals

        return check_deals(source, overrides, day, catalog).defaults
    from gigawatt.study.load import check
    from gigawatt.study.operate.check import check_operate
    from gigawatt.study.resolve import resolve
    from gigawatt.study.risk.check import check_varied

    loaded = check(source, overrides)
    check_operate(loaded)
    check_varied(resolve(loaded, catalog))
    if "build_out" in loaded.source.data:
        from gigawatt.study.fleet.calendar import quarters_of
        from gigawatt.study.fleet.check import check_build_out

        check_build_out(loaded, quarters_of(loaded.scenario))
    return loaded.defaults


def answer(
    file: Path,
    overrides: Sequence[str],
    as_of: str | date | None,
    catalog: Catalog,
    allowed: Sequence[str],
    progress: Progress = lambda text: None,
) -> RunResult | dict[str, Any]:
    """The result of a file whose question is among `allowed`, or the named outputs of a back-test.

    Raises:
        InputError: the file asks what another verb answers, or is wrong.
    """
    asked = refuse_other(file, allowed[0], (*allowed, "backtest"))
    if asked == "backtest":
        return backtest_answer(file, overrides)
    return answer_source(VERBS.get(asked, asked), read(file), catalog, as_of, progress, overrides)


@recorded
def answer_source(
    verb: str,
    source: Source,
    catalog: Catalog,
    as_of: str | date | None = None,
    progress: Progress = lambda text: None,
    overrides: Sequence[str] = (),
) -> RunResult:
    """The whole answer of a verb to a question that is read already: every verb that takes a file.

    Raises:
        InputError: the question is wrong.
        Infeasible: no plan fits.
    """
    day = day_of(as_of) if isinstance(as_of, str) else as_of
    return with_overlays(_answered(verb, source, catalog, day, progress, overrides), catalog.overlays)


def _answered(
    verb: str, source: Source, catalog: Catalog, day: date | None, progress: Progress, overrides: Sequence[str]
) -> RunResult:
    """What the verb says."""
    if verb == "market":
        from gigawatt.study.market.run import run_market
        from gigawatt.study.market.scenario import check_market

        return run_market(check_market(source, overrides, day), progress, catalog)
    if verb == "deals" and source.data.get("question") == "project":
        from gigawatt.study.project import check_project, run_project

        return run_project(check_project(source, overrides), progress)
    if verb == "deals":
        from gigawatt.study.deals.load import check as check_deals
        from gigawatt.study.deals.run import run_deals

        return run_deals(check_deals(source, overrides, day, catalog), progress, catalog)
    if verb == "net":
        from gigawatt.study.net.file import check_net, run_net

        return run_net(check_net(source, overrides, catalog), progress)
    if verb == "serve":
        from gigawatt.study.serve.file import check_serve, run_serve

        return run_serve(check_serve(source, overrides, catalog), progress)
    if verb == "train":
        from gigawatt.study.train.file import check_train, run_train

        return run_train(check_train(source, overrides, catalog), progress)
    from gigawatt.study.load import check

    loaded = check(source, overrides)
    if verb == "fleet":
        from gigawatt.study.fleet.answer import run_fleet

        return run_fleet(loaded, progress, catalog)
    if verb == "moats":
        from gigawatt.study.moats.answer import answer_moats

        return answer_moats(loaded, progress, catalog)
    if verb == "operate":
        from gigawatt.study.operate.answer import run_operate

        return run_operate(loaded, progress, catalog)
    from gigawatt.study.pipeline import run

    return run(loaded, progress, catalog)

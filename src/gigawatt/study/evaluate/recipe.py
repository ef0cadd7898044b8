"""One question, ready to be asked many times with other inputs: what sweeps, comparisons, risk and notebooks share.

A `Recipe` is plain data, so that it can be sent to another process; `evaluator()` there reads catalog and file once and
answers any number of changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.study.paths import Input, inputs_of
from gigawatt.study.questions import verb_of
from gigawatt.study.source import Source, override, read

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gigawatt.study.evaluate.evaluator import Evaluator

# Verbs whose answer has headline metrics; the first four read the same scenario.
SCENARIO_VERBS = ("run", "fleet", "moats", "operate")
VERBS = (*SCENARIO_VERBS, "deals", "market", "serve", "train", "net")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A question with its file.

    Attributes:
        verb: who answers it.
        source: its merged data, overrides applied.
        overlays: folders of the user's own catalog records.
        as_of: for deals and market: what was known by that day.
    """

    verb: str
    source: Source
    overlays: tuple[str, ...] = ()
    as_of: str | None = None

    @classmethod
    def of(
        cls,
        file: Path | str,
        verb: str | None = None,
        overrides: Sequence[str] = (),
        overlays: Sequence[Path | str] = (),
        as_of: str | None = None,
    ) -> Recipe:
        """The recipe of a file; `verb` where it is not the file's own.

        Raises:
            InputError: the file can not be read, an override is wrong, or the verb does not answer it.
        """
        from gigawatt.core.errors import Problems

        own = verb_of(Path(file))
        asked = verb or own
        same = asked == own or (own in SCENARIO_VERBS and asked in SCENARIO_VERBS)
        if not same or asked not in VERBS:
            able = SCENARIO_VERBS if own in SCENARIO_VERBS else (own,)
            near = nearest(asked, able) if asked != own else None
            hint = f"did you mean '{near}'?" if near else f"'gigawatt {own}' answers it"
            message = (
                f"'{asked}' does not answer '{file}'" if verb else f"'{file}' asks for a {own}, not for one answer"
            )
            raise InputError(Problem("other_question", message, Where(str(file)), (hint,)))
        problems = Problems()
        source = override(read(Path(file)), overrides, problems)
        problems.raise_if_any()
        return cls(asked, source, tuple(str(folder) for folder in overlays), as_of)

    @property
    def model(self) -> type[BaseModel]:
        """What reads the file: the model of its question."""
        question = self.source.data.get("question")
        if self.verb in SCENARIO_VERBS:
            from gigawatt.study.scenario import Scenario

            return Scenario
        if question == "project":
            from gigawatt.study.project import ProjectFile

            return ProjectFile
        if self.verb == "deals":
            from gigawatt.study.deals.scenario import DealsScenario

            return DealsScenario
        if self.verb == "market":
            from gigawatt.study.market.scenario import market_model

            return market_model()
        if self.verb == "serve":
            from gigawatt.study.serve.file import ServeFile

            return ServeFile
        if self.verb == "train":
            from gigawatt.study.train.file import TrainFile

            return TrainFile
        from gigawatt.study.net.file import NetFile

        return NetFile

    def inputs(self) -> dict[str, Input]:
        """Every input that may be set, by dotted path; see `study.paths`."""
        return inputs_of(self.source, self.model)

    def evaluator(self) -> Evaluator:
        """Answers changes of this question, in this process."""
        from gigawatt.study.evaluate.evaluator import Evaluator

        return Evaluator(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one change of a question came to.

    Attributes:
        status: 'ok'; 'infeasible' (no plan fits: an answer); 'wrong' (the input can not be); 'failed' (our own fault).
        values: headline metrics by name; a metric that this answer does not have is absent.
        message: why there are none.
    """

    status: str
    values: Mapping[str, float]
    message: str = ""


Changes = Mapping[str, Any]  # dotted path -> what a file would say there: '30 USD/MWh', 5, [..]

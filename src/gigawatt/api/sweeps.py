"""Many scenarios of one question, in a folder that can be gone on with."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.api.ask import Asked, Verb
from gigawatt.api.data import plain_data
from gigawatt.api.result import Result
from gigawatt.api.scenario import Scenario, load
from gigawatt.core.errors import InputError, Problem, Where

if TYPE_CHECKING:
    import polars as pl

    from gigawatt.study.sweep import Tally

Values = Mapping[str, Any]  # dotted path -> values, as a list or as a span such as '30..90 USD/MWh/7'


@dataclass(frozen=True, repr=False, eq=False)
class SweepResult(Result):
    """What a sweep came to: best, worst, what each input does; and every scenario in `runs()`."""

    def runs(self) -> pl.DataFrame:
        """Every scenario in its order: what was changed, status ('ok', 'infeasible', 'wrong', 'failed'), every headline metric.

        >>> import gigawatt as gw
        >>> made = gw.sweep("networks/domains", {"chips": [[64], [72]]}, engine="serial")
        >>> made.runs()["status"].to_list()
        ['ok', 'ok']
        """
        import polars as pl

        from gigawatt.study.sweep.store import PARTS

        return pl.concat(pl.read_parquet(file) for file in sorted((self.folder / PARTS).glob("part-*.parquet")))

    @property
    def folder(self) -> Path:
        """Where its parts are. A sweep that was given no folder is gone with the last result that knows it."""
        assert self._folder is not None
        return self._folder

    def save(self, folder: Path | str) -> Path:
        """Copy the whole sweep, parts and page, to a place where nothing is; it can be gone on with there.

        Raises:
            InputError: something is there, or it can not be written.
        """
        target = Path(folder)
        if target.resolve() == self.folder.resolve():
            return target
        try:
            return Path(shutil.copytree(self.folder, target))
        except FileExistsError:
            hint = "name a folder that is not there yet"
            raise InputError(Problem("exists", f"'{target}' is there already", Where(str(target)), (hint,))) from None
        except OSError as error:
            raise InputError(
                Problem("not_writable", f"can not write '{target}': {error}", Where(str(target)))
            ) from None


def sweep(
    scenario: Asked,
    grid: Values | None = None,
    *,
    sample: Values | None = None,
    zip: Values | None = None,
    cases: Mapping[str, Mapping[str, Any]] | None = None,
    samples: int | None = None,
    seed: int | None = None,
    metrics: str | Sequence[str] = (),
    best: str = "",
    verb: Verb | None = None,
    engine: str = "pool",
    workers: int | None = None,
    address: str | None = None,
    folder: Path | str | None = None,
    fresh: bool = False,
    progress: Callable[[str], Any] | None = None,
) -> SweepResult:
    """A scenario over a design: every combination of cases, grid, zipped and sampled inputs.

    The same design gives the same bytes from any engine and any number of workers. Finished parts stay in the folder: the
    same call goes on from there.

    Args:
        scenario: what `gw.load` gave, or what it takes.
        grid: dotted path -> values, each input an axis: a list, or evenly spaced '30..90 USD/MWh/7'.
        sample: dotted path -> law: {'dist': 'lognormal', 'gsd': 1.2} of what stands there, or 'uniform 30..90 USD/MWh'.
        zip: inputs that move together, with equally many values.
        cases: name -> {dotted path: value}.
        samples: draws of the laws (256).
        seed: of the draws.
        metrics: headline metrics to look at; the first decides what is best.
        best: 'highest' or 'lowest'; by the metric's name where nothing is said.
        verb: who answers, where it is not the scenario's own.
        engine: 'serial', 'pool' (processes of this machine), 'ray' (a cluster).
        workers: how many; one a core where nothing is said.
        address: of a Ray cluster.
        folder: where parts and answer are kept; none: for as long as the result lives.
        fresh: begin again in a folder that holds finished parts.
        progress: is told how far it is.

    Raises:
        InputError: every problem found before anything runs: unknown paths, values out of range, another sweep's folder.

    >>> import gigawatt as gw
    >>> made = gw.sweep("one-rack", {"site.energy_price": "30..90 USD/MWh/3"}, metrics="cost_per_mtok", engine="serial")
    >>> made.table("best")["site.energy_price"][0]
    30.0
    """
    from gigawatt.report.files import add_run
    from gigawatt.study.executors import executor_of
    from gigawatt.study.sweep import Sweep, answer_sweep, drive

    asked = scenario if isinstance(scenario, Scenario) else load(scenario)
    executor = executor_of(engine, workers, address)
    design = Sweep.of_recipe(
        asked._asked(verb),
        grid=plain_data(grid or {}),
        zip_=plain_data(zip or {}),
        sample=plain_data(sample or {}),
        cases=plain_data(cases or {}),
        samples=samples,
        seed=seed,
        metrics=(metrics,) if isinstance(metrics, str) else tuple(metrics),
    )
    kept = tempfile.TemporaryDirectory(prefix="gigawatt-sweep-") if folder is None else None
    place = Path(kept.name) / design.name if kept is not None else Path(str(folder))
    with drive(design, place, executor, _Watch(progress), fresh, _lowest(best)) as swept:
        result = answer_sweep(swept)
        add_run(result, place)
    return SweepResult(result, asked, place, kept)


class _Watch:
    """Tells a function how far a sweep is."""

    def __init__(self, progress: Callable[[str], Any] | None) -> None:
        self._tell = progress or (lambda text: None)

    def say(self, text: str) -> None:
        self._tell(text)

    def tick(self, tally: Tally, seconds: float) -> None:
        self._tell(f"{tally.done:,} of {tally.total:,} scenarios, {seconds:,.0f} s")


def _lowest(best: str) -> bool | None:
    known = {"": None, "highest": False, "lowest": True}
    if best not in known:
        raise InputError(Problem("bad_option", f"best is 'highest' or 'lowest', not '{best}'"))
    return known[best]

"""The driver: hands chunks that are not there yet to an executor, keeps every part as it comes, and says how far it is.

It holds counts and the best row so far, never the rows; so its memory does not depend on how many scenarios there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.study.executors import Done, Executor
from gigawatt.study.executors.carried import Carried
from gigawatt.study.sweep.asked import Sweep
from gigawatt.study.sweep.resume import begun
from gigawatt.study.sweep.schema import CASE, STATUS, Schema
from gigawatt.study.sweep.store import Store, open_store
from gigawatt.study.sweep.work import Work

OK, INFEASIBLE, WRONG, FAILED = "ok", "infeasible", "wrong", "failed"
# Words of metrics of which less is better, where nothing is asked.
_LESS = {"cost", "capex", "payback", "joules", "carbon", "pue", "wue", "ttft", "tpot", "latency", "price", "time", "late",
         "lost", "shortfall", "step", "days", "circularity", "misses"}  # fmt: skip


class Stopped(KeyboardInterrupt):
    """The user stopped it; the text says what is kept and how to go on."""


@dataclass(slots=True)
class Tally:
    """How far a sweep is: rows by status, and the best of one metric with what it changes."""

    metric: str
    lowest: bool
    total: int
    unit: str = ""
    done: int = 0
    found: int = 0  # of those, how many were there already
    statuses: dict[str, int] = field(default_factory=dict)
    best: float | None = None
    best_changes: dict[str, Any] = field(default_factory=dict)

    @property
    def feasible(self) -> int:
        return self.statuses.get(OK, 0)

    def add(self, part: bytes | Path, schema: Schema) -> None:
        """Count a part."""
        import polars as pl

        names = [one.text or one.number for one in schema.inputs]
        wanted = [*([CASE] if schema.cases else []), *names, STATUS, *([self.metric] if self.metric else [])]
        frame = pl.read_parquet(BytesIO(part) if isinstance(part, bytes) else part, columns=wanted)
        self.done += frame.height
        for status, count in frame[STATUS].value_counts().iter_rows():
            self.statuses[status] = self.statuses.get(status, 0) + count
        values = frame[self.metric] if self.metric else frame[STATUS].clear()
        at = (values.arg_min() if self.lowest else values.arg_max()) if values.count() else None
        if at is None:
            return
        value = float(values[at])
        if self.best is None or (value < self.best if self.lowest else value > self.best):
            row = frame.row(at, named=True)
            self.best = value
            self.best_changes = {
                name: row[name] for name in wanted if name not in (STATUS, self.metric) and row[name] is not None
            }


class Watch(Protocol):
    """Somebody who looks on; every call is from the driver's own thread."""

    def say(self, text: str) -> None: ...

    def tick(self, tally: Tally, seconds: float) -> None:
        """After every part; `seconds` since the first chunk was handed out."""
        ...


class Unwatched:
    """Nobody looks."""

    def say(self, text: str) -> None:
        """Nothing is said."""

    def tick(self, tally: Tally, seconds: float) -> None:
        """Nothing is shown."""


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep whose parts are all there."""

    sweep: Sweep
    schema: Schema
    folder: Path
    tally: Tally
    engine: str
    seconds: float


@contextmanager
def drive(
    sweep: Sweep,
    folder: Path,
    executor: Executor,
    watch: Watch | None = None,
    fresh: bool = False,
    lowest: bool | None = None,
) -> Iterator[Swept]:
    """The sweep with all of its parts in the folder; the folder is held for the length of the block.

    Raises:
        InputError: an unknown metric; the folder holds something else, is in use, or can not be written.
        Stopped: the user interrupted it.
        WorkerLost: a chunk whose workers die each time.
    """
    seen = watch or Unwatched()
    done = 0
    with closing(open_store(folder)) as store:
        try:
            seen.say("reading the question")
            schema = begun(store, sweep, fresh)
            metric = metric_of(sweep, schema)
            lowest = lower_is_better(metric) if lowest is None else lowest
            tally = Tally(metric, lowest, sweep.design.rows, schema.metrics.get(metric, ""))
            try:
                seconds = _run(store, sweep, schema, executor, seen, tally)
            finally:
                done = tally.done
            yield Swept(sweep, schema, folder, tally, executor.name, seconds)
        except KeyboardInterrupt:
            kept = f"{done:,} of {sweep.design.rows:,} scenarios are kept in '{folder}'"
            raise Stopped(f"stopped by the user; {kept}; the same command goes on from there") from None


def _run(store: Store, sweep: Sweep, schema: Schema, executor: Executor, watch: Watch, tally: Tally) -> float:
    """Work out what is not there; seconds spent."""
    watch.say("looking for parts that are there")
    pending = []
    for chunk in range(sweep.design.chunks):
        if store.whole(chunk, sweep.design, schema):
            tally.add(store.part(chunk), schema)
        else:
            pending.append(chunk)
    tally.found = tally.done
    began = time.monotonic()
    watch.tick(tally, 0.0)
    if pending:
        store.unfinish()
        work = Work(sweep.recipe, sweep.design, schema, Carried.of(sweep.recipe.overlays))
        finished = executor.run(work, pending)
        try:
            for done in finished:
                _keep(store, done, schema, tally)
                watch.tick(tally, time.monotonic() - began)
        finally:
            close = getattr(finished, "close", None)
            if close is not None:
                close()
    return time.monotonic() - began


def _keep(store: Store, done: Done, schema: Schema, tally: Tally) -> None:
    store.keep(done.chunk, done.part)
    tally.add(done.part, schema)


def metric_of(sweep: Sweep, schema: Schema) -> str:
    """The metric that decides what is best: as asked, the objective's value, or the question's first.

    Raises:
        InputError: one of the metrics asked for does not exist.
    """
    unknown = [name for name in sweep.metrics if name not in schema.metrics]
    if unknown and schema.metrics:
        hints = []
        for name in unknown:
            near = nearest(name, schema.metrics)
            hints += [f"did you mean '{near}'?"] if near else []
        hints.append("known: " + ", ".join(schema.metrics))
        said = ", ".join(f"'{name}'" for name in unknown)
        raise InputError(Problem("unknown_metric", f"there is no metric {said}", Where("--metric"), tuple(hints)))
    if sweep.metrics:
        return sweep.metrics[0]
    objective = sweep.recipe.source.data.get("objective")
    party = objective.get("for", "system") if isinstance(objective, dict) else "system"
    return f"{party}_npv" if f"{party}_npv" in schema.metrics else next(iter(schema.metrics), "")


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better, by its words.

    >>> [lower_is_better(name) for name in ("system_npv", "cost_per_mtok", "ttft_p99_ms")]
    [False, True, True]
    """
    return bool(_LESS & set(metric.split("_")))

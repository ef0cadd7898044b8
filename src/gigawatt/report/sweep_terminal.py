"""A sweep in the terminal: while it runs (how far, how fast, the best so far), and what came of it, within 100 columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.report.numbers import quantity
from gigawatt.report.sections import has
from gigawatt.report.serve_terminal import Part, print_part
from gigawatt.report.sweep_parts import LABELS, shown_effects, shown_levels
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult
from gigawatt.study.sweep import Tally
from gigawatt.study.sweep.drive import FAILED

if TYPE_CHECKING:
    from rich.console import Console

EVERY_S = 15.0  # between two lines of a run that is not watched
PARTS: tuple[Part, ...] = (
    Part("best", "BEST", most=5),
    Part("worst", "WORST", most=3),
    Part(
        "effects",
        "WHAT EACH INPUT DOES",
        ("least_feasible_share", "lowest_at", "highest_at", "levels"),
        shows=shown_effects,
        most=12,
        note=True,
    ),
    Part("levels", "BY LEVEL OF EACH INPUT", ("low", "high", "runs"), shows=shown_levels, most=18),
    Part("statuses", "HOW MANY HAVE AN ANSWER", most=4, least=20),
)


def render_sweep(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print what came of a sweep.

    Args:
        result: the answer; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: where its parts and its page are.
    """
    page = _Page(console)
    page.text(result.title, style="bold")
    page.text(result.headline, hang=2)
    for line in result.texts.get("answer", []):
        page.text(line, hang=2)
    for part in PARTS:
        if not has(result, part.table) or (part.table == "statuses" and len(result.tables["statuses"]) < 2):
            continue
        print_part(page, result, part, LABELS)
    page.console.print()
    ways = [way.replace("--run DIR", f"--run {folder}") if folder else way for way in result.texts.get("next", [])]
    page.ending(folder, ways[:2])


def best_words(tally: Tally) -> str:
    """'system_npv 1.23 B USD at site.energy_price=30 USD/MWh'; '' before anything is feasible."""
    if tally.best is None:
        return ""
    at = ", ".join(f"{path}={_short(value)}" for path, value in tally.best_changes.items())
    return f"{tally.metric} {quantity(tally.best, tally.unit)} at {at}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class Line:
    """A line on the console now and then, for a run that nobody watches."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = -EVERY_S

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """What is done before the first scenario."""
        self.console.print(text, markup=False, soft_wrap=True)

    def tick(self, tally: Tally, seconds: float) -> None:
        """How far it is, where the last line is some time ago or all is done."""
        if seconds - self.last < EVERY_S and tally.done < tally.total:
            return
        self.last = seconds
        best = best_words(tally)
        said = progress_words(tally, seconds) + (f"; best: {best}" if best else "")
        self.console.print(said, markup=False, soft_wrap=True)


class Bar:
    """A bar with rate and time left, and below it the best so far, for whoever looks on."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self.live = Live(console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> Bar:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def say(self, text: str) -> None:
        """What is done before the first scenario."""
        from rich.text import Text

        self.live.update(Text(text))

    def tick(self, tally: Tally, seconds: float) -> None:
        """Move the bar."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        row.add_row(
            ProgressBar(total=tally.total, completed=tally.done, width=24), Text(progress_words(tally, seconds))
        )
        best = best_words(tally)
        self.live.update(
            Group(row, Text(f"best: {best}", style="dim", overflow="ellipsis", no_wrap=True)) if best else row
        )


def progress_words(tally: Tally, seconds: float) -> str:
    """'120 of 10,000  4.1/s  40 min left  98 % feasible'; rate and time left count what was done since the start only."""
    fresh = tally.done - tally.found
    rate = fresh / seconds if seconds > 0 else 0.0
    words = [f"{tally.done:,} of {tally.total:,}"]
    if rate > 0:
        words.append(f"{rate:.3g}/s")
    if rate > 0 and tally.done < tally.total:
        words.append(f"{_time((tally.total - tally.done) / rate)} left")
    if tally.done:
        words.append(f"{tally.feasible / tally.done:.0%} feasible")
    failed = tally.statuses.get(FAILED, 0)
    return "  ".join([*words, *([f"{failed:,} failed"] if failed else [])])


def _time(seconds: float) -> str:
    """Whole minutes and hours, as one waits for them.

    >>> _time(42.0), _time(400.0), _time(9000.0)
    ('42 s', '7 min', '2 h 30 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"

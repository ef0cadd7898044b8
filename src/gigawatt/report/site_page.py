"""The computed tables and sentences of `docs/model/provisioning.md`: what stands between its markers is written anew.

<!-- computed: provisioning_gain -->
...
<!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from gigawatt.core.table import Table
from gigawatt.report import markdown
from gigawatt.report.grid import grid
from gigawatt.report.numbers import number
from gigawatt.study import backtests
from gigawatt.study.backtests.margins import margin_order_table
from gigawatt.study.site.allin import kw_per_gpu
from gigawatt.study.site.gains import claims_table, gains_table, maxlps_table

PAGE = Path("model") / "provisioning.md"
BLOCK = re.compile(r"(<!-- computed: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
GAINS = ("hgx-h100", "hgx-b200", "gb200-nvl72", "vr-nvl72")
MARGINS = (
    "platform", "published", "engine", "rank", "engine_rank", "gap_points", "tokens_points", "cost_points",
    "price_points", "energy_points", "energy_doubled", "tok_s_per_mw", "implied_low", "implied_high",
    "price_to_match", "both_directions",
)  # fmt: skip


def _shown(table: Table, columns: tuple[str, ...] | None = None) -> str:
    """The table with its note below."""
    text = markdown.of_grid(grid(table, columns, bands=True))
    return f"{text}\n\n{markdown.sentence(table.note)}" if table.note else text


def _margins() -> str:
    """The ranking as a table, and in sentences: both orders, what parts them."""
    table = margin_order_table(backtests.load("bt17"))
    rows = [row for row in table.rows() if row.get("engine") is not None]
    ours = sorted(rows, key=lambda row: row["engine_rank"])
    tokens = sum(abs(row["tokens_points"]) for row in rows)
    cost = sum(abs(row["cost_points"]) for row in rows)
    other = [r["platform"] for r in rows if r["engine"] * r["published"] < 0]
    most = max(rows, key=lambda row: abs(row["gap_points"]))
    wider = [r["platform"] for r in rows if abs(r["both_directions"] - r["published"]) < 0.05]
    text = (
        f"Theirs: {' > '.join(row['platform'] for row in rows)}. Ours: {' > '.join(row['platform'] for row in ours)}. "
        f"Of the points between the two, {number(100 * tokens / (tokens + cost))} % are tokens and the rest hardware; price "
        f"and energy are the same on both sides, so they part nothing. The sign differs for {', '.join(other)}; the widest gap "
        f"is {most['platform']}'s, {number(most['gap_points'])} points, of which tokens are {number(most['tokens_points'])}."
    )
    if wider:
        text += (
            f" Were input tokens sold at the same price as output, ours would lie within five points of theirs for "
            f"{', '.join(wider)}: which tokens they count is not said."
        )
    return f"{text}\n\n{_shown(table, MARGINS)}"


COMPUTED: Mapping[str, Callable[[], str]] = {
    "provisioning_gain": lambda: _shown(gains_table(GAINS)),
    "provisioning_claims": lambda: _shown(claims_table()),
    "maxlps": lambda: _shown(maxlps_table()),
    "kw_per_gpu": lambda: _shown(kw_per_gpu()),
    "margin_order": _margins,
}


def filled(text: str) -> str:
    """The page with every computed part written anew.

    Raises:
        KeyError: the page asks for a part that nothing computes.
    """
    return BLOCK.sub(lambda found: f"{found[1]}{COMPUTED[found[2]]()}\n{found[3]}", text)


def write_provisioning(folder: Path) -> Path:
    """Write the computed parts of the page in a docs folder; nothing where the folder has no such page."""
    path = folder / PAGE
    if path.is_file():
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    return path

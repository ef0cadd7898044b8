"""Points as tables: the rows that scripts read, which network is fastest from which size on, what was taken for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.study.net.points import Points
from gigawatt.study.net.question import Question
from gigawatt.study.net.wiring import MEASURED_DOMAINS, Assumed, Wired

ROWS = (
    "network", "fabric", "collective", "algorithm", "size", "nbytes", "tokens", "n", "per_domain", "domains", "time_us", "low",
    "high", "busbw_gb_per_s", "busbw_low", "busbw_high", "bound",
)  # fmt: skip
UNITS = {
    "nbytes": "byte", "time_us": "us", "low": "us", "high": "us", "busbw_gb_per_s": "GB/s", "busbw_low": "GB/s",
    "busbw_high": "GB/s",
}  # fmt: skip


def size_words(nbytes: float) -> str:
    """A size as people write it.

    >>> size_words(2**30), size_words(536870912), size_words(1000.0), size_words(1e9)
    ('1 GiB', '512 MiB', '1,000 B', '1 GB')
    """
    for power, name in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        # Halves, quarters and eighths of the next larger unit are still read as powers of two.
        if 2**power <= nbytes < 2 ** (power + 10) and nbytes % 2 ** (power - 3) == 0:
            return f"{nbytes / 2**power:g} {name}"
    for factor, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if nbytes >= factor:
            return f"{nbytes / factor:.4g} {name}"
    return f"{nbytes:,.0f} B"


def rows_table(found: Points, wired: Sequence[Wired], question: Question) -> Table:
    """One row a point that its algorithm applies to."""
    keep = np.flatnonzero(np.isfinite(found.seconds))
    net = found.network[keep]
    domains = found.ranks[keep] / np.maximum(found.per_domain[keep], 1.0)
    scale = 1e-9
    columns: dict[str, Sequence[Any]] = {
        "network": [wired[i].label for i in net],
        "fabric": [wired[i].fabric.name for i in net],
        "collective": [question.collectives[i] for i in found.collective[keep]],
        "algorithm": [question.algorithms[i] for i in found.algorithm[keep]],
        "size": [size_words(x) for x in found.nbytes[keep]],
        "nbytes": [round(float(x)) for x in found.nbytes[keep]],
        "tokens": [round(float(x)) if x else None for x in found.tokens[keep]],
        "n": [int(x) for x in found.ranks[keep]],
        "per_domain": [_whole(x) for x in found.per_domain[keep]],
        "domains": [_whole(x) for x in domains],
        "time_us": (found.seconds[keep] * 1e6).tolist(),
        "low": (found.low[keep] * 1e6).tolist(),
        "high": (found.high[keep] * 1e6).tolist(),
        "busbw_gb_per_s": (found.busbw(found.seconds)[keep] * scale).tolist(),
        "busbw_low": (found.busbw(found.high)[keep] * scale).tolist(),
        "busbw_high": (found.busbw(found.low)[keep] * scale).tolist(),
        "bound": found.bound[keep].tolist(),
    }
    note = "Sizes and bus bandwidth as nccl-tests counts them; low and high hold 80 % of times."
    if set(question.collectives) & {"moe_dispatch", "moe_combine"}:
        note += " Of experts, bytes are what one rank sends, and the bandwidth is theirs over the time."
    return Table("rows", {name: columns[name] for name in ROWS}, UNITS, "How long it takes, and what binds it", note)


def _whole(value: float) -> float | int:
    """A count as such where it is whole."""
    return round(value) if abs(value - round(value)) < 1e-6 else float(f"{value:.4g}")


def series_name(row: dict[str, Any], networks: int, algorithms: int) -> str:
    """What a line of a chart or a column of a comparison is called."""
    parts = [row["network"]] if networks > 1 or algorithms == 1 else []
    parts += [row["algorithm"]] if algorithms > 1 else []
    return ", ".join(parts)


def compare_table(rows: Table, question: Question) -> Table | None:
    """For each collective and number of chips: who is fastest from which size to which, against the first one asked for."""
    listed = list(rows.rows())
    networks = len({row["network"] for row in listed})
    names = [series_name(row, networks, len(question.algorithms)) for row in listed]
    order = list(dict.fromkeys(names))
    if len(order) < 2:
        return None
    out = []
    for kind in question.collectives:
        for n in dict.fromkeys(row["n"] for row in listed):
            mine = [
                (name, row)
                for name, row in zip(names, listed, strict=True)
                if (row["collective"], row["n"]) == (kind, n)
            ]
            out += _runs(kind, n, mine, order)
    columns = ("collective", "n", "from_size", "to_size", "fastest", "over_first", "over_next", "next", "clear")
    note = f"Times faster at a row's last size, than {order[0]} and than the next best; clear: the 80 % ranges do not touch."
    units = {"over_first": "x", "over_next": "x"}
    return Table.from_rows("compare", out, columns, units, "Which is fastest", note) if out else None


def _runs(kind: str, n: int, mine: Sequence[tuple[str, dict[str, Any]]], order: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of one collective and group: sizes in a row with the same fastest network are one.

    Experts' exchanges are the same question where their tokens are, though networks move them in other numbers of bytes.
    """
    sizes = sorted({_amount(row) for _, row in mine})
    out: list[dict[str, Any]] = []
    for size in sizes:
        here = sorted(((row["time_us"], order.index(name), name, row) for name, row in mine if _amount(row) == size))
        if len(here) < 2:
            continue
        best, second = here[0], here[1]
        first = next((at for at in here if at[2] == order[0]), None)
        made = {
            "collective": kind,
            "n": n,
            "from_size": _amount_words(best[3]),
            "to_size": _amount_words(best[3]),
            "fastest": best[2],
            "over_first": None if first is None else first[0] / best[0] if best[0] else 1.0,
            "over_next": second[0] / best[0] if best[0] else 1.0,
            "next": second[2],
            "clear": best[3]["high"] < second[3]["low"],
        }
        if out and out[-1]["fastest"] == made["fastest"]:
            made["from_size"] = out[-1]["from_size"]
            out.pop()
        out.append(made)
    return out


def _amount(row: dict[str, Any]) -> float:
    """What two networks have in common: tokens of a rank, else bytes."""
    return float(row["tokens"] or row["nbytes"])


def _amount_words(row: dict[str, Any]) -> str:
    return f"{row['tokens']:,} tokens" if row["tokens"] else str(row["size"])


def assumed_table(wired: Sequence[Wired], question: Question, found: Points, defaults: Sequence[Assumed]) -> Table:
    """What was taken for the user, network by network."""
    rows = [{"network": "all", "what": a.what, "value": a.value, "why": a.why} for a in defaults]
    for at, w in enumerate(wired):
        rows += [{"network": w.label, "what": a.what, "value": a.value, "why": a.why} for a in w.assumed]
        mine = found.network == at
        domains = (found.ranks / np.maximum(found.per_domain, 1.0))[mine]
        most = float(domains.max(initial=1.0))
        if most > MEASURED_DOMAINS:
            why = f"measured tables hold at most {MEASURED_DOMAINS}: the slow end of the band grows with the number"
            rows.append({"network": w.label, "what": "scale-up domains", "value": f"up to {most:,.0f}", "why": why})
        uneven = [n for n, q in zip(found.ranks[mine], found.per_domain[mine], strict=True) if q != round(q)]
        if uneven:
            n = int(uneven[0])
            value = f"{n:,} in {int(np.ceil(n / w.fabric.domain))} domains"
            why = f"no whole number of chips in each domain of {w.fabric.domain}: spread evenly"
            rows.append({"network": w.label, "what": "chips a domain", "value": value, "why": why})
    return Table.from_rows("assumed", rows, ("network", "what", "value", "why"), {}, "Assumed for you")

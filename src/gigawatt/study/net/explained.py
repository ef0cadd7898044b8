"""Where the headline numbers of `gigawatt net` come from: one call's time, its bytes, the links it goes over.

bus bandwidth = bytes x bus factor / seconds,   the factor as nccl-tests defines it: 2 (n - 1) / n of an all-reduce
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.study.explain import Node, choice, defined, fact, fitted, node, of_datum, worked
from gigawatt.study.explained.options import option
from gigawatt.study.explained.plan import headed
from gigawatt.study.net.question import Question
from gigawatt.study.net.wiring import Wired

# What a field of a file is called on the command line.
FLAGS = {"collectives": "COLLECTIVE", "networks": "--on", "chips": "--chips", "sizes": "--size"}


def _asked(question: Question, name: str, words: str, value: Any, unit: str, field: str) -> Node:
    """An input of the question; `name` is the file's field."""
    usual = Question()
    given = (name,) if getattr(question, field) != getattr(usual, field) else ()
    made = option(name, words, value, unit, given)
    return made | {"where": FLAGS[name]} if given else made


def _links(wired: Wired, catalog: Catalog) -> list[Node]:
    """Links that the call goes over: scale-up, NIC, fabric."""
    rows: list[Node] = []
    chip = catalog.get("accelerator", wired.chip.name)
    facts = (("scale-up bandwidth, one way", chip.scaleup_bandwidth), ("NIC bandwidth", chip.nic_bandwidth))
    rows += [of_datum(f"{name} of {chip.name or chip.id}", datum) for name, datum in facts if datum is not None]
    if wired.platform is not None:
        rows.append(
            fact(
                "chips of a scale-up domain, as wired",
                wired.platform,
                "scaleup_domain",
                int(wired.platform.scaleup_domain),
                "chips",
            )
        )
    if wired.record is not None:
        record = wired.record
        rows.append(fact("fabric", record, "name", record.name or record.id))
        if record.nic_bandwidth is not None:
            rows.append(of_datum(f"NIC bandwidth of {record.id}", record.nic_bandwidth))
    return rows


def trees(
    row: Mapping[str, Any] | None, question: Question, wired: Wired, catalog: Catalog, metrics: Table
) -> dict[str, Node]:
    """A tree of both headline numbers; `row` is the point they are of."""
    if row is None:
        return {}
    size = _asked(question, "sizes", "bytes, as nccl-tests counts them", row["nbytes"], "byte", "nbytes")
    asked = [
        _asked(question, "collectives", "collective", row["collective"], "", "collectives"),
        _asked(question, "networks", "network", wired.label, "", "on"),
        _asked(question, "chips", "chips", row["n"], "chips", "chips"),
        size,
    ]
    algorithm = choice(
        "algorithm",
        row["algorithm"],
        "",
        "the fastest of those that apply" if row["algorithm"] == "auto" else "as asked",
    )
    inside = choice(
        "chips of the group in a scale-up domain", row["per_domain"], "chips", "as many as fit, or as asked"
    )
    fit = fitted(catalog.get("calibration", "fabric-collectives"))
    time = node(
        "formula",
        f"time of the call: {row['bound']}",
        row["time_us"] * 1e-6,
        "s",
        "latency and transfer of each step of the algorithm",
        [*asked, algorithm, inside, *_links(wired, catalog), fit],
    )
    factor = row["busbw_gb_per_s"] * 1e9 * row["time_us"] * 1e-6 / row["nbytes"] if row["nbytes"] else 0.0
    by = defined(
        f"bus factor of {row['collective']} among {row['n']:,}",
        factor,
        "x",
        "as nccl-tests defines it; bytes that one rank sends, of experts",
    )
    moved = worked("product", "bytes on the bus", "byte", [size, by])
    made = {
        "collective_time": time,
        "bus_bandwidth": worked("ratio", "bytes on the bus / seconds", "byte/s", [moved, time]),
    }
    return {one["name"]: headed(one, made[one["name"]]) for one in metrics.rows()}

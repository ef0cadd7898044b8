"""The flow of watts from the meter to the chips as links (source, target, watts), ready for a Sankey chart."""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.physics.site.chain import Balance


def sankey_links(balance: Balance, it_parts_w: Mapping[str, float] | None = None) -> Table:
    """Links of one moment; what enters a node leaves it, to the rounding of a sum.

    Args:
        balance: of a whole site (scalar columns, or columns that are summed).
        it_parts_w: what the IT watts are used for (chips, hosts, switches, ...); the rest goes to "other IT".

    Raises:
        InputError: the parts take more than the IT watts.

    Columns:
        source, target: names of nodes; watts: W.
    """
    meter, transformer, house, cooling, ups, distribution, it = (
        float(column.sum())
        for column in (
            balance.meter_w,
            balance.transformer_loss_w,
            balance.house_w,
            balance.cooling_w,
            balance.ups_loss_w,
            balance.distribution_loss_w,
            balance.it_w,
        )
    )
    rows = [
        ("meter", "transformer loss", transformer),
        ("meter", "house load", house),
        ("meter", "cooling", cooling),
        ("meter", "UPS", meter - transformer - house - cooling),
        ("UPS", "UPS loss", ups),
        ("UPS", "distribution", it + distribution),
        ("distribution", "distribution loss", distribution),
        ("distribution", "IT", it),
    ]
    if it_parts_w:
        rest = it - sum(it_parts_w.values())
        if rest < -1e-9 * max(it, 1.0):
            raise InputError(Problem("unbalanced", f"the parts of IT take {-rest:,.0f} W more than IT does"))
        rows += [("IT", name, watts) for name, watts in it_parts_w.items()]
        if rest > 1e-9 * it:
            rows.append(("IT", "other IT", rest))
    kept = [row for row in rows if row[2] > 0]
    columns = {key: [row[i] for row in kept] for i, key in enumerate(("source", "target", "watts"))}
    return Table("power_flow", columns, {"watts": "W"}, "From the meter to the chips")

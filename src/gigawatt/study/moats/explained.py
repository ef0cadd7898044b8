"""Where the values of the moats come from: trees for `gigawatt explain`, kept in a run's manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.moats import MOATS, Value
from gigawatt.physics.chip.software import PORTING
from gigawatt.study.explain import Node, node, of_datum
from gigawatt.study.moats.strengths import Strengths
from gigawatt.study.moats.tables import WORDS


def trees(values: Sequence[Value], strengths: Strengths, metrics: Table) -> dict[str, Node]:
    """A tree of every headline number."""
    unit = {row["name"]: row["unit"] for row in metrics.rows()}
    terms = {moat: _terms(strengths, moat) for moat in MOATS}
    out: dict[str, Node] = {}
    for one in values:
        name, per_mw = one.regime.name.replace("-", "_").replace(" ", "_"), one.per_mw
        worths = [
            node(
                "formula",
                f"v({', '.join(on) or 'none'})",
                value * per_mw,
                "USD/MW/yr",
                "joint plan less that without the vendor",
            )
            for on, value in one.worth.items()
        ]
        binds = [node("choice", f"{limit} binds", None, "", "joint plan with all moats") for limit in one.binding]
        for moat in MOATS:
            label = f"{WORDS[moat]}: mean over all orders of what it adds"
            out[f"{moat}_{name}"] = node(
                "formula", label, one.shapley[moat] * per_mw, unit[f"{moat}_{name}"], "Shapley value",
                [terms[moat], *worths, *binds],
            )  # fmt: skip
        out[f"moats_{name}"] = node(
            "formula", "v(all) - v(none)", one.total * per_mw, "USD/MW/yr", "", [out[f"{m}_{name}"] for m in MOATS]
        )
        out[f"premium_{name}"] = node(
            "formula",
            "highest price over list at which the buyer still takes half",
            one.premium.with_all,
            "x list",
            "bisection on the buyer's plan",
            [node("choice", f"taken at {one.premium.base}", one.premium.volume, "accelerators", "buyer's plan")],
        )
    return out


def _terms(strengths: Strengths, moat: str) -> Node:
    setting, terms = strengths.setting, strengths.terms()
    rival, offers = setting.names[setting.rival], setting.resolved.offers
    children: list[Node] = []
    for w, name in enumerate(setting.inputs.workloads):
        i = int(strengths.best[w])
        if moat == "software":
            kind = setting.resolved.works[w].uses
            data = [
                of_datum(f"{kind} software of {setting.names[at]}", getattr(offers[at].platform.software, kind))
                for at in (setting.rival, i)
            ]
            children.append(node("formula", f"tokens of {name} without it", terms.software[i, w], "x", "", data))
        elif moat == "networking":
            label = f"tokens of {name} on {setting.names[i]} in the network of {rival}"
            children.append(
                node("formula", label, terms.networking[i, w], "x", "searched by the physics of serving and training")
            )
        else:
            here = [
                node(
                    "formula",
                    f"tokens/s/MW of {setting.names[at]}",
                    float(setting.per_mw[at, w]),
                    "token/s/MW",
                    "this site",
                )
                for at in (i, setting.rival)
            ]
            children.append(
                node("formula", f"watts for {name} without it", terms.watts[i, w], "x", strengths.bases[w], here)
            )
    if moat == "software":
        record = setting.resolved.catalog.get("porting", PORTING)
        children += [
            of_datum("months of a bring-up", record.bring_up.months),
            of_datum("years of life lost", record.life_lost_years),
            node(
                "formula",
                "share of life left after the port",
                float(np.min(strengths.porting())),
                "share",
                "least of the workloads",
            ),
        ]
    return node("formula", f"{WORDS[moat]} off", None, "", f"values of {rival}", children)

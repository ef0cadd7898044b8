"""Where the headline numbers of `gigawatt serve` come from: the best point's rates, times and watts.

output tokens of a chip = requests a second x output tokens / chips
output tokens of a MW   = requests a second x output tokens / (chips that work x MW of a chip at the meter)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.study.explain import Node, choice, fitted, node, worked
from gigawatt.study.explained.host import HostTrees, runner_up
from gigawatt.study.explained.options import option
from gigawatt.study.explained.plan import headed
from gigawatt.study.explained.work import SERVING, measured
from gigawatt.study.hosts import Host
from gigawatt.study.result import RunResult
from gigawatt.study.serve.question import Question
from gigawatt.study.serve.tables import SPENT_MS

Row = Mapping[str, Any]


class ServeTrees:
    """The trees of a best point.

    Args:
        row: of the best point; `others`: rows of the front, among which it was chosen.
        host, question, catalog, given: what was asked of whom.
    """

    def __init__(
        self, row: Row, others: Sequence[Row], host: Host, question: Question, catalog: Catalog, given: Sequence[str]
    ) -> None:
        self.row, self.question, self.given, self.catalog = row, question, given, catalog
        self.host = HostTrees(host, catalog, "serving", question.fabric, question.facility, question.maturity, given)
        column = "tokens_out_per_s_per_mw" if question.objective == "mw" else "tokens_out_per_s_per_chip"
        self.chosen = self._chosen(others, column)
        self.asked = self._asked()
        power = self.host.power_facts(str(row["mode"]))
        record = catalog.get("calibration", "serving-power")
        self.chip = node(
            "formula",
            "chip_power",
            row["chip_w"],
            "W",
            "mean over prefill and decode of what they draw",
            [*power, fitted(record), *self.chosen],
        )
        self.meter = self.host.meter(self.chip)
        self.output = option("osl", "output tokens of a request", question.output_tokens, "token", given)
        self.rate = node(
            "formula",
            "requests a second",
            row["requests_per_s"],
            "1/s",
            f"steady state of the engine; bound by {row['bound']}",
            self._speed(),
        )
        self.tokens = worked("product", "output tokens a second", "token/s", [self.rate, self.output])

    def _chosen(self, others: Sequence[Row], column: str) -> list[Node]:
        row = self.row
        words = f"{row['mapping']}, {row['precision']}, {row['engine']}, mode {row['mode']}, {row['pools']}"
        made = [choice("operating point", words, "", f"best of all tried; bound by {row['bound']}")]
        made.append(choice("requests at once", row["users"], "requests", "as many as the SLO holds"))
        unit = "token/s/MW" if column.endswith("mw") else "token/s/chip"
        rest = [o for o in others if o["meets_slo"] and o["mapping"] != row["mapping"] and o[column] is not None]
        if rest:
            second = max(rest, key=lambda o: float(o[column]))
            label = f"{second['mapping']}, {second['precision']}, {second['engine']} on {second['platform']}"
            made += runner_up(label, float(second[column]), unit, "the best of another layout on the fronts")
        return made

    def _asked(self) -> list[Node]:
        q, given = self.question, self.given
        return [
            option("model", "model", q.model, "", given),
            self.host.place(),
            option("isl", "input tokens of a request", q.input_tokens, "token", given),
            option("osl", "output tokens of a request", q.output_tokens, "token", given),
            option("slo", "SLO", q.slo.words, "", given),
            option("cached", "input found in the cache", q.cached_share, "share", given),
            option("derate", "decode speed kept in production", q.derate.decode, "share", given),
            option("derate", "prefill speed kept in production", q.derate.prefill, "share", given),
        ]

    def _speed(self) -> list[Node]:
        return [*self.chosen, measured(self.catalog, "serving"), *self.host.speed_facts(), *self.asked]

    def time_of_token(self) -> Node:
        """TPOT by what it is spent on."""
        spent = [
            node(
                "formula",
                name.removesuffix("_ms").replace("_", " "),
                self.row[name] / 1e3,
                "s",
                "mean of a step",
                self._speed(),
            )
            for name in SPENT_MS
            if self.row[name]
        ]
        value = self.row["tpot_ms"] / 1e3
        made = worked("sum", "time of a token", "s", spent) if spent else None
        if made is not None and abs(made["value"] - value) <= 1e-6 * value:
            return {**made, "value": value}
        return node(
            "formula", "time of a token", value, "s", "mean step of the engine at its load", [*spent, *self._speed()]
        )

    def first_token(self) -> Node:
        record = self.catalog.get("calibration", SERVING)
        error = fitted(
            record,
            error=float(record.error["ttft_model_left_out"]["median"]),
            of="median error of TTFT, whole models left out of the fit",
        )
        mean = node(
            "formula",
            "mean time to first token",
            self.row["ttft_mean_ms"] / 1e3,
            "s",
            "queue, prefill, first step",
            self._speed(),
        )
        return node(
            "formula",
            "time to first token, p99",
            self.row["ttft_p99_ms"] / 1e3,
            "s",
            "of the requests of the steady state",
            [mean, error],
        )

    def working(self) -> Node:
        """Chips that work, which watts are counted for."""
        row = self.row
        used = (
            row["requests_per_s"]
            * self.question.output_tokens
            / row["tokens_out_per_s_per_mw"]
            / row["meter_w_per_chip"]
            * 1e6
        )
        return choice("chips that work", used, "chips", "whole replicas of the layout", self.chosen)

    def trees(self) -> dict[str, Node]:
        chips = choice("chips", self.row["chips"], "chips", "all there are, or those of a replica", self.chosen)
        out = {
            "tokens_out_per_chip": worked("ratio", "tokens / chips", "token/s/chip", [self.tokens, chips]),
            "tpot": self.time_of_token(),
            "chip_power": self.chip,
        }
        if self.row["ttft_p99_ms"] is not None:
            out["ttft_p99"] = self.first_token()
        if self.row["tokens_out_per_s_per_mw"] is not None:
            watts = worked("product", "watts at the meter", "W", [self.working(), self.meter])
            out["tokens_out_per_mw"] = worked(
                "ratio", "tokens / MW", "token/s/MW", [self.tokens, watts], scale=1e6, scale_of="W per MW"
            )
            out["energy_per_token"] = worked("ratio", "watts / tokens", "J/token", [watts, self.tokens])
        return out


def trees(
    row: Row,
    others: Sequence[Row],
    host: Host,
    question: Question,
    catalog: Catalog,
    given: Sequence[str],
    metrics: Table,
) -> dict[str, Node]:
    """A tree of every headline number of the best point."""
    made = ServeTrees(row, others, host, question, catalog, given).trees()
    return {one["name"]: headed(one, made[one["name"]]) for one in metrics.rows()}


def service_trees(
    result: RunResult,
    options: Mapping[str, Any],
    host: Host,
    question: Question,
    catalog: Catalog,
    given: Sequence[str],
) -> dict[str, Node]:
    """A tree of every headline number of a service beside chat: images, speech, video, embeddings, ..."""
    row, unit = result.manifest["best"], result.manifest["unit"]
    on = HostTrees(host, catalog, "serving", question.fabric, question.facility, question.maturity, given)
    words = f"a batch of {row['batch']:,.4g} in {row['precision']} on {row['chips']:,.0f} chips, mode {row['mode']}"
    point = choice("operating point", words, "", f"best of all tried; bound by {row['bound']}")
    asked = [option("model", "model", question.model, "", given), on.place()]
    for name, value in options.items():
        plain = value if isinstance(value, (int, float, str)) else str(value)
        asked.append(node("datum", name.replace("_", " "), plain, "", "the question", where=f"--with {name}={plain}"))
    record = catalog.get("calibration", "serving-services")
    rests = [point, fitted(record), *on.speed_facts(), *asked]
    rate = node(
        "formula",
        "units a second of a chip",
        row["units_per_s_per_chip"],
        f"{unit}/s",
        f"time of every operator; {row['bound']} binds",
        rests,
    )
    chip = node(
        "formula", "chip_power", row["chip_w"], "W", "mean of the work", [*on.power_facts(str(row["mode"])), point]
    )
    made = {
        "rate_per_chip": rate,
        "latency": node(
            "formula", "time of a batch", row["latency_ms"] / 1e3, "s", "time of every operator of the batch", rests
        ),
        "energy_per_unit": worked("ratio", "watts / units", f"J/{unit}", [on.meter(chip), rate]),
    }
    return {one["name"]: headed(one, made[one["name"]]) for one in result.metrics.rows()}

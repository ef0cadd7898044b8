"""Which chart a table has, by the question that its run answers: one name may mean two things.

`companies` of a plan holds a present value a company, of a deals run its cash by quarter; `quarters` of a ledger holds cash,
of a market revenue and supply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gigawatt.report.charts import CHARTS
from gigawatt.report.compare_charts import COMPARE_CHARTS
from gigawatt.report.deals_charts import DEALS_CHARTS
from gigawatt.report.drift_charts import DRIFT_CHARTS
from gigawatt.report.fleet_charts import FLEET_CHARTS
from gigawatt.report.joint_charts import JOINT_CHARTS
from gigawatt.report.market_charts import MARKET_CHARTS
from gigawatt.report.moat_charts import MOAT_CHARTS
from gigawatt.report.net_charts import NET_CHARTS
from gigawatt.report.operate_charts import OPERATE_CHARTS
from gigawatt.report.project_charts import PROJECT_CHARTS
from gigawatt.report.risk_charts import RISK_CHARTS
from gigawatt.report.serve_charts import SERVE_CHARTS, SERVICE_CHARTS
from gigawatt.report.sweep_charts import SWEEP_CHARTS
from gigawatt.report.theme import Figure
from gigawatt.report.train_charts import TRAIN_CHARTS
from gigawatt.study.result import RunResult

Chart = Callable[[RunResult], Figure | None]

BY_QUESTION: Mapping[str, Mapping[str, Chart]] = {
    "plan": {**CHARTS, **DRIFT_CHARTS, **JOINT_CHARTS},
    "deals": DEALS_CHARTS,
    "market": MARKET_CHARTS,
    "project": PROJECT_CHARTS,
    "network": NET_CHARTS,
    "serve": SERVE_CHARTS,
    "service": SERVICE_CHARTS,
    "train": TRAIN_CHARTS,
    "moats": MOAT_CHARTS,
    "operate": OPERATE_CHARTS,
    "fleet": FLEET_CHARTS,
    "risk": RISK_CHARTS,
    "sweep": SWEEP_CHARTS,
    "compare": COMPARE_CHARTS,
}


def question_of(result: RunResult) -> str:
    """What the run answers: a key of `BY_QUESTION`, else 'plan'."""
    asked = str(result.manifest.get("question") or "plan")
    return asked if asked in BY_QUESTION else "plan"


def chart_of(result: RunResult, name: str) -> Figure | None:
    """The chart of one table of a run, or None where it has none."""
    made = BY_QUESTION[question_of(result)].get(name)
    return made(result) if made else None

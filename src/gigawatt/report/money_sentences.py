"""What each table of a deals, market or project run says, in one sentence made from its own numbers, and the essay's claim.

Every function takes the run and returns a sentence, or '' where its table is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.report import sentences as say
from gigawatt.report.chart_parts import rows_with, value_of
from gigawatt.report.deals_charts import OWN_MONEY
from gigawatt.report.fleet_parts import FLEET_SENTENCES
from gigawatt.report.money_charts import question_of
from gigawatt.report.numbers import number, quantity, span
from gigawatt.report.sentences import metric, rows_of
from gigawatt.study.result import RunResult

WEAK_GRADES = ("C", "D")  # secondary sources, and our own arithmetic


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the essay beside what the run computes of it."""

    number: str
    says: str
    computes: tuple[str, ...]
    since: tuple[str, ...]
    refuted_by: str
    sources: tuple[str, ...]


def claim_of(result: RunResult) -> Claim | None:
    """The claim that the run is about: from its manifest, its scenario or its sentences; None where there is none."""
    given = result.manifest.get("claim")
    if not isinstance(given, Mapping):
        scenario = result.manifest.get("scenario")
        given = scenario.get("claim") if isinstance(scenario, Mapping) else None
    lines = list(result.texts.get("claim", []))
    if not isinstance(given, Mapping) or not given.get("says"):
        return Claim("", "", tuple(lines), (), "", ()) if lines else None
    told = [line.partition(": ")[2] for line in lines if line.startswith("The engine computes: ")]
    computes = told or list(result.texts.get("answer", []))[:3] or [result.headline]
    return Claim(
        str(given.get("number") or ""),
        _flat(given["says"]),
        tuple(computes),
        _lines(given.get("since")),
        _flat(given.get("refuted_by")),
        _lines(given.get("sources")),
    )


def _flat(text: Any) -> str:
    return " ".join(str(text or "").split())


def _lines(given: Any) -> tuple[str, ...]:
    found = [given] if isinstance(given, str) else list(given or ())
    return tuple(_flat(line) for line in found if _flat(line))


# What a measure of the circle is called; ':' and a company may follow.
MEASURES: Mapping[str, str] = {
    "finn_cycling_index": "goes round (Finn's index)",
    "core_size": "in the circle",
    "loop_breakers": "would end every loop",
    "own_funded_share": "own money in sales",
    "own_funded_share_here": "own money in sales here",
    "invested_over_sales": "put in, over sales",
    "returned_share": "of that comes back",
    "demand_removed": "sold only by funding",
    "demand_removed_share": "the same, over sales",
    "contingent_over_sales": "guarantees, over sales",
}


def measure_words(name: str) -> str:
    """The name of a measure as words.

    >>> measure_words("own_funded_share:nvidia"), measure_words("a_new_one")
    ('nvidia: own money in sales', 'a new one')
    """
    key, _, company = name.partition(":")
    words = MEASURES.get(key, key.replace("_", " "))
    return f"{company}: {words}" if company else words


def contracts(result: RunResult) -> str:
    """How much is announced, how much of it is in force, and how well it is known."""
    rows = rows_of(result, "contracts")
    if not rows:
        return ""
    force = [row for row in rows if row.get("counts") == "cash"]
    wish = [row for row in rows if row.get("counts") == "headline"]
    paid = sum(value_of(row.get("cash_usd")) or 0.0 for row in rows)
    text = f"{len(force)} of {len(rows)} contracts are in force"
    text += f" and pay {quantity(paid, 'USD')} over the horizon"
    if wish:
        meant = sum(value_of(row.get("headline_usd")) or 0.0 for row in wish)
        are = "is" if len(wish) == 1 else "are"
        text += f"; {len(wish)} {are} no more than a letter ({quantity(meant, 'USD')}), of which no cash counts"
    weak = sum(str(row.get("grade")) in WEAK_GRADES for row in rows)
    return text + (f"; {weak} rest on secondary sources or our own arithmetic." if weak else ".")


def circularity(result: RunResult) -> str:
    """What part of the money goes round, and between whom."""
    found = {str(row["name"]): row for row in rows_of(result, "circularity")}
    index = value_of((found.get("finn_cycling_index") or {}).get("value"))
    if index is None:
        return ""
    if index == 0:
        return "No money goes round: what each pays never comes back to it."
    core = str((found.get("core_size") or {}).get("meaning") or "").partition(": ")[2]
    return f"{quantity(index, 'share')} of all money passes a company twice or more" + (
        f"; the circle is {core}." if core else "."
    )


def whose_money(result: RunResult) -> str:
    """The largest source of each vendor's revenue, and its own share."""
    said = []
    rows = rows_with(rows_of(result, "whose_money"), "share")
    for name in dict.fromkeys(str(row["company"]) for row in rows):
        mine = sorted((row for row in rows if str(row["company"]) == name), key=lambda row: -float(row["share"]))
        own = sum(row["share"] for row in mine if row["funded_by"] == OWN_MONEY)
        text = f"{name}'s sales are paid for {quantity(mine[0]['share'], 'share')} by {mine[0]['funded_by']}"
        said.append(text + (f" and for {quantity(own, 'share')} by its own money" if own else ""))
    return "; ".join(said[:3]) + "." if said else ""


def stress(result: RunResult) -> str:
    """Whether anyone falls undisturbed, and the shock that costs creditors most."""
    rows = rows_with(rows_of(result, "stress"), "lost_usd")
    if not rows:
        return ""
    base = next((row for row in rows if row["shock"] == "none"), None)
    text = ""
    if base is not None:
        text = (
            f"Undisturbed {base['first_default']} falls first, by {base['date']}. "
            if base.get("first_default")
            else "Undisturbed, nobody falls. "
        )
    worst = max(rows, key=lambda row: float(row["lost_usd"]))
    if worst["lost_usd"] <= 0:
        return text + "No shock tried here makes creditors lose."
    who = f"; {worst['first_default']} falls first, by {worst['date']}" if worst.get("first_default") else ""
    return text + f"Creditors lose most under '{worst['shock']}': {quantity(worst['lost_usd'], 'USD')}{who}."


def claims(result: RunResult) -> str:
    """How much may still be called, and from whom most."""
    rows = rows_with(rows_of(result, "claims"), "amount_usd")
    if not rows:
        return ""
    against: dict[str, float] = {}
    for row in rows:
        against[str(row["against"])] = against.get(str(row["against"]), 0.0) + row["amount_usd"]
    who = max(against, key=lambda name: against[name])
    part = quantity(against[who], "USD") if len(against) > 1 else "all"
    return f"Up to {quantity(sum(against.values()), 'USD')} may still be called, {part} of it from {who}."


def companies(result: RunResult) -> str:
    """Who has least cash, and who falls in many of the draws."""
    rows = rows_with(rows_of(result, "companies"), "cash_usd")
    if not rows:
        return ""
    said = []
    # Only a company without a stated purse begins with nothing and goes below zero: that is what it needs from outside.
    empty = {
        str(row["company"]) for row in rows if row["cash_usd"] < -1 or (row.get("period") == 0 and not row["cash_usd"])
    }
    purses = [row for row in rows if str(row["company"]) not in empty]
    if purses:
        least = min(purses, key=lambda row: float(row["cash_usd"]))
        said.append(
            f"Cash is lowest at {quantity(round(least['cash_usd']), 'USD')} ({least['company']}, {least['date_end']})"
        )
    risk: dict[str, float] = {}
    for row in rows_with(rows, "default_share"):
        risk[str(row["company"])] = max(risk.get(str(row["company"]), 0.0), row["default_share"])
    told = sorted(((share, name) for name, share in risk.items() if share > 0), reverse=True)[:4]
    if told:
        falls = ", ".join(f"{name} {quantity(share, 'share')}" for share, name in told)
        said.append(f"in default by the end, of the draws: {falls}")
    text = "; ".join(said)
    return text[:1].upper() + text[1:] + "." if text else ""


def backlog(result: RunResult) -> str:
    """Firm against announced, at the start."""
    rows = rows_with(rows_of(result, "backlog"), "firm_usd", "headline_usd")
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(str(row["company"]), row)
    firm = sum(row["firm_usd"] for row in first.values())
    wide = sum(row["headline_usd"] for row in first.values())
    if not wide:
        return ""
    owed = quantity(firm / wide, "share")
    return f"Of {quantity(wide, 'USD')} still to come after the first quarter {owed} is owed whatever happens."


def debt_service(result: RunResult) -> str:
    """The lowest cover, whose it is, and when."""
    rows = [row for row in rows_with(rows_of(result, "debt_service"), "dscr") if _owed(row)]
    if not rows:
        return ""
    least = min(rows, key=lambda row: float(row["dscr"]))
    who = next((str(least[name]) for name in ("company", "loan", "tranche") if least.get(name)), "")
    when = least.get("date_end") or least.get("date") or least.get("period")
    return f"The lowest cover of debt service is {number(float(least['dscr']))} x" + (
        f" ({who}, {when})." if who else f" ({when})."
    )


def _owed(row: Mapping[str, Any]) -> bool:
    return bool((value_of(row.get("interest_usd")) or 0.0) + (value_of(row.get("principal_usd")) or 0.0) > 0.5)


def network(result: RunResult) -> str:
    """Links and parties; how many are only meant."""
    rows = rows_of(result, "network")
    if not rows:
        return ""
    parties = {str(row[end]) for row in rows for end in ("source", "target")}
    meant = sum(row.get("status") == "intent" for row in rows)
    letters = f", {meant} of them by letter of intent only" if meant else ""
    return f"{len(rows)} links between {len(parties)} parties{letters}."


def market_quarters(result: RunResult) -> str:
    """The last quarter reported and the one that is forecast."""
    found = result.manifest.get("forecast")
    if not isinstance(found, Mapping) or found.get("value") is None or not rows_of(result, "quarters"):
        return ""
    unit = str(found.get("unit") or "USD")
    ends = span(found.get("low"), found.get("high"), unit)
    return f"{found.get('quarter')}: {quantity(found['value'], unit)}" + (f" (80 %: {ends})." if ends else ".")


def forecast_rows(result: RunResult) -> str:
    """How far the rules stand apart."""
    rows = rows_with(rows_of(result, "forecast_rows"), "value_usd")
    if len(rows) < 2:
        return ""
    values = [row["value_usd"] for row in rows]
    return f"{len(rows)} rules say {span(min(values), max(values), 'USD')}."


def backtest(result: RunResult) -> str:
    """The rule that missed least, beside the run's own."""
    rows = rows_with(rows_of(result, "backtest"), "mape_share")
    if not rows:
        return ""
    best = min(rows, key=lambda row: float(row["mape_share"]))
    own = next((row for row in rows if row.get("is_default")), None)
    name, miss = best.get("words") or best["rule"], quantity(best["mape_share"], "share")
    text = f"Over {number(best.get('quarters'))} past quarters the least mean miss is {miss} ({name})"
    if own is None or own is best:
        return text + "."
    return f"{text}; the rule used here missed by {quantity(own['mape_share'], 'share')}."


def binding(result: RunResult) -> str:
    """What binds, and what one more of it is worth."""
    row = next((row for row in rows_of(result, "binding") if row.get("binds")), None)
    if row is None:
        return ""
    level, worth = quantity(row.get("allows_gw"), "GW"), quantity(row.get("worth_usd"), "USD")
    return f"{row['input']} binds at {level}; one more of it ({row.get('unit')}) is worth {worth} in the quarter."


def ramp(result: RunResult) -> str:
    """The bill, and what runs short first."""
    bill = metric(result, "bill_per_year")
    first = next((row for row in rows_of(result, "ramp") if row.get("runs_short_first")), None)
    said = []
    if bill:
        said.append(
            f"the bill is {quantity(bill['value'], bill['unit'])} a year ({span(bill['low'], bill['high'], bill['unit'])})"
        )
    if first:
        since, times = first.get("short_from"), number(first.get("needed_multiple"))
        said.append(f"{first['input']} runs short first, from {since}, and must become {times} times what it is")
    text = "; ".join(said)
    return text[:1].upper() + text[1:] + "." if text else ""


def ban(result: RunResult) -> str:
    """Selling against the ban over the speeds tried."""
    rows = rows_with(rows_of(result, "ban"), "value_usd", "speed")
    if not rows:
        return ""
    values = [row["value_usd"] for row in rows]
    slow, fast = (number(float(row["speed"])) for row in (rows[0], rows[-1]))
    worth = span(min(values), max(values), "USD")
    return f"Between speeds of {slow} and {fast} selling is worth {worth} more than the ban."


def rent_fan(result: RunResult) -> str:
    """The rent at the end with its band."""
    rows = rows_with(rows_of(result, "rent_fan"), "rent_p50")
    if not rows:
        return ""
    end = rows[-1]
    band = span(end.get("rent_p10"), end.get("rent_p90"), "USD/h")
    return f"By {end['quarter']} the rent is {quantity(end['rent_p50'], 'USD/h')} in the middle ({band})."


def sources_uses(result: RunResult) -> str:
    """What the project costs, once all is counted."""
    rows = rows_with(rows_of(result, "sources_uses"), "amount_usd")
    uses = sum(row["amount_usd"] for row in rows if row.get("side") == "use")
    paid = sorted((row for row in rows if row.get("side") == "source"), key=lambda row: -float(row["amount_usd"]))
    if not uses or not paid:
        return ""
    most, part = paid[0]["item"], quantity(paid[0]["amount_usd"] / uses, "share")
    return f"{quantity(uses, 'USD')} are to be paid for; {part} of it comes from {most}."


def covenants(result: RunResult) -> str:
    """How many tests fail."""
    rows = rows_of(result, "covenants")
    if not rows or "breached" not in rows[0]:
        return ""
    broken = [row for row in rows if row.get("breached") and row["breached"] not in ("no", "False")]
    return f"{len(broken)} of {len(rows)} tests are breached." if broken else f"All {len(rows)} tests hold."


Says = Callable[[RunResult], str]
SENTENCES_BY_QUESTION: Mapping[str, Mapping[str, Says]] = {
    "plan": say.SENTENCES,
    "deals": {
        "contracts": contracts,
        "network": network,
        "circularity": circularity,
        "whose_money": whose_money,
        "stress": stress,
        "claims": claims,
        "companies": companies,
        "backlog": backlog,
        "debt_service": debt_service,
        "cash_links": say.cash,
    },
    "market": {
        "quarters": market_quarters,
        "forecast_rows": forecast_rows,
        "backtest": backtest,
        "binding": binding,
        "ramp": ramp,
        "ban": ban,
        "rent_fan": rent_fan,
    },
    "compare": {},
    "network": {},
    "serve": {},
    "service": {},
    "train": {},
    "moats": {},
    "operate": {},
    "fleet": FLEET_SENTENCES,
    "risk": {},
    "sweep": {},
    "project": {"debt_service": debt_service, "sources_uses": sources_uses, "covenants": covenants},
}


def says(result: RunResult, table: str) -> str:
    """The sentence of one table of the run; '' where it has none."""
    made = SENTENCES_BY_QUESTION[question_of(result)].get(table)
    return made(result) if made else ""


def said(result: RunResult) -> list[str]:
    """Every sentence of the run's tables, in reading order."""
    return [text for made in SENTENCES_BY_QUESTION[question_of(result)].values() if (text := made(result))]

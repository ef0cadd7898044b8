"""What each part of a run says, in one sentence made from its own numbers.

Every function takes the run and returns a sentence, or '' where its table is missing: terminal and page share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gigawatt.report.grid import company_columns, limit_units
from gigawatt.report.numbers import number, quantity, scaled, span
from gigawatt.study.result import RunResult

BINDING_SHARE = 0.999  # a limit used to this share counts as reached where it has no price to say so


def rows_of(result: RunResult, name: str) -> list[dict[str, Any]]:
    """The rows of one table; none where the run has no such table."""
    table = result.tables.get(name)
    return list(table.rows()) if table is not None else []


def metric(result: RunResult, *names: str) -> dict[str, Any] | None:
    """The first headline metric of these names that the run has."""
    for name in names:
        for row in result.metrics.rows():
            if row["name"] == name:
                return row
    return None


def _total(rows: list[dict[str, Any]], column: str) -> float:
    return float(sum(row.get(column) or 0.0 for row in rows))


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""


def plan(result: RunResult) -> str:
    """How much of what, for how much, worth how much."""
    rows = rows_of(result, "plan")
    if not rows:
        return ""
    platforms = len({row["platform"] for row in rows})
    value = metric(result, "system_npv", "system_npv_usd")
    worth = quantity(value["value"], value["unit"]) if value else quantity(_total(rows, "npv_usd"), "USD")
    band = span(value["low"], value["high"], value["unit"]) if value else ""
    return (
        f"{quantity(_total(rows, 'racks'), 'racks')} of {platforms} platform{'s' if platforms > 1 else ''} draw "
        f"{quantity(_total(rows, 'mw'), 'MW')} and cost {quantity(_total(rows, 'capex_usd'), 'USD')}; "
        f"the plan is worth {worth}" + (f" (80 %: {band}, fleet held)." if band else ".")
    )


def excluded(result: RunResult) -> str:
    """What was not bought, and the nearest to being so."""
    rows = rows_of(result, "excluded")
    if not rows:
        return ""
    near = [row for row in rows if isinstance(row.get("price_change_needed"), float)]
    text = f"{len(rows)} pairing{'s' if len(rows) > 1 else ''} of platform and workload stayed out"
    if not near:
        return text + "."
    first = max(near, key=lambda row: row["price_change_needed"])
    return (
        f"{text}; nearest to getting in is {first['platform']} on {first['workload']}, "
        f"at a price {number(100 * first['price_change_needed'], 2)} %."
    )


def binding(result: RunResult) -> list[dict[str, Any]]:
    """The limits that bind: those with a price, else those used up."""
    rows = rows_of(result, "limits")
    priced = [row for row in rows if row.get("shadow_price_up") or row.get("shadow_price_down")]
    return priced or [row for row in rows if (row.get("used_share") or 0) >= BINDING_SHARE]


def worth_of_one_more(row: Mapping[str, Any]) -> str:
    """'3.86 M USD/MW/yr', with the other side where the two differ by over 1 %; an obligation's worth is a cost."""
    up, down, unit = row.get("shadow_price_up"), row.get("shadow_price_down"), limit_units(row)[1]
    if not up and not down:
        return "nothing: not short"
    one = up if up is not None else down
    other = down if up is not None else None
    if one is not None and one < 0:
        return f"costs {quantity(-one, unit)}"
    if other is None or one is None or abs(one - other) <= 0.01 * max(abs(one), abs(other)):
        return quantity(one, unit)
    factor, shown = scaled(unit, max(abs(one), abs(other)))
    return f"{number(one * factor)} {shown}; one less costs {number(other * factor)}"


def limits(result: RunResult) -> str:
    """What binds."""
    rows = rows_of(result, "limits")
    if not rows:
        return ""
    short = [str(row["name"]) for row in binding(result)]
    if not short:
        return "Nothing named here is short: more of it would not be used."
    return f"{_join(short)[0].upper()}{_join(short)[1:]} {'limits' if len(short) == 1 else 'limit'} this plan."


def performance(result: RunResult) -> str:
    """What binds each workload and how wrong such answers have been."""
    rows = rows_of(result, "performance")
    if not rows:
        return ""
    said = dict.fromkeys(f"{row['workload']} on {row['platform']} is bound by {row['bound']}" for row in rows)
    errors = [row["error_median"] for row in rows if isinstance(row.get("error_median"), float)]
    text = _join(list(said))
    text = text[0].upper() + text[1:] + "."
    if errors:
        low, high = quantity(min(errors), "share"), quantity(max(errors), "share")
        text += (
            f" Such answers were off by {low if low == high else f'{low} to {high}'} (median) where they were measured."
        )
    return text


def power(result: RunResult) -> str:
    """How much of the meter reaches the IT and the chips."""
    rows = rows_of(result, "power")
    root = next((row for row in rows if not row.get("parent")), None)
    if root is None:
        return ""
    said = [f"{quantity(root['watts'], 'W')} at the {root['stage']}"]
    for parent in [root, *(row for row in rows if row.get("parent"))]:
        parts = [row for row in rows if row.get("parent") == parent["stage"]]
        if parts:
            sums = " + ".join(_part(row) for row in parts)
            said.append(f"{quantity(parent['watts'], 'W')} {parent['stage']} = {sums}")
    return (
        said[0] + said[1].removeprefix(f"{quantity(root['watts'], 'W')} {root['stage']}") if said[1:] else said[0]
    ) + ("".join(f"; {text}" for text in said[2:]) + ".")


def _part(row: Mapping[str, Any]) -> str:
    share = f" ({quantity(row['share'], 'share')})" if row.get("share") is not None else ""
    return f"{quantity(row['watts'], 'W')} {row['stage']}{share}"


def companies(result: RunResult) -> str:
    """Who gains most and least, in present value."""
    rows = [row for row in rows_of(result, "companies") if row.get("npv_usd") is not None]
    if not rows:
        return ""
    best, worst = max(rows, key=lambda r: r["npv_usd"]), min(rows, key=lambda r: r["npv_usd"])
    text = f"In present value {best['company']} gains most ({quantity(best['npv_usd'], 'USD')})"
    if worst is not best:
        text += f", {worst['company']} least ({quantity(worst['npv_usd'], 'USD')})"
    funded = metric(result, "vendor_funded_share")
    if funded and funded["value"]:
        text += f"; {quantity(funded['value'], 'share')} of the vendor's sale was paid with its own money"
    return text + "."


def cash(result: RunResult) -> str:
    """The largest payment between two parties."""
    rows = rows_of(result, "cash_links")
    if not rows:
        return ""
    big = max(rows, key=lambda r: r["amount_usd"])
    return (
        f"Over the horizon the largest payment is {quantity(big['amount_usd'], 'USD')} "
        f"from {big['source']} to {big['target']} ({big['account']})."
    )


def quarters(result: RunResult) -> str:
    """The deepest quarter of any company."""
    table = result.tables.get("quarters")
    worst: tuple[float, str, str] | None = None
    for row in rows_of(result, "quarters"):
        for company in company_columns(table) if table is not None else ():
            amount = row[company]
            if amount is not None and (worst is None or amount < worst[0]):
                worst = (float(amount), company, str(row.get("date_end") or row.get("period")))
    if worst is None:
        return ""
    return f"The deepest quarter is {worst[1]}'s {quantity(worst[0], 'USD')}, ending {worst[2]}."


def capex(result: RunResult) -> str:
    """The largest part."""
    rows = rows_of(result, "capex")
    if not rows:
        return ""
    big = max(rows, key=lambda r: r["usd"])
    total = _total(rows, "usd")
    share = quantity(big["usd"] / total, "share")
    return f"Capital of {quantity(total, 'USD')}; the largest part is {big['part']} with {share}."


def contracts(result: RunResult) -> str:
    """Our revenue per MW-year beside what was signed."""
    rows = rows_of(result, "contracts_beside")
    ours = [row for row in rows if row.get("kind") == "ours"]
    signed = [row["usd_m_per_mw_yr"] for row in rows if row.get("kind") != "ours"]
    if not ours or not signed:
        return ""
    return (
        f"One MW earns {number(float(ours[0]['usd_m_per_mw_yr']))} M USD a year here; "
        f"signed contracts pay {number(float(min(signed)))} to {number(float(max(signed)))}."
    )


def moats(result: RunResult) -> list[str]:
    """One sentence a regime: each moat's Shapley value per MW-year with its band."""
    found: dict[str, list[str]] = {}
    for row in rows_of(result, "moats"):
        value = row.get("shapley_usd_per_mw_yr")
        if value is None:
            continue
        said = f"{str(row['moat']).replace('_', ' ')} {number(value / 1e6, 2)}"
        if row.get("low") is not None and row.get("high") is not None:
            said += f" ({number(row['low'] / 1e6, 2)} to {number(row['high'] / 1e6, 2)})"
        found.setdefault(str(row["regime"]), []).append(said)
    return [f"{regime}: {', '.join(parts)} M USD/MW/yr" for regime, parts in found.items()]


def objectives(result: RunResult) -> str:
    """Whether it matters whose value is maximised."""
    rows = rows_of(result, "objectives")
    values = [row["system_npv_usd"] for row in rows if row.get("system_npv_usd") is not None]
    if len(values) < 2:
        return ""
    spread = max(values) - min(values)
    return f"Whose value is maximised moves the system's NPV by {quantity(spread, 'USD')}."


def assumptions(result: RunResult) -> str:
    """How many inputs, and how many of them are our own assumptions."""
    rows = rows_of(result, "assumptions")
    if not rows:
        return ""
    assumed = sum(row.get("kind") == "assumed" for row in rows)
    return f"{len(rows)} inputs stand behind this run; {assumed} of them are assumed, the others name their source."


def provisioning(result: RunResult) -> str:
    """What the run sets aside for a rack, how often that is exceeded, and what the best of the other policies is worth."""
    rows = rows_of(result, "provisioning")
    mine = next((row for row in rows if row["chosen"]), None)
    if mine is None or mine.get("gpus_per_mw") is None:
        return ""
    text = (
        f"With {mine['policy']} provisioning a MW holds {number(mine['gpus_per_mw'])} GPUs, and racks draw more than is set "
        f"aside for them in {number(100 * mine['exceeded'])} % of the time."
    )
    if mine["policy"] == "busy" and mine["exceeded"] > 0 and mine.get("capped_loss") is not None:
        text += f" Caps that hold them to it would cost {number(100 * mine['capped_loss'])} % of tokens, which is not counted."
    others = [row for row in rows if not row["chosen"] and row.get("gpus_per_mw") is not None]
    if others:
        low, high = (f(others, key=lambda row: row["gpus_per_mw"]) for f in (min, max))
        text += (
            f" The other policies hold {number(low['gpus_per_mw'])} ({low['policy']}) to {number(high['gpus_per_mw'])} "
            f"({high['policy']})."
        )
    return text


def weakest(result: RunResult) -> str:
    """The input whose own range moves the answer most."""
    rows = rows_of(result, "weakest")
    if not rows or rows[0].get("effect_usd") is None:
        return ""
    first = max(rows, key=lambda r: abs(r.get("effect_usd") or 0.0))
    return (
        f"The weakest input is {first['name']}: its own range moves NPV by {quantity(abs(first['effect_usd']), 'USD')}."
    )


def weakest_lines(result: RunResult, most: int = 3) -> list[str]:
    """The weakest inputs as sentences: the run's own, else the first rows of its table."""
    said = [line for line in result.texts.get("weakest", []) if line.strip()]
    if said:
        return said
    rows = [row for row in rows_of(result, "weakest") if row.get("effect_usd")][:most]
    return [f"{row['name']} (moves NPV by {quantity(abs(row['effect_usd']), 'USD')})" for row in rows]


SENTENCES: Mapping[str, Callable[[RunResult], str]] = {
    "plan": plan,
    "excluded": excluded,
    "limits": limits,
    "performance": performance,
    "power": power,
    "provisioning": provisioning,
    "companies": companies,
    "cash_links": cash,
    "quarters": quarters,
    "capex": capex,
    "contracts_beside": contracts,
    "objectives": objectives,
    "assumptions": assumptions,
    "weakest": weakest,
}

"""The reference page of contracts, `docs/reference/contracts.md`, made from the doors of the kinds themselves.

What a kind is called, what it means, its terms, their dimensions and defaults come from `finance.contracts.kinds()`; who
pays whom and an example of each stand here. A kind of ours without either is an error, so that none goes undocumented.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.contracts import Kind, Term, kinds
from gigawatt.finance.contracts.status import CASH, HEADLINE, STATUSES

PLACE = Path("reference", "contracts.md")

# kind -> (who is `pays`, who is `gets`)
SIDES: Mapping[str, tuple[str, str]] = {
    "spot_purchase": ("the buyer", "the seller"),
    "purchase": ("the buyer", "the seller"),
    "prepayment": ("the customer", "the supplier"),
    "milestone_tranche": ("the investor", "the company that builds"),
    "take_or_pay": ("the tenant", "the owner"),
    "compute_lease": ("the lessee", "the lessor"),
    "capacity_backstop": ("the backer", "the owner of the site"),
    "guarantee": ("the guarantor", "the creditor"),
    "term_loan": ("the lender", "the borrower"),
    "bond": ("the holders", "the issuer"),
    "spv": ("the project company", "its owner"),
    "equity": ("the investor", "the company"),
    "warrant": ("the issuer", "the customer that gets the shares"),
    "revenue_share": ("the company that shares", "who gets a part"),
    "royalty": ("the user", "the owner of the software"),
}

# kind -> a contract between parties `vendor`, `lab`, `cloud` and `bank`, with a site `hall` and paths `share`, `rent-level`,
# `base-rate` and `worth`. All figures are made up.
EXAMPLES: Mapping[str, str] = {
    "spot_purchase": "{id: by-the-day, kind: spot_purchase, pays: lab, gets: cloud, mw: 50 MW, price: 11 million USD/MW/yr,\n"
    "   index: rent-level}",
    "purchase": "{id: racks, kind: purchase, pays: cloud, gets: vendor, site: hall, amount: 30 billion USD, per: 1 GW,\n"
    "   maximum: 60 billion USD, prepaid: 10 %, account: capex, part: accelerators}",
    "prepayment": "{id: ahead, kind: prepayment, pays: lab, gets: cloud, amount: 2 billion USD, term: 4 yr, starts: 2026-07}",
    "milestone_tranche": "{id: letter, kind: milestone_tranche, pays: vendor, gets: lab, site: hall, amount: 10 billion USD,\n"
    "   per: 1 GW, maximum: 100 billion USD, events: [{known_on: 2025-11-20, status: intent}]}",
    "take_or_pay": "{id: rent, kind: take_or_pay, pays: lab, gets: cloud, site: hall, price: 12 million USD/MW/yr,\n"
    "   term: 5 yr, floor: 80 %, cancel_notice: 0.5}",
    "compute_lease": "{id: lease, kind: compute_lease, pays: lab, gets: cloud, value: 5 billion USD, term: 4 yr, rate: 9 %,\n"
    "   residual: 20 %, guaranteed: 20 %, market_value: worth}",
    "capacity_backstop": "{id: backstop, kind: capacity_backstop, pays: vendor, gets: cloud, site: hall, mw: 500 MW,\n"
    "   price: 10 million USD/MW/yr, cap: 6 billion USD}",
    "guarantee": "{id: standby, kind: guarantee, pays: vendor, gets: cloud, covers: rent, share: 50 %, cap: 15 billion USD}",
    "term_loan": "{id: debt, kind: term_loan, pays: bank, gets: cloud, share_of_capex: 70 %, base: base-rate, spread: 4 %,\n"
    "   term: 5 yr, repayment: amortising, fee: 1 %}",
    "bond": "{id: notes, kind: bond, pays: bank, gets: cloud, amount: 2 billion USD, rate: 9.25 %, term: 5 yr}",
    "spv": "{id: distributions, kind: spv, pays: cloud, gets: vendor, share: 40 %, lockup: 1.2, reserve: 0.5}",
    "equity": "{id: stake, kind: equity, pays: vendor, gets: lab, shares: 100e6, price: 40 USD, on: 2026-09, index: share}",
    "warrant": "{id: shares-for-orders, kind: warrant, pays: vendor, gets: lab, site: hall, shares: 20e6, strike: 0.01 USD,\n"
    "   price: share, tranches: [{power: 1 GW}, {power: 2 GW, price: 60 USD}]}",
    "revenue_share": "{id: part-of-sales, kind: revenue_share, pays: lab, gets: cloud, share: 20 %, cap: 10 billion USD}",
    "royalty": "{id: software, kind: royalty, pays: cloud, gets: vendor, site: hall, price: 0.2 million USD/MW/yr}",
}

# A file that holds all the examples; a test reads and runs it.
AROUND = """\
schema: 1
question: deals
name: all-kinds
as_of: 2025-12-31
samples: 0
horizon: {start: 2026-01-01, years: 6}
sites:
  - {id: hall, built: {2026-04-01: 1 GW, 2027-04-01: 2 GW}, used: 85 %}
paths:
  - {id: share, kind: share, start: 40 USD, growth: 20 %/yr}
  - {id: rent-level, growth: -10 %/yr}
  - {id: base-rate, kind: rate, start: 4 %}
  - {id: worth, growth: -30 %/yr}
outside: [bank]
companies:
  - {id: vendor, role: vendor, opening: {on: 2025-12-31, cash: 60 billion USD}, gross_margin: 75 %}
  - {id: lab, role: lab, opening: {on: 2025-12-31, cash: 40 billion USD}}
  - {id: cloud, role: operator, opening: {on: 2025-12-31, cash: 20 billion USD}}
flows:
  - {id: tokens, pays: customers, gets: lab, amount: 25 billion USD/yr, growth: 40 %/yr}
"""

HEAD = """\
# Contracts

Made from the kinds' own doors by `python -m gigawatt.report.pages`; do not edit. How to write a file of them:
[Deals](../how-to/deals.md); what the engine does with them: [the model](../model/deals.md).

## What every contract may say

| field | what it is |
|---|---|
| `id` | its name, by which guarantees, shocks and `--set contracts.ID.TERM=...` find it |
| `kind` | one of those below |
| `pays`, `gets` | who pays first and who gets it: companies of the file, or outside parties |
| `site` | what it meters or counts, where its kind does |
| `starts`, `ends` | its life; `2026-07` starts on the 1st and ends on the 31st. Without `starts`: the first period |
| `status` | {statuses} |
| `events` | its history: a list of {{known_on, status, effective_on, terms, source, grade, note}} |
| `headline` | what was announced of it |
| `grade`, `source`, `note` | how it is known: A filing or release, B press that quotes one, C secondary, D own arithmetic |

{cash} move cash; {headline} count in the headline. Without
a history a contract is known from the start, and `definitive (hypothetical)`.
"""


def contracts_page() -> str:
    """The page as text.

    Raises:
        InputError: a kind of ours has no example or no sides here.
    """
    own = kinds()
    missing = [name for name in own if name not in SIDES or name not in EXAMPLES]
    if missing:
        raise InputError(Problem("no_example", f"contract kinds without an example: {', '.join(missing)}"))
    quoted = [f"`{status}`" for status in STATUSES]
    parts = [
        HEAD.format(
            statuses=", ".join(quoted),
            cash=", ".join(f"`{status}`" for status in STATUSES if status in CASH),
            headline="these and " + ", ".join(f"`{status}`" for status in STATUSES if status in HEADLINE - CASH),
        )
    ]
    parts += [_section(kind) for kind in own.values()]
    return "\n".join(parts)


def write_contracts(folder: Path) -> Path:
    """Write the page below the docs folder."""
    path = folder / PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(contracts_page(), encoding="utf-8", newline="\n")
    return path


def _section(kind: Kind) -> str:
    pays, gets = SIDES[kind.name]
    given = {field.name: field for field in fields(kind.terms)}
    rows = [
        f"| `{name}` | {_dimension(term)} | {_example(term)} | {_default(given[term.field], term)} | {term.meaning} |"
        for name, term in kind.door.items()
    ]
    stage = {
        "operating": "",
        "financing": " It sees what the operating contracts leave.",
        "owner": " It sees what operating and financing leave.",
    }[kind.stage]
    return "\n".join(
        [
            f"## {kind.name}",
            "",
            f"{kind.meaning} `pays`: {pays}; `gets`: {gets}.{stage}",
            "",
            "| term | dimension | for example | default | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "```yaml",
            f"- {EXAMPLES[kind.name]}",
            "```",
            "",
        ]
    )


# Where the usual example of a dimension would mislead: by field of the terms.
_SAMPLES = {
    "price_usd": "23.28 USD",
    "strike_usd": "0.01 USD",
    "lockup_dscr": "1.2",
    "covenant_dscr": "1.1",
    "shares": "160e6",
    "reserve_years": "0.5",
    "cancel_notice_years": "0.25",
}
_PLAIN = {"years": "years", "text": "text", "flag": "true or false", "date": "day", "data": "list"}


def _dimension(term: Term) -> str:
    return _PLAIN.get(term.dimension) or term.dimension.replace("_", " ")


def _example(term: Term) -> str:
    if term.field in _SAMPLES:
        return f"`{_SAMPLES[term.field]}`"
    if term.choices:
        return ", ".join(f"`{choice}`" for choice in term.choices)
    plain = {"years": "`5 yr` or `5`", "flag": "`true`", "date": "`2026-09-30`", "text": "", "data": "see below"}
    if term.dimension in plain:
        return plain[term.dimension]
    return " or ".join(f"`{one}`" for one in units.DIMENSIONS[term.dimension][1].split(" or "))


def _default(field: Field[Any], term: Term) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "needed"
    value = field.default
    if value is None or value == "" or value is MISSING:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isinf(value):
            return "no limit"
        if term.dimension == "share":
            return f"{100 * value:g} %"
        return f"{value:g} yr" if term.dimension == "years" else f"{value:g}"
    return str(value) if isinstance(value, str) else "all at once"

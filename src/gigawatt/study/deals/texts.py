"""What a deals run says in words: its headline, the claim it is about, what was left out, where to go next."""

from __future__ import annotations

from gigawatt.core.table import Table
from gigawatt.finance.contracts import counts_as_cash
from gigawatt.finance.settlement import NEVER, Settlement
from gigawatt.study.deals.case import Case
from gigawatt.study.deals.circular import Circular

LEFT_OUT = (
    "Within a quarter all debts rank alike (pari passu); security, seniority between creditors and collateral do not count.",
    "A company in default goes on and pays pro rata; reorganisation, new money and bargaining are left out.",
    "Contracts pay by quarters, at their ends; working capital and foreign currencies are left out.",
    "Tax: a flat rate on income without marks and write-offs, losses carried forward, paid a quarter later.",
    "Leases are booked as operating leases; goods without a stated margin cost their seller nothing here.",
)


def headline(case: Case, base: Settlement, ring: Circular, shocks: Table) -> str:
    """One sentence a reader remembers; `case` and all that follows from it are without what is of grade C."""
    known = case.contracts
    cash = sum(counts_as_cash(one.status) for one in known)
    parts = [
        f"{len(known)} contracts known{_day(case)}, {cash} of them in force, between {len(case.loaded.companies)} companies."
    ]
    named = {str(row["name"]): row["value"] for row in ring.rows}
    for one in ring.by_vendor[:1]:
        share = named.get(f"own_funded_share_here:{one.seller}")
        if isinstance(share, float):
            parts.append(
                f"Of what {one.seller} sells to them, {100 * share:.1f} % is paid with money that it put into them itself."
            )
    fallen = _fallen(base)
    if fallen:
        first = fallen[0]
        missing = base.shortfall_usd[base.parties.index(first[1]), 0] / 1e9
        parts.append(
            f"On this file's assumptions {first[1]} runs out of cash first, by {first[0]}, {missing:.3g} B USD short"
            f"{_grades(case, first[1])}."
        )
    else:
        parts.append("Nobody with a stated purse runs out of cash.")
        broken = next((row for row in shocks.rows() if row["first_default"]), None)
        if broken:
            parts.append(
                f"Under the shock '{broken['shock']}' {broken['first_default']} breaks first, by {broken['date']}."
            )
    return " ".join(parts)


def _grades(case: Case, company: str) -> str:
    """On which facts a statement about a company rests: their grades and the latest day one became known."""
    mine = [one for one in case.contracts if company in (one.deal.pays, one.deal.gets)]
    grades = sorted({one.grade for one in mine if one.grade})
    days = [one.known_on for one in mine if one.known_on is not None]
    if not grades:
        return ""
    latest = f", the latest of {max(days).isoformat()}" if days else ""
    return f" (its contracts: grade {' and '.join(grades)}{latest})"


def _day(case: Case) -> str:
    return f" on {case.loaded.as_of.isoformat()}" if case.loaded.as_of else ""


def _fallen(base: Settlement) -> list[tuple[str, str]]:
    first = base.default_period[:, 0]
    found = sorted((int(first[k]), name) for k, name in enumerate(base.parties) if first[k] < NEVER)
    return [(base.schedule.ends[t].isoformat(), name) for t, name in found]


def texts(case: Case, base: Settlement, line: str) -> dict[str, list[str]]:
    """Lists of sentences by part of the report."""
    out = {"left_out": [*LEFT_OUT], "notes": notes(case, base), "next": ways_on(case)}
    claim = case.loaded.scenario.claim
    if claim is not None:
        out["claim"] = [
            f"The essay says (claim {claim.number}): {claim.says}",
            f"The engine computes: {line}",
            *([] if hindsight(case) else [f"Since then: {line}" for line in claim.since]),
            *([f"Would be refuted by: {claim.refuted_by}"] if claim.refuted_by else []),
            *(f"Source: {line}" for line in claim.sources),
        ]
    return out


def hindsight(case: Case) -> bool:
    """True where the run looks at a day before the file's own: what came later is then left out."""
    own, asked = case.loaded.scenario.as_of, case.loaded.as_of
    return own is not None and asked is not None and asked < own


def notes(case: Case, base: Settlement) -> list[str]:
    """What a reader must know to trust the tables."""
    out = []
    if case.loaded.scenario.description.strip():
        out.append(" ".join(case.loaded.scenario.description.split()))
    if hindsight(case):
        out.append(f"As known on {case.loaded.as_of}: what the file says came later is left out.")
    if case.loaded.unknown_yet:
        names = ", ".join(case.loaded.unknown_yet)
        out.append(f"Not known yet{_day(case)}, and so left out: {names}.")
    weak = [one.id for one in case.loaded.contracts if one.grade == "C"]
    if weak:
        out.append(f"Known from secondary sources only (grade C), in no headline: {', '.join(weak)}.")
    purseless = [c.id for c in case.loaded.companies if not c.has_purse]
    if purseless:
        out.append(f"Without a stated purse, so they never default; what they lack is shown: {', '.join(purseless)}.")
    for company in case.loaded.companies:
        if company.opening is not None and company.opening.cash is not None:
            grade = f", grade {company.opening.grade}" if company.opening.grade else ""
            source = company.opening.source or "the file"
            cash = company.opening.cash / 1e9
            out.append(f"{company.name} begins with {cash:.4g} B USD of cash ({company.opening.on}{grade}: {source}).")
    sites = case.loaded.scenario.sites
    if sites:
        words = "; ".join(f"{site.id}: {site.boundary} power" for site in sites)
        out.append(f"Boundaries of the sites' GW: {words}.")
    out.append(f"Stock-flow consistency: largest residual {base.residual:.1e} of turnover and assets.")
    return out


def ways_on(case: Case) -> list[str]:
    """Commands that go on from here."""
    file = case.loaded.source.file
    out = [
        f"gigawatt deals {file} --as-of 2025-09-24",
        "gigawatt query 'select * from stress'",
        "gigawatt explain announced",
    ]
    return out if case.loaded.as_of is None else out[1:]

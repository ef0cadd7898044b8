"""The chart of accounts: what a payment means on the books of him who pays and of him who is paid.

One posting moves cash from payer to payee; each of the two books a counter-entry on the line named here. A profit
line changes this period's income by the cash; an asset line grows by cash paid out, a claim line by cash taken in.
So every balance sheet ties by construction. A few accounts move no cash: shares given to a customer are the issuer's lower
revenue and his equity, the customer's gain and his stake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gigawatt.core.errors import InputError, unknown_name

Section = Literal["operating", "investing", "financing"]

# Lines of the balance sheet; the others (revenue, expense, interest, tax, investment_income) add to income.
ASSET_LINES = ("fixed_assets", "loans_made", "stakes", "advances_paid")
CLAIM_LINES = ("loans_owed", "advances_received", "paid_in")


@dataclass(frozen=True, slots=True)
class Account:
    """Book line and cash-flow section of the payer and of the payee."""

    name: str
    payer_line: str
    payer_section: Section
    payee_line: str
    payee_section: Section
    meaning: str
    cash: bool = True


def _account(name: str, payer: str, payee: str, meaning: str, sections: str = "operating operating") -> Account:
    first, second = sections.split()
    return Account(name, payer, first, payee, second, meaning)  # type: ignore[arg-type]


CHART: dict[str, Account] = {
    account.name: account
    for account in (
        _account("revenue", "expense", "revenue", "sale to a customer (tokens, runs); detail: the workload"),
        _account("rent", "expense", "revenue", "capacity rented by the MW-year"),
        _account("energy", "expense", "revenue", "electricity"),
        _account("opex", "expense", "revenue", "any other running cost; detail: which"),
        _account("cogs", "expense", "revenue", "what a seller's goods cost him to make"),
        _account("grant", "expense", "revenue", "money given for nothing that is booked as an asset"),
        _account("royalty", "expense", "revenue", "a share of what the payer earns, or for software"),
        _account("guarantee", "expense", "revenue", "what a guarantor pays in another's place"),
        _account("tax", "tax", "revenue", "taxes on income"),
        _account("capex", "fixed_assets", "revenue", "plant bought; detail: the part", "investing operating"),
        _account("residual", "fixed_assets", "fixed_assets", "plant sold; detail: the part", "investing investing"),
        _account("equity", "stakes", "paid_in", "shares bought from the company", "investing financing"),
        _account("dividend", "distribution", "investment_income", "paid out to owners", "financing operating"),
        _account("loan_draw", "loans_made", "loans_owed", "principal lent", "investing financing"),
        _account("loan_repayment", "loans_owed", "loans_made", "principal paid back", "financing investing"),
        _account("loan_interest", "interest", "interest", "interest"),
        _account("loan_fee", "interest", "interest", "upfront fee of a loan, expensed when paid"),
        _account("prepayment", "advances_paid", "advances_received", "paid ahead; negative when credited"),
    )
}  # fmt: skip
CHART["warrant"] = Account(
    "warrant",
    "contra_revenue",
    "operating",
    "gains",
    "investing",
    "shares that vest to a customer; no cash moves",
    False,
)
# What an investor chooses to spend: nobody does so once he, or whom he pays, is in default.
INVESTING = ("capex", "equity", "loan_draw", "grant")
# What a vendor may give his customers so that they can buy.
VENDOR_FUNDING = ("equity", "loan_draw", "grant", "prepayment")


def account_of(name: str) -> Account:
    """The account of 'capex:accelerator' is 'capex'.

    Raises:
        InputError: no such account; names the nearest.
    """
    head = name.partition(":")[0]
    if head not in CHART:
        raise InputError(unknown_name("account", head, CHART))
    return CHART[head]

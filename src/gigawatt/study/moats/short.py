"""The short moat table of a run: the vendor's moats in the site as it is given, with few draws. `gigawatt moats` says more."""

from __future__ import annotations

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.factory.moats import Regime, assess
from gigawatt.study.answer import Answer
from gigawatt.study.moats.draws import draws_of
from gigawatt.study.moats.setting import setting_of
from gigawatt.study.moats.spec import Moats
from gigawatt.study.moats.strengths import strengths_of
from gigawatt.study.moats.tables import moat_rows, moats_of

SAMPLES = 48
NAME = "as given"


def moats_table(answer: Answer) -> Table | None:
    """One row a moat; None where no rival is on offer or the vendor's platforms run nothing.

    Raises:
        InputError: no such vendor or rival.
    """
    asked = answer.resolved.scenario.moats
    spec = asked or Moats()
    try:
        setting = setting_of(answer.resolved, answer.priced, answer.plan, spec)
    except InputError as error:
        if any(problem.code != "no_rival" for problem in error.problems):
            raise
        return None
    if not setting.per_mw[list(setting.focal)].any():
        return None
    strengths = strengths_of(setting)
    setting, terms = strengths.setting, strengths.terms()
    regime = Regime(NAME, setting.inputs, terms)
    found = assess(regime, draws_of(strengths, min(SAMPLES, spec.samples)))
    names = setting.names
    note = (
        f"{names[setting.lead]} against {names[setting.rival]}: joint worth to buyer and vendor, vendor's racks at production "
        f"cost. All three together {found.total * found.per_mw / 1e6:,.3g} M USD per MW-year; a buyer would still take half of "
        f"what it takes at {found.premium.base} at {found.premium.with_all:.2f} x list. Low and high are P10 and P90 over the "
        "stated ranges. Removed bounds from above what a rival's progress can take; given is an open alternative. "
        "gigawatt moats FILE says more."
    )
    return moats_of(moat_rows(found, setting), note, short=True)

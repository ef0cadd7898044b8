"""Deals between companies as dated facts: who pays whom, on which terms, and what became known of it when.

A deal is a record of kind 'deal', `data/deal/<id>.yaml`. `contract` holds the terms as they were first known, as plain
text with units; what a kind of contract means by them, and whether they are complete, is checked where contracts are
read. `events` is the history: a deal as known on a day is its first terms with those of all events known by then.

A day may be known only as a month or a year ('2026-08', '2026'). Such a text is a span: what it says was known counts
from its last day on, so that nothing is known too early, and what it says began counts from its first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from gigawatt.catalog.quantity import Money, Power, Strict
from gigawatt.catalog.record import Record
from gigawatt.core import units
from gigawatt.core.dates import first_day, last_day
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem, nearest

GRADES = {
    "A": "filing, release or call of a party",
    "B": "press or analyst that quotes a primary source",
    "C": "secondary page",
    "D": "our own arithmetic",
}
STATUSES = (
    "intent",
    "definitive",
    "definitive (hypothetical)",
    "effective",
    "amended",
    "lapsed",
    "replaced",
)
BOUNDARIES = ("facility", "it", "unstated")  # of a deal's power

# Fields of the deal itself, which its terms must not say again.
_OWN = ("id", "pays", "gets", "status", "events", "grade", "source", "note", "headline")
_DAYS = ("starts", "ends", "on", "cancelled_on")


def _public(day_of: Callable[[Any], date], text: object) -> date:
    try:
        return day_of(text)
    except ValueError as error:
        raise InputError(Problem("bad_date", str(error))) from None


def known_on(text: str | int | date) -> date:
    """The last day of a day, month or year: from it on, what the text dates is known.

    >>> known_on("2026-02"), known_on("2026-02-27"), known_on(2025)
    (datetime.date(2026, 2, 28), datetime.date(2026, 2, 27), datetime.date(2025, 12, 31))

    Raises:
        InputError: no such date.
    """
    return _public(last_day, text)


def starts_on(text: str | int | date) -> date:
    """The first day of a day, month or year: what the text dates begins on it.

    >>> starts_on("2027-06"), starts_on("2027")
    (datetime.date(2027, 6, 1), datetime.date(2027, 1, 1))

    Raises:
        InputError: no such date.
    """
    return _public(first_day, text)


def _day_text(value: Any) -> Any:
    """The text as written, once it is seen to be a date."""
    if value in (None, ""):
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, date)):
        raise ValueError(f"{value!r} is no day, month or year such as 2026-02-27")
    first_day(value)
    return str(value)


def _one_of(what: str, options: tuple[str, ...]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value in options:
            return value
        near = nearest(str(value), options)
        hint = f" (did you mean '{near}'?)" if near else ""
        raise ValueError(f"{what} '{value}' is none of {', '.join(options)}{hint}")

    return check


DayText = Annotated[str, BeforeValidator(_day_text)]
Grade = Annotated[str, BeforeValidator(_one_of("grade", tuple(GRADES)))]
Status = Annotated[str, BeforeValidator(_one_of("status", STATUSES))]


def _check_terms(terms: Mapping[str, Any], allowed: tuple[str, ...] = ()) -> None:
    """Terms are text, numbers and flags, or lists of such mappings; days are days."""
    for key, value in terms.items():
        if key in _OWN and key not in allowed:
            raise ValueError(f"'{key}' is a field of the deal, not a term of its contract")
        if key in _DAYS:
            _day_text(value)
        rows = value if isinstance(value, (list, tuple)) else [value]
        for row in rows:
            items = row.values() if isinstance(row, Mapping) else [row]
            if not all(isinstance(item, (str, int, float, bool)) for item in items):
                raise ValueError(f"the term '{key}' is neither text with a unit, a number nor a flag: {value!r}")
    if "headline" in terms:
        units.parse(terms["headline"], "money")


class DealEvent(Strict):
    """Something that became known of a deal on a day: its status, and the terms that changed.

    `effective_on` is the day from which it holds, where that is another one; source and grade are the deal's own
    where they are not given. A changed `headline` is what the deal was said to be worth from then on.
    """

    known_on: DayText
    effective_on: DayText = ""
    status: Status
    terms: dict[str, Any] = Field(default_factory=dict)
    source: str = ""
    grade: Grade | None = None
    note: str = ""

    @field_validator("terms")
    @classmethod
    def _plain_terms(cls, value: dict[str, Any]) -> dict[str, Any]:
        _check_terms(value, ("headline",))
        return value


class Deal(Record):
    """A deal: who pays whom, on which terms, and what became known of it when.

    `pays` and `gets` are company ids in the direction of the contract's kind (investor to company, tenant to owner,
    issuer of a warrant to its holder). `instrument` is that kind; `contract` its terms as first known, and `missing`
    what of them nobody has published. `headline` is the amount announced, its boundary stated, never of grade C;
    `amounts` are other figures in print.
    """

    pays: str
    gets: str
    third_parties: tuple[str, ...] = ()
    grade: Grade
    announced: DayText
    instrument: str = ""
    headline: Money | None = None
    power: Power | None = None
    amounts: dict[str, Money] = Field(default_factory=dict)
    contract: dict[str, Any] | None = None
    missing: tuple[str, ...] = ()
    events: tuple[DealEvent, ...]
    replaced_by: str = ""

    @field_validator("gets")
    @classmethod
    def _two_parties(cls, value: str, info: ValidationInfo) -> str:
        if value and value == info.data.get("pays"):
            raise ValueError(f"the deal pays itself: 'pays' and 'gets' are both '{value}'")
        return value

    @field_validator("announced")
    @classmethod
    def _has_a_day(cls, value: str) -> str:
        if not value:
            raise ValueError("a deal needs the day, month or year of its announcement")
        return value

    @field_validator("headline")
    @classmethod
    def _stated_boundary(cls, value: Datum | None, info: ValidationInfo) -> Datum | None:
        if value is None:
            return value
        if info.data.get("grade") == "C":
            raise ValueError("nothing of grade C stands in a headline; put the figure under 'amounts'")
        if not value.boundary:
            raise ValueError("a headline states its boundary: what the amount is the price of, firm or at most")
        return value

    @field_validator("power")
    @classmethod
    def _known_boundary(cls, value: Datum | None) -> Datum | None:
        if value is not None and value.boundary not in BOUNDARIES:
            raise ValueError(f"power needs a boundary, one of {', '.join(BOUNDARIES)}, not '{value.boundary}'")
        return value

    @field_validator("contract")
    @classmethod
    def _plain_contract(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None:
            return value
        if not value.get("kind"):
            raise ValueError("a contract needs its 'kind', such as take_or_pay")
        _check_terms(value)
        return value

    @field_validator("missing", mode="before")
    @classmethod
    def _one_missing(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("events")
    @classmethod
    def _history(cls, value: tuple[DealEvent, ...], info: ValidationInfo) -> tuple[DealEvent, ...]:
        if not value:
            raise ValueError("a deal needs at least one event: when it became known, and its status")
        terms: dict[str, Any] = dict(info.data.get("contract") or {})
        announced = info.data.get("announced")
        if announced and first_day(announced) > last_day(value[0].known_on):
            raise ValueError(f"known on {value[0].known_on}, before it was announced on {announced}")
        for number, (before, event) in enumerate(pairwise(value), 1):
            if last_day(event.known_on) < last_day(before.known_on):
                raise ValueError(f"event {number} is out of order: {event.known_on} after {before.known_on}")
            terms |= before.terms
            same = all(key in terms and terms[key] == item for key, item in event.terms.items())
            if event.status == before.status and same and not event.effective_on:
                raise ValueError(f"event {number}, known on {event.known_on}, changes nothing: a remark is a 'note'")
        return value

    @model_validator(mode="before")
    @classmethod
    def _kind_of_contract(cls, data: Any) -> Any:
        """The instrument is the contract's kind."""
        if isinstance(data, Mapping) and isinstance(data.get("contract"), Mapping):
            return {"instrument": data["contract"].get("kind", ""), **data}
        return data

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.contract is None and not (self.instrument and self.missing):
            raise ValueError("a deal without a 'contract' needs its 'instrument' and what is 'missing'")
        if self.contract is not None and self.contract["kind"] != self.instrument:
            raise ValueError(f"the instrument '{self.instrument}' is not the contract's kind '{self.contract['kind']}'")
        if self.replaced_by and all(event.status != "replaced" for event in self.events):
            raise ValueError(f"'replaced_by' is '{self.replaced_by}', but no event has the status 'replaced'")
        return self

    @property
    def status(self) -> str:
        """By its last event."""
        return self.events[-1].status

    def status_on(self, day: date) -> str:
        """As known at the end of a day; '' before it became known."""
        return next((event.status for event in reversed(self.events) if last_day(event.known_on) <= day), "")

    def terms_on(self, day: date) -> dict[str, Any]:
        """Kind and terms as known at the end of a day; empty before it became known."""
        known = [event for event in self.events if last_day(event.known_on) <= day]
        if not known:
            return {}
        terms: dict[str, Any] = {"kind": self.instrument, **(self.contract or {})}
        for event in known:
            terms |= event.terms
        return terms

    def headline_usd_on(self, day: date) -> float | None:
        """What it was said to be worth, as known at the end of a day; None where nothing was, or not yet."""
        if not self.status_on(day):
            return None
        said = self.terms_on(day).get("headline")
        if said is not None:
            return units.parse(said, "money")
        return None if self.headline is None else self.headline.value

    def as_contract(self) -> dict[str, Any]:
        """The plain mapping that a contract is read from: parties, first terms, and the whole history.

        Events without a source or grade of their own carry the deal's.
        """
        plain: dict[str, Any] = {
            "id": self.id,
            "kind": self.instrument,
            "pays": self.pays,
            "gets": self.gets,
            **(self.contract or {}),
            "grade": self.grade,
            "source": self.source,
            "events": [self._plain_event(event) for event in self.events],
        }
        if self.headline is not None:
            plain["headline"] = f"{self.headline.value:.15g} USD"
        return plain

    def _plain_event(self, event: DealEvent) -> dict[str, Any]:
        given = event.model_dump(exclude_defaults=True)
        return {**given, "source": event.source or self.source, "grade": event.grade or self.grade}

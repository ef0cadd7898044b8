"""What a file says of machines beside a site: classes of them, the vendor's sales, the site, policies, links and tasks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Bytes, Count, DataRate, Length, Money, Power, PowerPrice, Share, Time
from gigawatt.core.datum import Datum
from gigawatt.study.door import Id, Strict

Year = Annotated[int, Field(ge=2000, le=2100)]
ONE = Datum(1.0, "", 1.0, 1.0, "assumed", source="one")
ALL = Datum(1.0, "", 1.0, 1.0, "assumed", source="all of it")
REACH = Datum(0.6, "", 0.4, 0.8, "assumed", source="part of the memory bandwidth that a pass at one machine reaches")


def _in_a_row(years: list[int], what: str) -> None:
    if years != list(range(years[0], years[0] + len(years))):
        raise ValueError(f"{what}: years must follow each other; given: {', '.join(map(str, years))}")


class Device(Strict):
    """A class of machines: `sold` by year, growing by `growth` a year after the last, of which `vendor_share` carry `chips` of
    the vendor's at `price` each, busy `hours_a_day`. Its watts are the accelerator's unless given."""

    id: Id
    chip: Id
    chips: Count = ONE
    price: Money
    sold: Annotated[dict[Year, Count], Field(min_length=1)]
    growth: Share
    vendor_share: Share = ALL
    life: Time
    hours_a_day: Count
    watts: Power | None = None
    up_a_day: Bytes
    licence: Money
    paid: Share

    @model_validator(mode="after")
    def _years(self) -> Device:
        _in_a_row(sorted(self.sold), f"sold of '{self.id}'")
        return self


class Vendor(Strict):
    """Sales of the data centre by calendar year, growing after the last; what it reported of machines in a year, and of all
    that runs in or for machines; what a MW of its hardware brings."""

    data_centre: Annotated[dict[Year, Money], Field(min_length=1)]
    growth: Share
    machines: Money
    machines_and_their_site: Money
    reported_in: Year
    usd_per_mw: PowerPrice
    margin: Share

    @model_validator(mode="after")
    def _years(self) -> Vendor:
        _in_a_row(sorted(self.data_centre), "data_centre")
        if self.machines_and_their_site.value < self.machines.value:
            raise ValueError("machines and their site together bring less than machines alone")
        return self


class Site(Strict):
    """The site beside which the machines stand: `chip` serves what is sent to it, at `chip_watts` all-in, `batch` passes at
    once; `tokens_per_s_of_a_mw` of the same model of which a machine reads `token_bytes` a token."""

    power: Power
    chip: Id
    chip_watts: Power
    batch: Count
    tokens_per_s_of_a_mw: Count
    token_bytes: Bytes


class Policy(Strict):
    """What runs: bytes read in a pass, and the seconds of a pass on accelerators on which it was measured."""

    id: Id
    reads: Bytes
    times: dict[Id, Time] = Field(default_factory=dict)
    reach: Share = REACH


class Link(Strict):
    """A way to a place that serves: round trip of the last mile, rate upwards, fibre from there, the chip at its end."""

    id: Id
    access: Time
    rate: DataRate
    distance: Length
    chip: Id | None = None


class Task(Strict):
    """What a machine must do by a deadline: passes a second, bytes up a pass; one that may not stop with the link stays.
    `over` names the links that it could use, none for all."""

    id: Id
    device: Id
    policy: Id
    deadline: Time
    passes_per_s: Count
    up: Bytes
    may_stop: bool = True
    over: list[Id] = []


class Alone(Strict):
    """Software where no chip may be sold: MW of other makers' chips, a licence a chip and year, the part of them that pays, and
    the life of the hardware that is not sold."""

    power: Power
    chip_watts: Power
    licence: Money
    paid: Share
    life: Time


class EdgeSection(Strict):
    """Machines beside a site, looked at in `year` and on the way to `until`."""

    year: Year
    until: Year
    vendor: Vendor
    site: Site
    devices: Annotated[list[Device], Field(min_length=1, max_length=20)]
    policies: list[Policy] = []
    links: list[Link] = []
    tasks: list[Task] = []
    alone: Alone | None = None

    @model_validator(mode="after")
    def _sound(self) -> EdgeSection:
        for words, items in (
            ("devices", self.devices),
            ("policies", self.policies),
            ("links", self.links),
            ("tasks", self.tasks),
        ):
            names = [item.id for item in items]
            if len(set(names)) < len(names):
                raise ValueError(f"two {words} have one id: {', '.join(names)}")
        if not max(min(self.vendor.data_centre), *(min(d.sold) for d in self.devices)) <= self.year <= self.until:
            first = max(min(self.vendor.data_centre), *(min(d.sold) for d in self.devices))
            raise ValueError(
                f"year {self.year} lies outside {first} to {self.until}, for which sales are known or grown"
            )
        if self.vendor.reported_in > self.until:
            raise ValueError(f"reported_in {self.vendor.reported_in} lies after {self.until}")
        devices, policies, links = ({one.id for one in items} for items in (self.devices, self.policies, self.links))
        for task in self.tasks:
            asked = [("device", task.device, devices), ("policy", task.policy, policies)]
            for words, name, known in [*asked, *(("link", name, links) for name in task.over)]:
                if name not in known:
                    raise ValueError(
                        f"task '{task.id}' asks for {words} '{name}'; there is: {', '.join(sorted(known))}"
                    )
        if self.tasks and not self.links:
            raise ValueError("tasks need links over which they might run at a site")
        return self

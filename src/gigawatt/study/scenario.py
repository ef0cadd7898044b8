"""The scenario file: what a user may write, with units at the door and a default for all that can be assumed.

Every model refuses unknown fields. Numbers with a dimension need their unit; inside they are SI floats.
Cross-checks that need the catalog (does this id exist?) are in `study.resolve`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gigawatt.study.claim import Claim
from gigawatt.study.door import Day, Id, Money, Power, Rate, Rent, Share, Strict, Years, kebab
from gigawatt.study.drift.spec import Drift
from gigawatt.study.fleet.spec import BuildOut
from gigawatt.study.joint.spec import Joint
from gigawatt.study.moats.spec import Moats, Switched
from gigawatt.study.operate.spec import Operate
from gigawatt.study.risk.spec import LoanCovenant, Uncertainty
from gigawatt.study.site.spec import Site
from gigawatt.study.workloads import Workload


class Objective(Strict):
    """Whose value the plan maximises; all three are always reported."""

    for_: Literal["system", "operator", "lab"] = Field("system", alias="for")
    maximise: Literal["npv"] = "npv"


class Horizon(Strict):
    """From when, how long, and over how many quarters the racks arrive."""

    start: Day = date(2027, 1, 1)
    years: Years = 5.0
    step: Literal["quarter"] = "quarter"
    build_quarters: int = Field(1, ge=1, le=40)

    @property
    def quarters(self) -> int:
        return max(1, round(self.years * 4))


class Offer(Strict):
    """A platform that may be bought; the factory chooses how much.

    `maturity` is the speed of its software over that of the calibrations' release; `port`: work that its software does not
    run is ported, and waits for it. `endpoints` are the chips that one network joins, where it is not the fabric's own
    reference.
    """

    id: Id
    platform: Id
    fabric: Id = "auto"
    endpoints: Annotated[int, Field(ge=1)] | None = None
    available: Day | None = None
    supply: Annotated[float, Field(ge=0)] | None = None
    list_price: Money | None = None
    maturity: Annotated[float, Field(gt=0, le=5)] | None = None
    port: bool = False


class Company(Strict):
    """A party; its role says which flows are its own."""

    id: Id
    role: Literal["operator", "lab", "vendor", "lender", "other"] = "other"
    discount_rate: Rate | None = None


Status = Literal["intent", "definitive", "definitive (hypothetical)", "effective", "amended", "lapsed", "replaced"]


class Deal(Strict):
    """What every contract has."""

    id: Id
    status: Status = "definitive (hypothetical)"
    pays: Id
    gets: Id

    @model_validator(mode="after")
    def _two(self) -> Deal:
        if self.pays == self.gets:
            raise ValueError(f"contract '{self.id}' pays itself: 'pays' and 'gets' are both '{self.pays}'")
        return self


class MilestoneTranche(Deal):
    """`amount` for each `per` of site power that is built, up to `maximum`."""

    kind: Literal["milestone_tranche"]
    amount: Money
    per: Power
    maximum: Money | None = None


class TakeOrPay(Deal):
    """Rent a MW-year for the term, owed for at least `floor` of what was committed."""

    kind: Literal["take_or_pay"]
    price: Rent
    term: Years = 5.0
    floor: Share = 0.8


class TermLoan(Deal):
    """The lender (`pays`) funds a share of capex, paid back with interest by the borrower (`gets`)."""

    kind: Literal["term_loan"]
    share_of_capex: Share
    rate: Rate
    term: Years = 5.0
    repayment: Literal["amortising", "bullet"] = "amortising"
    fee: Share = 0.0
    covenant: LoanCovenant | None = None


class Charge(Strict):
    """A cost that an installed package's model knows (`gigawatt.costs`); `terms` are the model's own."""

    id: Id
    model: str
    payee: Id | None = None
    terms: dict[str, Any] = {}


Contract = Annotated[MilestoneTranche | TakeOrPay | TermLoan, Field(discriminator="kind")]


DEFAULT_COMPANIES = (
    Company(id="operator", role="operator"),
    Company(id="lab", role="lab"),
    Company(id="chip-vendor", role="vendor"),
    Company(id="lender", role="lender"),
)
_ROLES = {"operator": "operator", "lab": "lab", "chip-vendor": "vendor", "vendor": "vendor", "lender": "lender"}


class Scenario(Strict):
    """A whole question: site, capital, what may be bought, what is to be done, who pays whom.

    `software`: as released (what calibrations and the catalog were measured on), or as it should be on the first day.
    `catalog`: values of records said here, such as `platform/gb300-nvl72: {list_price: 4.2 million USD}`.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    name: str = Field("unnamed", max_length=120)
    title: str = Field("", max_length=200)
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20260101
    objective: Objective = Objective()
    horizon: Horizon = Horizon()
    site: Site = Site()
    capital: Money | None = None
    costs: Id = "baseline-2026"
    software: Literal["release", "start"] = "release"
    discount_rate: Rate = 0.10
    fleet: Annotated[list[Offer], Field(min_length=1)]
    workloads: Annotated[list[Workload], Field(min_length=1)]
    catalog: dict[str, dict[str, Any]] = {}
    companies: list[Company] = list(DEFAULT_COMPANIES)
    contracts: list[Contract] = []
    charges: list[Charge] = []
    uncertainty: Uncertainty = Uncertainty()
    integer_racks: bool = False
    moats: Switched = Moats()
    build_out: BuildOut = BuildOut()
    operate: Operate = Operate()
    drift: Drift | None = None
    joint: Joint | None = None
    claim: Claim | None = None

    @field_validator("companies", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """A company may be written as its id alone."""
        if not isinstance(value, list):
            return value
        return [{"id": item, "role": _ROLES.get(item, "other")} if isinstance(item, str) else item for item in value]

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        return kebab(value)

    def company(self, role: str) -> str:
        """The id of the first company with that role (the role itself where none is listed)."""
        return next((c.id for c in self.companies if c.role == role), role)

"""The scenario file: what a user may write, with units at the door and a default for all that can be assumed.

Every model refuses unknown fields. Numbers with a dimension need their unit; inside they are SI floats.
Cross-checks that need the catalog (does this id exist?) are in `study.resolve`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gigawatt.core import units
from gigawatt.physics.serving.engine.speculation import MTP_ACCEPTANCE
from gigawatt.physics.serving.steady.production import PROFILE_TO_PRODUCTION

PRODUCTION = "profile-to-production"
ID = re.compile(r"^[a-z0-9]+(?:[.\-][a-z0-9]+)*$")


def _quantity(dimension: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value is None or value == "auto":
            return value
        if isinstance(value, (dict, list)):
            raise ValueError(f"a number with its unit is meant, not {value}")
        return units.parse(value, dimension)

    return read


def _days(value: Any) -> Any:
    """A date; a bare year or month means its first day."""
    if isinstance(value, int) and 1990 <= value <= 2200:
        return date(value, 1, 1)
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}", value):
        return date.fromisoformat(value + "-01")
    return value


def _kebab(value: str) -> str:
    if not ID.match(value):
        raise ValueError(f"'{value}' is not an id: lower-case letters, digits, '-' and '.' only, such as 'gb300-nvl72'")
    return value


def _named(value: str) -> str:
    if not ID.match(value):
        raise ValueError(f"'{value}' is not a name: lower-case letters, digits, '-' and '.' only")
    return value


Id = Annotated[str, BeforeValidator(str), Field(min_length=1, max_length=80)]
QuestionName = Annotated[str, Field(max_length=120), AfterValidator(_named)]
Power = Annotated[float, BeforeValidator(_quantity("power")), Field(gt=0)]
Money = Annotated[float, BeforeValidator(_quantity("money")), Field(ge=0)]
Seconds = Annotated[float, BeforeValidator(_quantity("time")), Field(gt=0)]
TokenRate = Annotated[float, BeforeValidator(_quantity("token_rate")), Field(gt=0)]
TokenPrice = Annotated[float, BeforeValidator(_quantity("token_price")), Field(ge=0)]
EnergyPrice = Annotated[float, BeforeValidator(_quantity("energy_price")), Field(ge=0)]
Rent = Annotated[float, BeforeValidator(_quantity("rent")), Field(ge=0)]
Rate = Annotated[float, BeforeValidator(_quantity("share")), Field(ge=0, lt=1)]
Share = Annotated[float, BeforeValidator(_quantity("share")), Field(ge=0, le=1)]
Multiple = Annotated[float, BeforeValidator(_quantity("share")), Field(gt=0, le=100)]
MoneyRate = Annotated[float, BeforeValidator(_quantity("money_rate")), Field(ge=0)]
Day = Annotated[date, BeforeValidator(_days)]


def _tokens(value: Any) -> Any:
    return units.parse(value, "token") if isinstance(value, str) and re.search(r"[A-Za-z]", value) else value


def _years(value: Any) -> Any:
    """Years as a bare number or a time such as '5 yr'."""
    if isinstance(value, str) and re.search(r"[A-Za-z]", value):
        return units.parse(value, "time") / (8760 * 3600)
    return value


Tokens = Annotated[float, BeforeValidator(_tokens), Field(gt=0)]
Years = Annotated[float, BeforeValidator(_years), Field(gt=0, le=60)]


class Strict(BaseModel):
    """Frozen, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


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


class Site(Strict):
    """Where the watts come from. Power is at the meter."""

    grid_power: Power = 1e9
    place: Id = "abilene-texas"
    facility: Id = "liquid-cooled-2026"
    energy_price: EnergyPrice | None = None


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


class Slo(Strict):
    """Limits at the 99th percentile, at the client's side of the router."""

    ttft_p99: Seconds = 2.0
    tpot_p99: Seconds = 0.05


class Tier(Strict):
    """Further demand at a lower price: `at` is its share of the realised price."""

    output: TokenRate
    at: Share


class Demand(Strict):
    """Mean output tokens that customers will take at the realised price, how far the peak lies over the mean, and what
    more they will take at lower prices."""

    output: TokenRate
    peak_to_mean: Annotated[float, Field(ge=1, le=20)] = 1.25
    tiers: list[Tier] = []


class TokenPrices(Strict):
    """List prices, and the share of list that is really received (discounts, free use, caching)."""

    input: TokenPrice = 0.0
    output: TokenPrice
    realised_share: Share = 1.0


class SloTier(Strict):
    """The same service sold at another level: its own limits, its price over the workload's (`at`), its own customers."""

    id: Id
    slo: Slo
    at: Multiple = 1.0
    demand: Demand


class Derates(Strict):
    """What production keeps of a profile's speed in each phase; one share stands for both.

    `profile-to-production` is what DeepSeek's published serving day keeps of its own published profile.
    """

    decode: Annotated[Share, Field(gt=0)] = 1.0
    prefill: Annotated[Share, Field(gt=0)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if value == PRODUCTION:
            return dict(PROFILE_TO_PRODUCTION)
        if isinstance(value, (dict, Derates)):
            return value
        try:
            share = units.parse(value, "share")
        except ValueError as error:
            raise ValueError(
                f"'{value}' is no derate: a share such as 80 %, {{decode: 80 %, prefill: 51 %}}, or {PRODUCTION}"
            ) from error
        if not 0.0 < share <= 1.0:
            raise ValueError(f"{value} is out of range; what is kept lies above 0 and at most at 1")
        return {"decode": share, "prefill": share}


class Drafting(Strict):
    """Speculative decoding: tokens drafted a step by the model's own module, and the share accepted of each."""

    tokens: Annotated[int, Field(ge=1, le=16)] = 1
    acceptance: Share = MTP_ACCEPTANCE


def _no_drafts(value: Any) -> Any:
    return None if value == "none" else value


class Serving(Strict):
    """A model served to customers at an SLO, and to others at the further `slo_tiers`."""

    kind: Literal["serving"]
    id: Id
    model: Id
    input_tokens: Annotated[int, Field(gt=0, le=10_000_000)]
    output_tokens: Annotated[int, Field(gt=0, le=10_000_000)]
    cached_share: Share = 0.0
    derate: Derates = Derates(**PROFILE_TO_PRODUCTION)
    speculation: Annotated[Drafting | None, BeforeValidator(_no_drafts)] = None
    slo: Slo = Slo()
    precisions: list[str] | Literal["auto"] = "auto"
    demand: Demand
    price: TokenPrices
    slo_tiers: list[SloTier] = []

    def levels(self) -> list[Serving]:
        """The workload itself and each further tier as a workload of its own, `<id>-<tier>`."""
        mine = self.model_copy(update={"slo_tiers": []})
        return [mine] + [
            mine.model_copy(
                update={
                    "id": f"{self.id}-{tier.id}",
                    "slo": tier.slo,
                    "demand": tier.demand,
                    "price": self.price.model_copy(
                        update={"input": self.price.input * tier.at, "output": self.price.output * tier.at}
                    ),
                }
            )
            for tier in self.slo_tiers
        ]


class Obligation(Strict):
    """A run that is owed by a date; lateness is not planned, it is infeasible."""

    finish_by: Day
    late_fee: MoneyRate | None = None


class Training(Strict):
    """A pre-training run: owed by a date, or paid for."""

    kind: Literal["training"]
    id: Id
    model: Id
    tokens: Tokens
    sequence_length: Annotated[int, Field(gt=0, le=10_000_000)] = 8192
    global_batch: Annotated[int, Field(gt=0, le=10_000_000)] = 2048
    chips: Annotated[int, Field(gt=0, le=10_000_000)] | Literal["auto"] = "auto"
    precisions: list[str] | Literal["auto"] = "auto"
    obligation: Obligation | None = None
    price_per_run: Money | None = None

    @model_validator(mode="after")
    def _why(self) -> Training:
        if self.obligation is None and self.price_per_run is None:
            raise ValueError(
                "a training workload needs an 'obligation' (finish_by) or a 'price_per_run', "
                "else no plan would ever run it"
            )
        return self


Workload = Annotated[Serving | Training, Field(discriminator="kind")]


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


Contract = Annotated[MilestoneTranche | TakeOrPay | TermLoan, Field(discriminator="kind")]


class Distribution(Strict):
    """How an input varies: a factor on it (lognormal with a geometric standard deviation; uniform; triangular)."""

    dist: Literal["lognormal", "uniform", "triangular"]
    gsd: Annotated[float, Field(gt=1, le=10)] | None = None
    low: Annotated[float, Field(ge=0)] | None = None
    high: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Distribution:
        if self.dist == "lognormal" and self.gsd is None:
            raise ValueError("a lognormal needs 'gsd', its geometric standard deviation, such as 1.2")
        if self.dist != "lognormal" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError(f"a {self.dist} needs 'low' below 'high' (factors on the value, such as 0.8 and 1.2)")
        return self


class Uncertainty(Strict):
    """What is drawn for the bands; the fleet is held unless `reoptimise`."""

    samples: Annotated[int, Field(ge=16, le=1_000_000)] = 1024
    vary: dict[str, Distribution] = {}
    calibration: bool = True
    reoptimise: bool = False


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
    companies: list[Company] = list(DEFAULT_COMPANIES)
    contracts: list[Contract] = []
    uncertainty: Uncertainty = Uncertainty()
    integer_racks: bool = False
    moats: bool = True

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
        return _kebab(value)

    def company(self, role: str) -> str:
        """The id of the first company with that role (the role itself where none is listed)."""
        return next((c.id for c in self.companies if c.role == role), role)

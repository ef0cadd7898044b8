"""The kinds of records and their classes: what `Catalog.get(kind, id)` returns."""

from __future__ import annotations

from gigawatt.catalog.boundaries import GigawattCost
from gigawatt.catalog.deals import Deal, DealEvent
from gigawatt.catalog.generation import Generation
from gigawatt.catalog.hardware import Accelerator, Maturity, Mode, Platform
from gigawatt.catalog.market import SupplyInput, SupplyLevel
from gigawatt.catalog.money import ChipRow, Company, CostSet, PowerRow, PriceSet, TokenRow
from gigawatt.catalog.network import Fabric, Link, Netpart, Scaleup
from gigawatt.catalog.places import Circuit, Climate, Cooling, Facility, Losses, Ppa, Site
from gigawatt.catalog.quantity import Series, Strict, datums
from gigawatt.catalog.record import Record
from gigawatt.catalog.software import Framework, Host, Porting
from gigawatt.catalog.workload import Calibration, Fitted, Model

KINDS: dict[str, type[Record]] = {
    "accelerator": Accelerator,
    "platform": Platform,
    "fabric": Fabric,
    "netpart": Netpart,
    "scaleup": Scaleup,
    "link": Link,
    "model": Model,
    "site": Site,
    "facility": Facility,
    "generation": Generation,
    "cost": CostSet,
    "company": Company,
    "price": PriceSet,
    "supply": SupplyInput,
    "calibration": Calibration,
    "gigawatt-cost": GigawattCost,
    "deal": Deal,
    "framework": Framework,
    "porting": Porting,
    "host": Host,
}
for _folder, _class in KINDS.items():
    _class.folder = _folder

__all__ = [
    "KINDS",
    "Accelerator",
    "Calibration",
    "ChipRow",
    "Circuit",
    "Climate",
    "Company",
    "Cooling",
    "CostSet",
    "Deal",
    "DealEvent",
    "Fabric",
    "Facility",
    "Fitted",
    "Framework",
    "Generation",
    "GigawattCost",
    "Host",
    "Link",
    "Losses",
    "Maturity",
    "Mode",
    "Model",
    "Netpart",
    "Platform",
    "Porting",
    "PowerRow",
    "Ppa",
    "PriceSet",
    "Record",
    "Scaleup",
    "Series",
    "Site",
    "Strict",
    "SupplyInput",
    "SupplyLevel",
    "TokenRow",
    "datums",
]

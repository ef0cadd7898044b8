"""A site by the hour: racks move between services and runs under an hourly cap, by one linear programme over the hours.

    best = operate(OperateInputs(...))      # Operation: racks, tokens, watts and the worth of a MW by hour
    static_split(inputs)                    # the best that racks tied to one work can do
    priority(inputs)                        # a fixed order of works, hour by hour, looking at no other hour

Plain columns in, plain columns out. Index h hour, p platform, w work, g lane (a platform on a work), j operating point of a
lane, s price segment, k source of power, b store.
"""

from gigawatt.factory.operation.inputs import Lanes, OperateInputs, Segments, Sources, Stores, Ways, Works
from gigawatt.factory.operation.policies import Dispatched, priority, static_split
from gigawatt.factory.operation.schedule import Operation, operate

__all__ = [
    "Dispatched",
    "Lanes",
    "OperateInputs",
    "Operation",
    "Segments",
    "Sources",
    "Stores",
    "Ways",
    "Works",
    "operate",
    "priority",
    "static_split",
]

"""What an author of plug-ins runs in their own tests: each function gives back, in words, which laws an object does not keep.

    from gigawatt.testing import device_problems
    assert device_problems(MODEL, chip) == []

They take the object itself, so that nothing need be installed (but `record_problems`, which asks the catalog for what a package
brings). `gigawatt doctor` runs the same on every plug-in that is there.
"""

from gigawatt.testing.devices import device_problems
from gigawatt.testing.executors import executor_problems
from gigawatt.testing.fabrics import fabric_problems
from gigawatt.testing.money import contract_problems, cost_problems
from gigawatt.testing.records import record_problems

__all__ = [
    "contract_problems",
    "cost_problems",
    "device_problems",
    "executor_problems",
    "fabric_problems",
    "record_problems",
]

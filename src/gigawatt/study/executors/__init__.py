"""Who works chunks out: this process, a pool of processes, a Ray cluster, or a plug-in's engine."""

from gigawatt.study.executors.pool import Pool
from gigawatt.study.executors.protocol import Done, Executor, Maker, Worker, WorkerLost
from gigawatt.study.executors.ray import Ray
from gigawatt.study.executors.registry import DEFAULT, ENGINES, executor_of
from gigawatt.study.executors.serial import Serial
from gigawatt.study.executors.supervise import Crew, Lost, Part, Ready, supervise

__all__ = [
    "DEFAULT",
    "ENGINES",
    "Crew",
    "Done",
    "Executor",
    "Lost",
    "Maker",
    "Part",
    "Pool",
    "Ray",
    "Ready",
    "Serial",
    "Worker",
    "WorkerLost",
    "executor_of",
    "supervise",
]

"""Who works chunks out: this process, a pool of processes, a Ray cluster, or a plug-in's engine."""

from gigawatt.study.executors.protocol import Done, Executor, Maker, Worker, WorkerLost
from gigawatt.study.executors.serial import Serial

__all__ = ["Done", "Executor", "Maker", "Serial", "Worker", "WorkerLost"]

"""How does it change over a grid: many scenarios of one question, in a folder that can be gone on with."""

from gigawatt.study.sweep.answer import answer_sweep, first_runs
from gigawatt.study.sweep.asked import Sweep
from gigawatt.study.sweep.drive import Stopped, Swept, Tally, Watch, drive

__all__ = ["Stopped", "Sweep", "Swept", "Tally", "Watch", "answer_sweep", "drive", "first_runs"]

"""Every engine gives the same parts; what is lost is done again; what is stopped leaves nothing behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from faults import gone, until
from makers import Curious, Deadly, Hungry, Plain, Sleeper, Stillborn, Wrong, part_of

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.executors import Pool, Ray, Serial, WorkerLost, executor_of, supervise
from gigawatt.study.executors.registry import ENGINES
from gigawatt.study.executors.remote import InWorker, packed, processors, reraise
from gigawatt.study.executors.supervise import Lost, Part, Ready
from gigawatt.study.executors.versions import differences, versions

CHUNKS = range(3, 40)
ALL = {chunk: part_of(chunk) for chunk in CHUNKS}


def parts(executor, make, chunks=CHUNKS):
    found = list(executor.run(make, chunks))
    assert len(found) == len(chunks), "every chunk once"
    return {done.chunk: done.part for done in found}


@pytest.mark.parametrize("executor", [Serial(), Pool(1), Pool(2), Pool(3)], ids=["serial", "one", "two", "three"])
def test_the_same_parts_from_every_engine(executor):
    assert parts(executor, Plain()) == ALL


def test_nothing_to_do_starts_nobody():
    assert list(Pool(2).run(Stillborn(), [])) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_lost_worker_is_replaced_and_its_chunk_done_again(tmp_path, how):
    assert parts(Pool(2), Deadly(7, 2, str(tmp_path), how)) == ALL
    assert len(list(tmp_path.iterdir())) == 2, "two workers were lost, so the law was tried"


def test_a_chunk_that_kills_three_workers_ends_it_when_the_rest_is_done(tmp_path):
    finished = {}
    with pytest.raises(WorkerLost, match="chunk 7 has lost three workers: its process was killed by SIGKILL") as told:
        for done in Pool(2).run(Deadly(7, 99, str(tmp_path)), CHUNKS):
            finished[done.chunk] = done.part
    assert told.value.chunk == 7
    assert finished == {chunk: part for chunk, part in ALL.items() if chunk != 7}


def test_workers_that_never_begin_end_it():
    with pytest.raises(WorkerLost, match="died before they could begin: its process ended with exit code 9"):
        list(Pool(2).run(Stillborn(), CHUNKS))


def test_a_worker_out_of_memory_is_lost(tmp_path):
    assert parts(Pool(1), Hungry(str(tmp_path)), range(4)) == {chunk: part_of(chunk) for chunk in range(4)}
    assert (tmp_path / "hungry").exists()


def test_the_driver_raises_what_a_worker_raised():
    with pytest.raises(ZeroDivisionError, match="in chunk 11") as told:
        list(Pool(2).run(Wrong(11), CHUNKS))
    assert isinstance(told.value.__cause__, InWorker)
    assert "makers.py" in str(told.value.__cause__)
    with pytest.raises(InputError) as wrong:
        list(Pool(2).run(Wrong(), CHUNKS))
    assert str(wrong.value) == "a.yaml:3:4: there is no site 'x'\n    known: y"
    assert wrong.value.as_json()["error"]["hints"] == ["known: y"]


def test_a_maker_in_a_script_is_told(tmp_path):
    script = tmp_path / "script.py"
    text = "from gigawatt.study.executors import Pool\ndef make(): pass\nlist(Pool(1).run(make, [0]))\n"
    script.write_text(text, encoding="utf-8")
    told = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith("TypeError: what makes a worker has to be in a module")


def test_errors_cross_processes_whole():
    error = Infeasible("nothing fits", ["power"], [])
    with pytest.raises(Infeasible) as told:
        reraise(*packed(error))
    assert told.value.conflict == ("power",)

    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match="Local: odd"):
        reraise(*packed(Local("odd")))
    lost = pickle.loads(pickle.dumps(WorkerLost(3, "gone")))
    assert (lost.chunk, str(lost)) == (3, "chunk 3 has lost three workers: gone")


def test_a_worker_has_one_thread_and_keeps_its_pipe_to_itself(capfd):
    found = [eval(done.part) for done in Pool(2).run(Curious(), range(6))]
    assert {tuple(threads) for _, threads, _ in found} == {("1", "1", "1")}
    assert os.getpid() not in {pid for pid, _, _ in found}
    assert capfd.readouterr().out == ""


def test_closing_stops_workers_in_the_middle_of_their_work():
    with closing(Pool(2).run(Sleeper(), range(50))) as finished:
        pids = [int(next(finished).part) for _ in range(2)]
        began = time.monotonic()
    assert time.monotonic() - began < 20, "a chunk takes a minute"
    assert all(gone(pid) for pid in pids)


def test_no_more_is_worked_out_ahead_than_there_are_workers(tmp_path):
    with closing(Pool(2).run(Marking(str(tmp_path)), range(100))) as finished:
        for taken in range(1, 30):
            next(finished)
            time.sleep(0.02)
            assert len(list(tmp_path.iterdir())) <= taken + 2


DRIVER = """
import sys
sys.path.insert(0, {folder!r})
from makers import Sleeper
from gigawatt.study.executors import Pool
# no main guard: a script may be as short as this
for done in Pool(2).run(Sleeper(), range(50)):
    print(done.part.decode(), flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_workers_go_when_their_driver_is_gone(tmp_path, how):
    script = tmp_path / "short.py"
    script.write_text(DRIVER.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    driver = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pids = [int(driver.stdout.readline()) for _ in range(2)]
    assert not any(gone(pid) for pid in pids)
    driver.send_signal(how)
    driver.wait(20)
    assert until(lambda: all(gone(pid) for pid in pids))
    driver.communicate()


def test_supervision_by_the_book():
    """Chunks are handed out in order; a lost one goes last; a dead worker's seat is filled while there is work."""
    crew = Scripted(lost={(1, 0), (2, 1)})
    assert sorted(done.chunk for done in supervise(crew, 2, range(5))) == [0, 1, 2, 3, 4]
    assert crew.log[:4] == ["hire 1", "hire 2", "give 1 0", "give 2 1"]
    assert crew.given == [0, 1, 2, 3, 4, 0, 1]
    assert crew.log[-1] == "disband"


def test_engines_by_name():
    assert [executor_of(name).name for name in ("serial", "pool", "ray")] == ["serial", "pool", "ray"]
    assert executor_of().name == "pool"
    assert executor_of("pool", 3).workers == 3
    assert executor_of("pool").workers == processors() >= 1
    for wrong, said in (
        ({"name": "rya"}, "there is no engine 'rya'"),
        ({"workers": 0}, "0 workers"),
        ({"name": "pool", "address": "head:6379"}, "takes no address"),
    ):
        with pytest.raises(InputError, match=said):
            executor_of(**wrong)
    assert set(ENGINES) == {"serial", "pool", "ray"}


def test_an_engine_of_a_plug_in_goes_by_its_name(monkeypatch):
    from gigawatt.study.executors import registry

    monkeypatch.setattr(registry.plugins, "names", lambda group: ["slurm"] if group == "gigawatt.executors" else [])
    monkeypatch.setattr(registry, "plugged", lambda *asked: asked)
    assert executor_of("slurm", 4, "head") == ("slurm", 4, "head")
    with pytest.raises(InputError, match="there is no engine 'slrum'") as told:
        executor_of("slrum")
    assert told.value.problems[0].hints == ("did you mean 'slurm'?", "known: pool, ray, serial, slurm")


def test_ray_that_is_not_there_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError) as told:
        list(Ray().run(Plain(), CHUNKS))
    assert "pip install 'gigawatt[ray]'" in told.value.problems[0].hints


def test_versions_name_what_bytes_depend_on():
    here = versions()
    assert {"Python", "gigawatt", "numpy", "highspy"} <= set(here)
    assert differences(here, here) == []
    assert differences(here, {**here, "plug-in x": "2"}) == ["plug-in x none here, 2 there"]
    assert differences(here, {**here, "numpy": "1.0"}) == [f"numpy {here['numpy']} here, 1.0 there"]


class Marking:
    """A file for every chunk that was begun."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        def work(chunk):
            (Path(self.folder) / str(chunk)).touch()
            return b""

        return work


class Scripted:
    """A crew without processes; worker w is lost at its chunk where (w, chunk) is in `lost`."""

    def __init__(self, lost):
        self.lost, self.log, self.waiting, self.given, self.count = lost, [], [], [], 0

    def hire(self):
        self.count += 1
        self.log.append(f"hire {self.count}")
        self.waiting.append((self.count, Ready()))
        return self.count

    def give(self, seat, chunk):
        self.log.append(f"give {seat} {chunk}")
        self.given.append(chunk)
        news = Lost("script") if (seat, chunk) in self.lost else Part(b"", 0.0)
        self.waiting.append((seat, news))

    def dismiss(self, seat):
        self.log.append(f"dismiss {seat}")

    def news(self):
        return self.waiting.pop(0)

    def called(self, seat):
        return str(seat)

    def disband(self):
        self.log.append("disband")

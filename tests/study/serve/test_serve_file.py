"""A file of a serving question says what the command line says; a plan's workload is asked about with its own software."""

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.study.questions import check_file, question_of, verb_of
from gigawatt.study.serve import answer, read_question
from gigawatt.study.serve.file import load_serve, load_workload, run_serve

EXAMPLES = Path(__file__).parents[3] / "examples"
TEXT = """schema: 1
question: serve
name: chat
model: llama3-8b
on: [hgx-h100]
isl: 512
osl: 256
slo: {ttft_p99: 1 s, tpot: 30 ms}
precision: fp8
disaggregate: false
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "chat.yaml"
    path.write_text(TEXT)
    return path


def test_a_file_says_what_the_command_line_says(file):
    words = {"on": "hgx-h100", "isl": "512", "osl": "256", "slo": "ttft=1 s,tpot=30 ms", "precision": "fp8"}
    direct = answer(read_question("llama3-8b", disaggregate=False, **words))
    made = run_serve(load_serve(file))
    assert made.manifest["best"] == direct.manifest["best"]
    assert made.name == "chat"
    assert question_of(file) == "serve"
    assert verb_of(file) == "serve"
    assert check_file(file, (), None)


def test_set_changes_an_input(file):
    tight = run_serve(load_serve(file, ["slo.tpot=8 ms"]))
    assert tight.manifest["best"]["tpot_ms"] <= 8


@pytest.mark.parametrize(
    ("change", "text"),
    [("slo.tpott=8 ms", "tpott"), ("modell=x", "modell"), ("isl=-3", "isl"), ("slo.tpot=8", "no unit")],
)
def test_a_wrong_input_has_its_place(file, change, text):
    with pytest.raises(InputError) as caught:
        load_serve(file, [change])
    assert text in str(caught.value)
    assert "--isl" not in str(caught.value)


def test_a_place_in_the_file(file):
    file.write_text(TEXT.replace("isl: 512", "isl: 0"))
    with pytest.raises(InputError) as caught:
        load_serve(file)
    assert caught.value.problems[0].where.line == 6


def test_a_workload_of_a_plan():
    loaded = load_workload(EXAMPLES / "one-gigawatt.yaml", overrides=["workloads.chat.slo.tpot_p99=40 ms"])
    made = run_serve(loaded)
    assert {row["platform"] for row in made.tables["platforms"].rows()} <= {host.label for host in loaded.hosts}
    assert made.manifest["best"]["tpot_ms"] <= 40
    with pytest.raises(InputError) as caught:
        load_workload(EXAMPLES / "one-gigawatt.yaml", "chatt")
    assert "did you mean 'chat'?" in caught.value.problems[0].hints

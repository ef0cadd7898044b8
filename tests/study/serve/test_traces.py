"""Traces: published formats and others, what is cut and scaled, mistakes told at their place, the real ones' statistics."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.study.serve.trace import Trace, at_rate, cached_blocks, cut, statistics
from gigawatt.study.serve.traces import TraceOptions, read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:17:06,110,27
"""
MOONCAKE = """{"timestamp": 0, "input_length": 1200, "output_length": 5, "hash_ids": [0, 1, 2]}
{"timestamp": 500, "input_length": 1100, "output_length": 9, "hash_ids": [0, 1, 3]}

{"timestamp": 1500, "input_length": 700, "output_length": 4, "hash_ids": [4, 5]}
"""
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n4.314579,396,109\n"
UNTIMED = "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n3772,54,3826,69.85\n2015,156,2171,12.9\n"
BURST = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
118,GPT-4,417,0,417,API log
"""
BURST_2 = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,a-1,3.5,ChatGPT,472,18,490,Conversation log
45,a-1,2.0,ChatGPT,1087,230,1317,Conversation log
118,,1.0,GPT-4,417,17,434,API log
"""
OURS = "when_ms;prompt;answer;user\n1000;10;5;ann\n3000;20;6;bob\n3500;30;7;ann\n"


@pytest.fixture
def read(tmp_path):
    def reading(text: str, name: str = "trace.csv", zipped: bool = False, **options) -> Trace:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
        return read_trace(path, TraceOptions(**options))

    return reading


def told(call) -> list:
    with pytest.raises(InputError) as error:
        call()
    return list(error.value.problems)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("text", "form", "arrival", "inputs", "outputs"),
    [
        (AZURE, "azure", [0.0, 0.052, 2.02004], [4808, 3180, 110], [10, 8, 27]),
        (AZURE.replace("\n", "\r\n"), "azure", [0.0, 0.052, 2.02004], [4808, 3180, 110], [10, 8, 27]),
        ("\ufeff" + MOONCAKE, "mooncake", [0.0, 0.5, 1.5], [1200, 1100, 700], [5, 9, 4]),
        (VIDUR, "vidur", [0.0, 4.314579], [374, 396], [44, 109]),
        ("\n\n" + VIDUR, "vidur", [0.0, 4.314579], [374, 396], [44, 109]),
        (UNTIMED, "vidur", [0.0, 0.0], [3772, 2015], [54, 156]),
        (BURST_2, "burstgpt", [0.0, 40.0, 113.0], [472, 1087, 417], [18, 230, 17]),
    ],
)
def test_published_formats_are_known_by_their_columns(read, zipped, text, form, arrival, inputs, outputs):
    trace = read(text, zipped=zipped)
    assert trace.format == form
    assert trace.arrival_s == pytest.approx(arrival, abs=1e-9)
    assert trace.input_tokens.tolist() == inputs
    assert trace.output_tokens.tolist() == outputs
    assert trace.timed == (text is not UNTIMED)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=40),
    form=st.sampled_from(["csv", "jsonl"]),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.booleans(),
    zipped=st.booleans(),
)
def test_what_is_written_is_read(read, rows, form, end, blank, zipped):
    """Any table in either form, with blank lines between, zipped or not: the same columns, sorted when asked."""
    names = ("arrival_s", "input_tokens", "output_tokens")
    if form == "csv":
        lines = [",".join(names)] + [",".join(map(repr, row)) for row in rows]
    else:
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    text = (end * 2 if blank else end).join(lines) + end
    trace = read(text, zipped=zipped, sort=True)
    wanted = sorted(rows, key=lambda row: row[0])
    assert trace.format == form
    assert trace.arrival_s == pytest.approx([row[0] - wanted[0][0] for row in wanted], abs=1e-9)
    assert trace.input_tokens.tolist() == [row[1] for row in wanted]
    assert trace.output_tokens.tolist() == [row[2] for row in wanted]
    found = text.splitlines()
    for line, row in zip(trace.line.tolist(), wanted, strict=True):
        assert str(row[1]) in found[line - 1]


def test_what_a_format_adds(read):
    cake = read(MOONCAKE)
    assert cake.block_tokens == 512
    assert [cake.block_hash[a:b].tolist() for a, b in zip(cake.block_start, cake.block_start[1:], strict=False)] == [
        [0, 1, 2],
        [0, 1, 3],
        [4, 5],
    ]
    assert cake.line.tolist() == [1, 2, 4]
    assert read(BURST_2).session.tolist() == [0, 0, -1]


def test_other_tables_by_their_names(read):
    words = {"arrival": "when_ms", "input": "prompt", "output": "answer", "session": "user"}
    trace = read(OURS, columns=words)
    assert trace.format == "csv"
    assert trace.arrival_s.tolist() == [0.0, 2.0, 2.5]
    assert trace.session.tolist() == [0, 1, 0]
    guessed = read('{"arrival_s": 1, "prompt_tokens": 5, "completion_tokens": 6}\n' * 2, "log.jsonl")
    assert (guessed.format, guessed.input_tokens.tolist(), guessed.output_tokens.tolist()) == ("jsonl", [5, 5], [6, 6])
    dated = read("Start Time,Prompt Tokens,OSL\n2024-05-10T00:00:00.5+00:00,5,6\n2024-05-10T00:00:01Z,7,8\n")
    assert dated.arrival_s == pytest.approx([0.0, 0.5])
    texts = read(
        '{"ts": 1, "isl": 40, "osl": 2, "hash_ids": ["x", "y"]}\n{"ts": 2, "isl": 32, "osl": 2, "hash_ids": ["x"]}\n'
    )
    assert texts.block_hash.tolist() == [0, 1, 0]


def test_the_same_requests_in_a_window_and_at_another_rate(read):
    trace = read(MOONCAKE)
    late = cut(trace, window_s=(0.5, 9.0))
    assert late.arrival_s.tolist() == [0.0, 1.0] and late.block_hash.tolist() == [0, 1, 3, 4, 5]
    assert read(MOONCAKE, window_s=(0.5, 9.0), first=1).line.tolist() == [2]
    assert read(MOONCAKE, factor=2.0).arrival_s.tolist() == [0.0, 0.25, 0.75]
    assert statistics(read(MOONCAKE, rate_per_s=7.0)).rate_per_s == pytest.approx(7.0)
    untimed = read(UNTIMED * 1, rate_per_s=2.0, seed=5)
    assert untimed.timed and np.all(np.diff(untimed.arrival_s) > 0.0)
    assert np.array_equal(at_rate(read(UNTIMED), 2.0, seed=5).arrival_s, untimed.arrival_s)


def test_a_trace_is_what_the_simulation_takes(read):
    asked = read(MOONCAKE).requests()
    assert asked.hash_from.tolist() == [0, 3, 6, 8] and asked.block_tokens == 512
    assert asked.reusable_share() == statistics(read(MOONCAKE)).prefix_block_share
    assert told(lambda: read(UNTIMED).requests())[0].code == "no_times"
    assert len(read(UNTIMED, rate_per_s=1.0).requests()) == 2


def test_statistics_by_hand(read):
    found = statistics(read(MOONCAKE))
    assert (found.rows, found.span_s, found.rate_per_s) == (3, 1.5, pytest.approx(2 / 1.5))
    assert found.gap_cv == pytest.approx(0.25 / 0.75)
    assert found.input_mean == 1000.0 and found.output_p50 == 5.0
    assert found.prefix_block_share == 2 / 8
    assert found.prefix_token_share == 1024 / 3000
    assert np.isnan(statistics(read(UNTIMED)).rate_per_s)


@given(st.lists(st.lists(st.integers(0, 6), max_size=5, unique=True), min_size=1, max_size=20))
def test_cached_blocks_are_those_a_set_holds(prompts):
    start = np.concatenate([[0], np.cumsum([len(p) for p in prompts])]).astype(np.int64)
    blocks = np.array([b for p in prompts for b in p], dtype=np.int64)
    count = len(prompts)
    ones = np.ones(count, dtype=np.int64)
    trace = Trace("", "", True, np.arange(count) * 1.0, ones, ones, ones, start, blocks, 16, ones)
    seen: set[int] = set()
    for prompt, found in zip(prompts, cached_blocks(trace), strict=True):
        hits = 0
        while hits < len(prompt) and prompt[hits] in seen:
            hits += 1
        seen |= set(prompt)
        assert found == hits


# -- what is wrong --------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_at_its_place(read):
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\nsoon,39x,\n7.5,12.5,9\n"
    problems = told(lambda: read(text))
    places = {(p.code, p.where.line, p.where.column) for p in problems}
    assert places == {("bad_value", 3, 1), ("bad_value", 3, 6), ("blank", 3, 10), ("bad_value", 4, 5)}
    assert any("'39x' is not a whole number of tokens" in p.message for p in problems)


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "words"),
    [
        (VIDUR.replace("374,44", "0,44"), "bad_value", 2, 5, "at least one"),
        (VIDUR.replace("374,44", "-5,44"), "bad_value", 2, 5, "negative"),
        (VIDUR.replace("374,44", "374,-1"), "bad_value", 2, 9, "negative"),
        (VIDUR + "3.0,5,5\n", "unsorted", 4, 1, "1.31458 s before"),
        (AZURE.replace("2023-11-16 18:17:06", "yesterday"), "bad_value", 4, 1, "not a date and time"),
        (VIDUR + "3.0,5\n", "wrong_width", 4, 1, "2 fields where the header names 3"),
        (VIDUR + '3.0,"5,5\n', "open_quote", 4, 5, "not closed"),
        (VIDUR.splitlines()[0] + "\n", "empty", 1, 1, "no request"),
        ("a,a\n1,2\n", "duplicate_column", 1, 3, "two columns"),
        (MOONCAKE.replace("700", '"many"'), "bad_value", 4, 37, "not a whole number"),
        (MOONCAKE.replace("[4, 5]", "4"), "bad_value", 4, 74, "list of blocks"),
        (MOONCAKE.replace("[4, 5]}", "[4, 5]"), "not_json", 4, 80, "not JSON"),
        (MOONCAKE + "[1]\n", "not_an_object", 5, 1, "one object"),
        (" \n", "empty", 0, 0, "is empty"),
        ("PK\x00\x00", "binary", 0, 0, "binary"),
    ],
)
def test_what_is_wrong_has_a_place(read, text, code, line, column, words):
    problem = told(lambda: read(text))[0]
    assert (problem.code, problem.where.line, problem.where.column) == (code, line, column)
    assert words in problem.message


def test_unsorted_requests_are_sorted_when_asked(read):
    text = VIDUR + "3.0,5,6\n"
    assert "sort=yes" in " ".join(told(lambda: read(text))[0].hints)
    trace = read(text, sort=True)
    assert trace.arrival_s.tolist() == [0.0, 3.0, 4.314579] and trace.line.tolist() == [2, 4, 3]


def test_failed_calls_are_left_out_when_asked(read):
    assert any("drop_empty" in hint for hint in told(lambda: read(BURST))[0].hints)
    assert len(read(BURST, drop_empty=True)) == 2


def test_a_request_longer_than_the_context_is_told(read):
    problem = told(lambda: read(AZURE, context=4096))[0]
    assert (problem.code, problem.where.line, problem.where.column) == ("too_long", 2, 29)
    assert "4,808" in problem.message and "4,096" in problem.message
    assert "4,818 holds the longest" in problem.hints[0]


def test_many_mistakes_are_counted_not_listed(read):
    text = "ts,isl,osl\n" + "".join(f"{i},0,5\n" for i in range(500))
    problems = told(lambda: read(text))
    assert len(problems) == 8
    assert any("and 492 more" in hint for hint in problems[-1].hints)


def test_a_column_that_is_missing_has_a_nearest(read):
    problem = told(lambda: read("time,promt_tokens,completion_tokens\n1,2,3\n"))[0]
    assert problem.code == "missing_column" and "did you mean 'promt_tokens'?" in problem.hints
    problem = told(lambda: read(OURS, columns={"input": "promt", "output": "answer"}))[0]
    assert "no column 'promt'" in problem.message and "did you mean 'prompt'?" in problem.hints
    assert told(lambda: read(OURS, format="mooncake"))[0].code == "missing_column"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"format": "moncake"}, "unknown_format"),
        ({"time_unit": "min"}, "unknown_unit"),
        ({"columns": {"inputs": "x"}}, "unknown_column"),
        ({"factor": 0.0}, "out_of_range"),
        ({"rate_per_s": -1.0}, "out_of_range"),
        ({"first": 0}, "out_of_range"),
        ({"window_s": (5.0, 5.0)}, "out_of_range"),
        ({"window_s": (50.0, 60.0)}, "empty"),
    ],
)
def test_options_that_can_not_be(read, options, code):
    assert told(lambda: read(VIDUR, **options))[0].code == code


def test_files_that_can_not_be(read, tmp_path):
    read(VIDUR, "there.csv")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"ts,isl,osl\n1,2,3\n" * 50)[:40])
    assert told(lambda: read_trace(tmp_path / "here.csv"))[0].code == "no_such_file"
    assert told(lambda: read_trace(tmp_path))[0].code == "not_a_file"
    assert told(lambda: read_trace(tmp_path / "broken.gz"))[0].code == "broken_archive"


# -- the real ones --------------------------------------------------------------------------------------------------------

TRACES = Path(os.environ.get("GIGAWATT_TRUTH", "/none")) / "traces"


@pytest.mark.truth
@pytest.mark.skipif(not TRACES.is_dir(), reason="the traces are not there")
@pytest.mark.parametrize(
    ("name", "rows", "span_s", "rate", "gap_cv", "inputs", "outputs", "share"),
    [
        ("AzureLLMInferenceTrace_code.csv.gz", 8_819, 3436, 2.57, 13.2, 2048, 28, None),
        ("AzureLLMInferenceTrace_conv.csv.gz", 19_366, 3502, 5.53, 1.09, 1155, 211, None),
        ("mooncake_conversation_trace.jsonl.gz", 12_031, 3537, 3.40, 3.03, 12035, 343, 0.366),
        ("mooncake_synthetic_trace.jsonl.gz", 3_993, 1022, 3.91, 1.01, 15325, 149, 0.640),
        ("vidur_splitwise_conv.csv.gz", 19_366, 3502, 5.53, 1.09, 1155, 211, None),
        ("vidur_splitwise_code.csv.gz", 8_819, 3436, 2.57, 13.2, 2048, 28, None),
        (
            "vidur_arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv.gz",
            28_257,
            None,
            None,
            None,
            2588,
            291,
            None,
        ),
    ],
)
def test_the_published_traces_are_what_is_known_of_them(name, rows, span_s, rate, gap_cv, inputs, outputs, share):
    found = statistics(read_trace(TRACES / name))
    assert found.rows == rows
    assert (found.input_mean, found.output_mean) == (pytest.approx(inputs, abs=0.5), pytest.approx(outputs, abs=0.5))
    if span_s:
        assert found.span_s == pytest.approx(span_s, abs=0.6)
        assert found.rate_per_s == pytest.approx(rate, abs=0.006)
        assert found.gap_cv == pytest.approx(gap_cv, rel=0.005)
    if share:
        assert found.prefix_block_share == pytest.approx(share, abs=0.0006)

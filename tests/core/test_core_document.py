"""Reading YAML: places of values, and all that is refused."""

from pathlib import Path

import pytest

from gigawatt.core import document
from gigawatt.core.errors import InputError


def test_places_and_yaml_1_2() -> None:
    doc = document.parse("a: 1e6\nb:\n  - {c: NO, d: 2027-01-01}\n", "x.yaml")
    assert doc.data == {"a": 1e6, "b": [{"c": "NO", "d": "2027-01-01"}]}
    assert str(doc.where(("b", 0, "c"))) == "x.yaml:3:9"
    assert doc.where(("b", 0, "missing")).line == 3


def _code(text: str) -> str:
    with pytest.raises(InputError) as caught:
        document.parse(text)
    return caught.value.problems[0].code


def test_syntax_has_a_line() -> None:
    with pytest.raises(InputError) as caught:
        document.parse("a: 1\nb: [1, 2\nc: 3\n", "x.yaml")
    problem = caught.value.problems[0]
    assert problem.code == "yaml_syntax"
    assert problem.where is not None
    assert problem.where.line >= 2


def test_duplicate_keys_are_refused() -> None:
    assert _code("a: 1\na: 2\n") == "yaml_syntax"


def test_deep_nesting_is_refused() -> None:
    assert _code("a: " + "[" * 500 + "]" * 500) == "too_deep"
    assert _code("\n".join(" " * n + f"k{n}:" for n in range(400))) == "too_deep"


def test_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 9)]
    assert _code("\n".join(lines)) == "too_many_values"


def test_files(tmp_path: Path) -> None:
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\x00\x01\x02")
    large = tmp_path / "l.yaml"
    with large.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    latin = tmp_path / "t.yaml"
    latin.write_bytes(b"a: 1\nb: caf\xe9\n")
    for path, code in [
        (binary, "binary"),
        (large, "too_large"),
        (latin, "not_utf8"),
        (tmp_path / "none.yaml", "no_such_file"),
        (tmp_path, "not_a_file"),
    ]:
        with pytest.raises(InputError) as caught:
            document.read(path)
        assert caught.value.problems[0].code == code

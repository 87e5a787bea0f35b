"""The traps of YAML: read as version 1.2 means them, or told with line and column."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from edgesim.common.errors import InputError
from edgesim.scenario import load as load_file
from edgesim.scenario.document import parse
from edgesim.scenario.syntax import YamlError
from edgesim.scenario.yaml12 import DEEPEST, MOST_VALUES
from tests.edgesim.scenario.cases import BASE, load

CORE_SCHEMA = {
    # YAML 1.2.2, section 10.3.2 (core schema), and what version 1.1 made of the same text.
    "null": None, "Null": None, "~": None, "": None,
    "true": True, "True": True, "FALSE": False,
    "yes": "yes", "no": "no", "on": "on", "Off": "Off", "y": "y", "n": "n",
    "0": 0, "-19": -19, "+12": 12, "012": 12, "0o14": 12, "0xC": 12, "0b11": "0b11",
    "1_000": "1_000", "1:30": "1:30", "190:20:30": "190:20:30", "+0x1": "+0x1", "0o8": "0o8",
    "0.": 0.0, "-0.0": -0.0, ".5": 0.5, "+12e03": 12000.0, "1e3": 1000.0, "-2E+05": -2e5,
    "1e-05": 1e-5, ".inf": math.inf, "-.INF": -math.inf, "+.Inf": math.inf,
    "inf": "inf", "nan": "nan", "2001-12-14": "2001-12-14", "=": "=", "<<": "<<",
    "1.2.3": "1.2.3", "0.5/s": "0.5/s", "1 Gbit/s": "1 Gbit/s", "é": "é",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA.items())
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = parse(f"a: {text}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(parse("a: .nan").data["a"])


@pytest.mark.parametrize("text", ["true", "012", "null", ".nan", "~"])
def test_quoted_scalars_are_text(text: str) -> None:
    assert parse(f"a: '{text}'").data["a"] == text
    assert parse(f'a: "{text}"').data["a"] == text
    assert parse(f"a: !!str {text}").data["a"] == text
    assert parse(f"a: |-\n  {text}").data["a"] == text


def test_keys_are_text() -> None:
    assert parse("no: 1\n5: 2\ntrue: 3\n'': 4\n1.5: 5").data == {
        "no": 1, "5": 2, "true": 3, "": 4, "1.5": 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "3:1: duplicate key 'a'; it stands on line 1 too"),
        ("{a: 1, 'a': 2}", "1:8: duplicate key 'a'; it stands on line 1 too"),
        ("5: 1\n'5': 2", "2:1: duplicate key '5'; it stands on line 1 too"),
        ("\ta: 1", "1:1: a tab; YAML indents with spaces"),
        ("a:\n\tb: 1", "2:1: a tab; YAML indents with spaces"),
        ("a: [1, 2\n", "2:1: the text ends inside a list or mapping that began at 1:4"),
        ("[1, 2", "the text ends inside a list or mapping that began at column 1"),
        ("a: 'b", "1:6: the text ends inside quoted text that began at column 4"),
        ("a: @b", "1:4: text cannot begin with '@'; put it in quotes"),
        ("a: `b`", "1:4: text cannot begin with '`'; put it in quotes"),
        ("a: %b", "1:4: text cannot begin with '%'; put it in quotes"),
        ("a: b: c", "1:5: a ':' where no key can be; is the line indented like its neighbours?"),
        ("a: 1\n b: 2", "2:3: a ':' where no key can be"),
        ("a: 1\nb", "expected ':' after the key"),
        ("? [x]\n: y", "1:3: expected a key, got a list or mapping"),
        ("? {x: 1}\n: y", "1:3: expected a key, got a list or mapping"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins; expected one"),
        ("a: *b", "1:4: no anchor is named 'b'"),
        ("a: &a [*a]", "1:8: '*a' stands inside what it names"),
        ("a: !python/object:os.system x", "1:4: the tag !python/object:os.system is not supported"),
        ("a: !!binary aGk=", "1:4: the tag !!binary is not supported"),
        ("a: !!set {b}", "1:4: the tag !!set is not supported"),
        ("a: !!int x", "1:4: expected !!int, got 'x'"),
        ("<<: 5", "1:5: '<<' takes a mapping"),
        ("# nothing", "1:1: the text holds no value, only comments"),
        ("a: b\0c", "1:5: the character U+0000 is not allowed; is this a binary file?"),
        ("a: \x07", "1:4: the character U+0007 is not allowed"),
        ("a: \ufffe", "1:4: the character U+FFFE is not allowed"),
        ("%YAML 3.0\n---\na: 1", "1:1: expected YAML 1.2"),
        ("- " * 100 + "a", f"1:{2 * DEEPEST + 1}: nested too deeply"),
        ("[" * 100_000, f"1:{DEEPEST + 1}: nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
    ],
)
def test_wrong_yaml(text: str, told: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse(text)
    assert told in str(caught.value)


def test_aliases_that_multiply_end_before_they_fill_the_memory() -> None:
    # "Billion laughs": nine levels of nine would be 387 million values.
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match=f"more than {MOST_VALUES:,} values; does an alias"):
        parse("\n".join(lines))


def test_merges_that_multiply_end_too() -> None:
    wide = ", ".join(f"k{number}: 1" for number in range(1000))
    text = f"a: &a {{{wide}}}\nb:\n" + "".join(f"- {{<<: *a, x: {n}}}\n" for n in range(300))
    with pytest.raises(YamlError, match="does an alias multiply"):
        parse(text)


def test_anchors_and_merge_keys() -> None:
    text = """
base: &base {device: raspberry-pi-4b, count: 2}
own: {<<: *base, count: 3}
first: {<<: [{a: 1}, {a: 2, b: 2}]}
shared: [*base, *base]
"""
    data = parse(text).data
    assert data["own"] == {"device": "raspberry-pi-4b", "count": 3}
    assert data["first"] == {"a": 1, "b": 2}
    assert data["shared"][0] == data["base"]
    # Copies: a setting that changes one leaves the others.
    assert data["shared"][0] is not data["shared"][1]


def test_places_of_keys_and_values() -> None:
    document = parse("a:\n  - b: 1\n    c: [2,\n  3]\n")
    assert document.position(("a", 0, "b")) == (2, 8)
    assert document.position(("a", 0, "b"), at_key=True) == (2, 5)
    assert document.position(("a", 0, "c", 1)) == (4, 3)
    # What is not there points at what is around it.
    assert document.position(("a", 0, "d")) == (2, 5)


@pytest.mark.parametrize("encode", [
    pytest.param(lambda text: text.encode("utf-8-sig"), id="byte order mark"),
    pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="windows lines"),
    pytest.param(lambda text: text.replace("\n", "\r").encode(), id="old mac lines"),
    pytest.param(lambda text: ("--- # one document\n" + text + "...\n").encode(), id="markers"),
    pytest.param(lambda text: ("%YAML 1.2\n---\n" + text).encode(), id="directive"),
    pytest.param(lambda text: text.rstrip("\n").encode(), id="no last line end"),
])  # fmt: skip
def test_files_that_look_otherwise_are_the_same(encode, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_bytes(encode(BASE))
    assert load_file(path).document == load(BASE).document


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "small.yaml is empty; expected a scenario"),
        (b" \n\n", "small.yaml is empty; expected a scenario"),
        (b"\xef\xbb\xbf", "small.yaml is empty; expected a scenario"),
        (BASE.encode("utf-16"), "in UTF-8 text, got the byte 0xff at 0"),
        (BASE.encode("utf-16-be"), "U+0000 is not allowed"),
        (b"name: caf\xe9\n", "got the byte 0xe9 at 9; is this a binary file"),
        (bytes(range(256)) * 10, "is this a binary file"),
        (b"\x7fELF\x02\x01\x01\0\0", "U+007F is not allowed"),
        (b"a: \xed\xa0\x80", "got the byte 0xed at 3"),
    ],
)
def test_files_that_are_no_text(raw: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        load_file(path)
    assert told in str(caught.value)
    assert "small.yaml" in str(caught.value)


def test_missing_files_name_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(BASE)
    with pytest.raises(InputError, match=r"clustre\.yaml does not exist \(did you mean 'cluster"):
        load_file(tmp_path / "clustre.yaml")
    with pytest.raises(InputError, match="nor does the folder"):
        load_file(tmp_path / "nowhere" / "cluster.yaml")
    with pytest.raises(InputError, match="is a folder; expected a scenario file"):
        load_file(tmp_path)
    with pytest.raises(InputError, match="File name too long"):
        load_file(tmp_path / ("x" * 5000))
    with pytest.raises(InputError, match="is no file name"):
        load_file("a\0b")


def test_scenarios_are_named_after_their_file(tmp_path: Path) -> None:
    path = tmp_path / "été (2).yaml"
    path.write_text(BASE.replace("name: small\n", ""))
    assert load_file(path).name == "été -2-"

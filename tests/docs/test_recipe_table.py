"""The page of recipes says what the schema says, and its examples are recipes."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from edgesim import partitioning
from partition import recipe
from tests.docs.recipe_table import PAGE, table, written

_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = [one for one in vars(recipe).values() if isinstance(one, type) and is_dataclass(one)]


def test_the_table_of_keys_is_the_schemas() -> None:
    page = PAGE.read_text()
    assert page == written(page), "python -m tests.docs.recipe_table writes it again"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda one: one.__name__)
def test_every_key_of_a_recipe_is_in_the_table(section: Any) -> None:
    if section.__module__ == recipe.__name__:
        for field in fields(section):
            assert f"| `{field.name}` |" in table()


@pytest.mark.parametrize("text", _YAML.findall(PAGE.read_text()))
def test_the_examples_are_accepted(text: str, tmp_path: Any) -> None:
    (tmp_path / "cluster.yaml").write_text(text)
    assert partitioning.load(tmp_path / "cluster.yaml").devices[0].name == "pi-0"

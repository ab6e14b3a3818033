"""Names and values of a statement, for clients that bind by name or by position."""

import doctest

import pytest

from veracitypro_pipeline import statement
from veracitypro_pipeline.statement import Statement, named, positional


def test_the_examples_hold() -> None:
    assert doctest.testmod(statement).failed == 0


def test_an_empty_list_is_null() -> None:
    assert positional(Statement("delete from t where a in ($f)", {"f": []})) == (
        "delete from t where a in (null)",
        [],
    )


def test_a_name_used_twice_is_bound_at_each_place() -> None:
    sql, values = positional(Statement("select $x, $y, $x", {"x": 1, "y": 2}))
    assert (sql, values) == ("select ?, ?, ?", [1, 2, 1])


def test_what_only_looks_like_a_name_is_left_alone() -> None:
    sql = "select METADATA$filename, $1, '$._airbyte_data' from @stage"
    assert named(Statement(sql, {"filename": "x"})).sql == sql


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        named(Statement("select $x"))

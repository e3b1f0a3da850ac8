"""Conditions that no value satisfies are found, and conditions that can hold are never reported."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import duckdb
import pytest

from persona_spark.config.contradiction import contradicts_itself, impossible_parts
from persona_spark.config.duplicates import meaning
from persona_spark.config.expression import compile_expression
from persona_spark.config.mixed_types import mixed_types

if TYPE_CHECKING:
    from sqlglot import exp

TYPES = {"n": "bigint", "i": "int", "d": "date", "m": "decimal(18,2)", "s": "string", "b": "boolean", "r": "double"}
IMPOSSIBLE = """
x < 1 and x > 2 | 5 < n and n < 3 | x = 1 and x = 2 | x in (1, 2) and x > 2 | x in ('a') and x = 'b' | x is null and x > 1
not (x > 1) and x > 2 | (x < 1 and x > 2) or (y = 1 and y = 2) | x between 3 and 2 | x >= 2 and x < 2 | 2 > x and 3 < x
x <> 1 and x = 1 | x = 1 and not x in (1, 2) | x is not null and x is null | x / 3 > 500 and x / 3 < 100
d < date '2020-01-01' and d > date '2021-01-01' | x > -1 and x < -2 | x > 5 and (x < 3 or x < 4) | false | 1 = 2
n > 3 and n < 4 | m > 3.00 and m < 3.01 | n = 1.5 | n in (1.5, 2.5) | n >= 1 and n <= 2 and n <> 1 and n not in (2)
d > '2020-1-5' and d < '2020-01-06' | x = null | not (x = null) | x not in (1, null) | x <=> null and x > 1
b and not b | b and b = false | b is true and b is false | n not between 1 and 5 and n between 2 and 4
not (n between 1 and 5) and n = 3 | not (n < 1 or n > 5) and n = 7 | s = 'F' and s = 'f' | S = 'a' and s = 'b' | s > 'b' and s < 'a'
m between 10 and 5.5 | n > 1e3 and n < 900 | n >= 10L and n < 10 | n = cast('7' as int) and n = 8 | n in (1, 2, 3) and n in (4, 5)
n between 1 and 3 and not n in (1, 2, 3) | n + i >= 5 and N + i < 3 | n % 2 = 0 and n % 2 = 1 | m = 1.005
"""
POSSIBLE = """
x < 3 and x > 2 | r > 3 and r < 4 | n > 3 and n <= 4 | m > 3 and m < 3.02 | x >= 2 and x <= 2 | (x < 1 and x > 2) or y = 1
lower(s) = 'x' and s = 'y' | x = 1 and y = 2 | x > 5 and (x < 3 or y = 1) | x = 1.0 and x = 1 | s = '1' and s = 1 | x = '1' and x = 1
d > date '2020-1-5' and d < date '2020-01-10' | x in (1, null) | s like 'a%' and s like 'b%' | n is null | b | not b | true
get_json_object(s, '$.A') = '1' and get_json_object(s, '$.a') = '2' | case when n > 1 then true else false end | n <> 1 and n <> 2
n between 3 and 3 | not (n between 3 and 3) | x is not true and x is not false | r between 0.1 and 0.2 | n > 5 or n < 3
"""


def cases(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split("|")]


def tree(text: str) -> exp.Expr:
    return compile_expression(text).tree


@pytest.mark.parametrize("text", cases(IMPOSSIBLE))
def test_contradiction_is_found(text: str) -> None:
    assert contradicts_itself(tree(text), TYPES)


@pytest.mark.parametrize("text", cases(POSSIBLE))
def test_condition_that_can_hold_is_left_alone(text: str) -> None:
    assert not contradicts_itself(tree(text), TYPES)


def test_what_can_hold_is_never_reported() -> None:
    """Random conditions over small whole numbers and null, all values tried by DuckDB: what has a row is no contradiction."""
    rng, con = random.Random(5), duckdb.connect()
    con.execute("CREATE TABLE t AS SELECT n, i FROM (SELECT unnest([NULL, -1, 0, 1, 2, 3, 4]) AS n), (SELECT unnest([NULL, 0, 1, 2]) AS i)")
    reported = 0
    for _ in range(400):
        text = condition(rng, 3)
        holds = con.execute(f"SELECT count(*) FROM t WHERE {text}").fetchone()
        found = contradicts_itself(tree(text), TYPES)
        reported += found
        assert not (found and holds != (0,)), text
    assert reported > 60


def condition(rng: random.Random, depth: int) -> str:
    if depth and rng.random() < 0.75:
        inner = f" {rng.choice(['and', 'and', 'or'])} ".join(condition(rng, depth - 1) for _ in range(2))
        return f"not ({inner})" if rng.random() < 0.2 else f"({inner})"
    name, value, other = rng.choice("ni"), rng.randint(-1, 4), rng.randint(-1, 4)
    forms = [
        f"{name} {rng.choice(['<', '<=', '>', '>=', '=', '<>'])} {value}",
        f"{value} {rng.choice(['<', '>', '='])} {name}",
        f"{name} in ({value}, {other})",
        f"{name} not in ({value}, {other})",
        f"{name} between {value} and {other}",
        f"{name} is null",
        f"{name} is not null",
    ]
    return rng.choice(forms)


def test_impossible_alternative_is_named() -> None:
    found = impossible_parts(tree("(n < 1 and n > 2) or i = 1 or (s = 'a' and (b or s = 'b' and s = 'c'))"), TYPES)
    assert found == ["n < 1 AND n > 2", "s = 'b' AND s = 'c'"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("n > 1 and b", "b and 1 < n", True),
        ("n > 1 and b and s = 'x'", "(s = 'x' and b) and (N > 1.0)", True),
        ("n between 1 and 3", "n >= 1 and n <= 3", True),
        ("n in (1, 2)", "n in (2, 1)", True),
        ("not n > 3", "n <= 3", True),
        ("s = 'F'", "s = 'f'", False),
        ("n > 1", "n >= 1", False),
        ("n > 1 or b", "n > 1 and b", False),
        ("n > 1 and (b or s = 'x')", "(n > 1 and b) or s = 'x'", False),
    ],
)
def test_meaning_does_not_depend_on_the_way_of_writing(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert (meaning(tree(one)) == meaning(tree(other))) is same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s >= 2", "column s is text but stands beside 2: write try_cast(s as int)"),
        ("s in (1, 2)", "column s is text but stands beside 1"),
        ("coalesce(s, 0) > 1", "column s is text but stands beside 0"),
        ("s * 2 > 1", "column s is text but is calculated with"),
        ("n = 'young'", "column n is a number but stands beside 'young': write a number"),
        ("d > 'last week'", "column d is a date but stands beside 'last week': write a date"),
        ("d > 20260131", "column d is a date but stands beside 20260131"),
        ("s = n", "columns of different types stand side by side: s (text) and n (number)"),
    ],
)
def test_text_used_as_a_number_is_found(text: str, message: str) -> None:
    assert any(found.startswith(message) for found in mixed_types(tree(text), TYPES))


@pytest.mark.parametrize("text", ["n = '5'", "d > '2026-01-31'", "try_cast(s as int) > 2", "n + r > i", "s = 'a'", "coalesce(s, '') = ''"])
def test_types_that_fit_are_left_alone(text: str) -> None:
    assert mixed_types(tree(text), TYPES) == []

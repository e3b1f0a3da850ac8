"""Expressions: what may be called, what is made safe, and that Spark then gives a value or null, never an error."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from persona_spark.config.expression import ExpressionError, compile_expression
from persona_spark.config.functions import ALLOWED_FUNCTIONS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FORBIDDEN = {
    "reflect('java.lang.System', 'exit', 1)": "function reflect is not allowed (it calls Java)",
    "java_method('java.lang.System', 'nanoTime')": "function java_method is not allowed (it calls Java)",
    "try_reflect('java.lang.System', 'exit')": "function try_reflect is not allowed",
    "`reflect`('java.lang.System', 'exit')": "function reflect is not allowed",
    "rand() > 0.5": "function rand is not allowed",
    "randn() > n": "function randn is not allowed",
    "uuid() = t": "function uuid is not allowed",
    "shuffle(array(n))": "function shuffle is not allowed",
    "monotonically_increasing_id() > 1": "function monotonically_increasing_id is not allowed",
    "current_date() > d": "function current_date is not allowed (it asks the clock; use as_of)",
    "current_date > d": "function current_date is not allowed",
    "now() > d": "function now is not allowed",
    "current_timestamp": "function current_timestamp is not allowed",
    "unix_timestamp() > 5": "function unix_timestamp is not allowed",
    "sum(n) > 5": "function sum is not allowed (it looks at more than one row)",
    "count(*) > 1": "function count is not allowed",
    "max(n, m) > 1": "function max is not allowed",
    "collect_list(n)": "function collect_list is not allowed",
    "row_number() over (order by n) = 1": "a window is not allowed",
    "sum(n) over (partition by t) > 1": "a window is not allowed",
    "n in (select 1)": "a subquery is not allowed",
    "(select max(n) from t) > 1": "a subquery is not allowed",
    "exists(select 1)": "a subquery is not allowed",
    "select 1": "a subquery is not allowed",
    "n > 1; drop table events": "must be one expression",
    "drop table events": "drop is not allowed",
    "n as m": "alias is not allowed",
    "*": "* is not allowed",
    "transform(a, x -> x + 1)": "function transform is not allowed",
    "explode(a)": "function explode is not allowed",
    "input_file_name() = t": "function input_file_name is not allowed",
    "current_user() = t": "function current_user is not allowed",
    "to_number(t)": "write try_to_number",
    "make_date(2020, n, 1)": "write try_to_date",
    "lowr(t)": "did you mean lower?",
    "a[n]": "[ ] takes one constant",
    "t = 'it''s'": "write a quote inside a text as \\'",
    "n >": "is not valid SQL",
    "": "must be one expression",
    "date_diff(n)": "cannot be understood: a function has too few or too many arguments",
    "regexp_replace(t, 'a')": "cannot be understood",
}


@pytest.mark.parametrize("text", FORBIDDEN)
def test_what_is_forbidden_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert FORBIDDEN[text] in str(caught.value)


def test_all_problems_of_an_expression_are_told_together() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("rand() > 1 and n in (select 1) and uuid() = t")
    assert len(caught.value.problems) == 3


def test_every_function_of_spark_that_is_not_listed_is_refused(spark: SparkSession) -> None:
    names = [row.function for row in spark.sql("SHOW SYSTEM FUNCTIONS").collect() if row.function.isidentifier()]
    casts = {"bigint", "boolean", "date", "decimal", "double", "float", "int", "smallint", "string", "timestamp", "tinyint"}
    operators = {"and", "between", "case", "div", "ilike", "in", "like", "not", "or", "when"}
    accepted = {name for name in names if any(_compiles(f"{name}({arguments})") for arguments in ("", "n", "n, m", "n, m, t"))}
    assert accepted - ALLOWED_FUNCTIONS - casts - operators == set()
    assert len(accepted & ALLOWED_FUNCTIONS) > 70


def _compiles(text: str) -> bool:
    try:
        compile_expression(text)
    except ExpressionError:
        return False
    return True


def test_bare_names_in_chinese_reach_spark_quoted() -> None:
    assert compile_expression("会员 = '金' AND a.层 > 1").sql == "`会员` = '金' AND `a`.`层` > 1"


def test_comments_and_a_last_semicolon_do_not_reach_spark() -> None:
    assert compile_expression("n > 1 -- */ or 1 = 1").sql == "`n` > 1"
    assert compile_expression("/*+ broadcast(n) */ n > 1;").sql == "`n` > 1"


def test_columns_are_known() -> None:
    assert compile_expression("attributes['x'] = t and props.price > `weird name`").columns == ("attributes", "props", "t", "weird name")
    [message] = compile_expression("paid_amout_90d > 1").unknown(["paid_amount_90d", "city"])
    assert message == "unknown column 'paid_amout_90d' (did you mean paid_amount_90d?)"


@pytest.fixture(scope="module")
def row(spark: SparkSession) -> DataFrame:
    return spark.sql(
        """SELECT 7L AS n, 2 AS m, 0 AS zero, bigint(null) AS nothing, 9223372036854775807L AS huge, 'x' AS t, '2026-02-31' AS day_text,
        array(10, 20) AS a, map('k', 1) AS p, date'2026-01-31' AS d, 19.99BD AS price, true AS yes"""
    )


VALUES: list[tuple[str, Any]] = [
    ("n / zero", None),
    ("n % zero", None),
    ("n div zero", None),
    ("mod(n, zero)", None),
    ("pmod(-n, 5)", 3),
    ("pmod(n, zero)", None),
    ("n div m", 3),
    ("n / m", 3.5),
    ("huge + 1", None),
    ("huge * 2", None),
    ("- huge - 2", None),
    ("-n", -7),
    ("- (n - 9)", 2),
    ("cast(t as int)", None),
    ("t::int", None),
    ("int(t)", None),
    ("cast('12' as int) + 1", 13),
    ("to_date(day_text)", None),
    ("year(day_text)", None),
    ("quarter(t)", None),
    ("hour(t)", None),
    ("date_add(t, 1)", None),
    ("date_diff(d, t)", None),
    ("date_diff(d, date_sub(d, 3))", 3),
    ("months_between(d, t)", None),
    ("month(d) = 1", True),
    ("a[0]", 10),
    ("a[5]", None),
    ("a[-1]", None),
    ("try_element_at(a, 1)", 10),
    ("element_at(a, 2)", 20),
    ("element_at(a, 9)", None),
    ("p['k']", 1),
    ("p['other']", None),
    ("split('a,b', ',')[1]", "b"),
    ("price * m", Decimal("39.98")),
    ("instr('abc', 'c')", 3),
    ("log10(100)", 2.0),
    ("get_json_object('{\"a\":[{\"b\":5}]}', '$.a[0].b')", "5"),
    ("case when n > 5 then 'many' else 'few' end", "many"),
    ("if(yes, n, m)", 7),
    ("coalesce(nothing, n)", 7),
    ("nothing > 5", None),
    ("not (nothing > 5)", None),
    ("nothing > 5 or yes", True),
    ("nothing > 5 and not yes", False),
    ("nothing in (1, 2)", None),
    ("n not in (1, nothing)", None),
    ("nothing <=> null", True),
    ("nothing is null and n is not null", True),
    ("n between 7 and 8", True),
    ("t like 'x%' and t rlike '^x$'", True),
    ("concat_ws('-', t, t)", "x-x"),
    ("r'\\d' = '\\\\d'", True),
]


def test_values_are_those_of_sql_and_null_where_spark_would_raise(row: DataFrame) -> None:
    texts = [text for text, _ in VALUES]
    found = row.select(*(F.expr(compile_expression(text).sql).alias(f"_{place}") for place, text in enumerate(texts))).collect()[0]
    wrong = [(text, value, expected) for (text, expected), value in zip(VALUES, found, strict=True) if value != expected]
    assert wrong == []

"""The functions of Spark SQL that expressions of the configuration may call, and why others may not."""

from __future__ import annotations

from difflib import get_close_matches

ALLOWED_FUNCTIONS = frozenset((
    "abs", "array", "array_contains", "array_size", "cast", "ceil", "char_length", "coalesce", "concat", "concat_ws", "contains",
    "date_add", "date_diff", "date_sub", "datediff", "day", "dayofweek", "dayofyear", "element_at", "endswith", "exp", "floor",
    "get_json_object", "greatest", "hour", "if", "ifnull", "initcap", "instr", "isnotnull", "isnull", "least", "left", "length",
    "ln", "log10", "log1p", "lower", "lpad", "ltrim", "md5", "minute", "mod", "month", "months_between", "nullif", "nvl", "pmod",
    "pow", "power", "quarter", "regexp_extract", "regexp_like", "regexp_replace", "replace", "reverse", "right", "rlike", "round",
    "rpad", "rtrim", "second", "sha2", "sign", "size", "split", "split_part", "sqrt", "startswith", "substr", "substring",
    "to_date", "translate", "trim", "trunc", "try_add", "try_cast", "try_divide", "try_element_at", "try_multiply", "try_subtract",
    "try_to_date", "try_to_number", "try_to_timestamp", "upper", "weekday", "year",
))  # fmt: skip
"""Deterministic row-wise functions. What one of them could raise on a row is made null, see `safe`."""

TYPE_NAMES = frozenset((
    "bigint", "boolean", "char", "date", "decimal", "double", "float", "int", "smallint", "string", "timestamp", "tinyint",
    "varchar",
))  # fmt: skip
"""Names of types, which may stand before a parenthesis: `decimal(18,2)`, or `int(x)`, which is a cast."""

_INSTEAD = {
    "get": "write try_element_at, which counts from 1",
    **dict.fromkeys(("to_number", "to_timestamp"), "write try_to_number or try_to_timestamp, which give null"),
    "make_date": "write try_to_date over text",
    **dict.fromkeys(
        ("now", "current_date", "current_timestamp", "curdate", "localtimestamp", "current_time", "unix_timestamp", "sysdate"),
        "it asks the clock; use as_of",
    ),
    **dict.fromkeys(
        ("rand", "randn", "random", "uuid", "shuffle", "randstr", "uniform", "monotonically_increasing_id", "spark_partition_id"),
        "it gives another result each time",
    ),
    **dict.fromkeys(("row_number", "rank", "dense_rank", "ntile", "lag", "lead"), "it looks at more than one row"),
    **dict.fromkeys(("reflect", "java_method", "try_reflect"), "it calls Java"),
}


def refusal(name: str, *, aggregates: bool = False) -> str:
    """Why the function `name` cannot be called, and what to call instead if that is known.

    Args:
        name: as written, in lower case.
        aggregates: whether it looks at more than one row.
    """
    reason = _INSTEAD.get(name)
    if reason is None and aggregates:
        reason = "it looks at more than one row"
    if reason is None:
        close = get_close_matches(name, ALLOWED_FUNCTIONS, n=2, cutoff=0.75)
        reason = f"did you mean {' or '.join(close)}?" if close else ""
    return f"function {name} is not allowed" + (f" ({reason})" if reason else "")

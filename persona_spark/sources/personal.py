"""Personal columns are kept only as keyed hashes: HMAC-SHA256, computed by Spark, with a key that is never stored."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import SetupError
from persona_spark.sources.feed import BAD, MARKS, RAW, column_at, put_at, quoted
from persona_spark.sources.values import text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.sources import SourceSpec

KEY_VARIABLE = "PERSONA_KEY"
_BLOCK = 64
_SHORTEST = 16


def personal_key(spec: SourceSpec) -> bytes:
    """The key from the environment.

    Raises:
        SetupError: when it is not set or too short to protect anything.
    """
    key = os.environ.get(KEY_VARIABLE, "").encode()
    if len(key) < _SHORTEST:
        wrong = f"is shorter than {_SHORTEST} bytes" if key else "is not set"
        raise SetupError(
            f"feed {spec.source} has personal columns ({', '.join(spec.personal)}), which are kept only as keyed hashes, but the "
            f"environment variable {KEY_VARIABLE} {wrong}: set it to a long random secret and keep it for the life of the lake"
        )
    return key


def keyed_hash(value: Column, key: bytes) -> Column:
    """HMAC-SHA256 of text in hexadecimal; null of null."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = F.lit(bytearray(byte ^ 0x36 for byte in block))
    outer = F.lit(bytearray(byte ^ 0x5C for byte in block))
    inside = F.unhex(F.sha2(F.concat(inner, F.encode(value, "UTF-8")), 256))
    return F.sha2(F.concat(outer, inside), 256)


def hash_personal(spec: SourceSpec, rows: DataFrame) -> DataFrame:
    """Replace personal columns by their hashes before any expression, quarantine or log can see them.

    The raw record is made anew from the columns that the mapping reads; of a row that could not be read only a hash is kept.

    Raises:
        SetupError: when the key is missing.
    """
    if not spec.personal:
        return rows
    key = personal_key(spec)
    columns: dict[str, Column] = {}
    for name in spec.personal:
        path = spec.path_of(name)
        value = keyed_hash(text(column_at(path), rows.select(column_at(path)).schema[0].dataType), key)
        columns[path[0]] = put_at(columns, path, value)
    hashed = rows.withColumns(columns)
    withheld = F.concat(F.lit("withheld, as the feed has personal columns; keyed hash of the record: "), keyed_hash(F.col(RAW), key))
    seen = F.to_json(F.struct(*(F.col(quoted(name)) for name in rows.columns if name not in MARKS)))
    return hashed.withColumn(RAW, F.when(F.col(BAD) != "", withheld).otherwise(seen))


def hashed_keys(spec: SourceSpec) -> Column:
    """The hashes of an account's personal link keys, some of them null."""
    hashes = [column_at(spec.path_of(name)) for name, use in spec.personal.items() if use == "link_key"]
    return F.array(*hashes) if hashes else F.array().cast("array<string>")

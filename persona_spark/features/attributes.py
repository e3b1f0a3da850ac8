"""Attributes: what the accounts of a user state, the last value before as_of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Attribute

_REGISTERED_AT = "registered_at"


def attributes(versions: DataFrame, spec: FeaturesSpec, as_of: date, zone: str) -> DataFrame:
    """One row a user with every attribute as stated.

    A version counts when it holds before as_of: one that is dated on as_of itself belongs to that day and is not known yet, as
    with events. Of the typed values that are not null the last by (valid_from, ingest_seq, account_id) holds. The date of
    registration is the earliest over the accounts, each by its own last version.

    Args:
        versions: `accounts` with `user_number`.
        spec: the definitions.
        as_of: the day.
        zone: zone in which `registered_at` becomes a date.
    """
    before = versions.where(F.col("valid_from") < F.lit(as_of))
    accounts = before.groupBy("user_number", "account_id").agg(
        *(_last(_value(name, attribute, zone)).alias(name) for name, attribute in spec.attributes.items())
    )
    return accounts.groupBy("user_number").agg(
        *(_of_user(name, attribute, as_of).alias(name) for name, attribute in spec.attributes.items())
    )


def _value(name: str, attribute: Attribute, zone: str) -> Column:
    if attribute.key == _REGISTERED_AT:
        return F.to_date(F.from_utc_timestamp(F.col(_REGISTERED_AT), zone))
    text = F.nullif(F.trim(F.try_element_at(F.col("attributes"), F.lit(attribute.key or name))), F.lit(""))
    return text.try_cast(attribute.type)


def _last(value: Column) -> Column:
    ranked = F.struct("valid_from", "ingest_seq", "account_id", value.alias("value"))
    return F.max(F.when(value.isNotNull(), ranked))


def _of_user(name: str, attribute: Attribute, as_of: date) -> Column:
    if attribute.key == _REGISTERED_AT:
        registered = F.col(f"{name}.value")
        return F.min(F.when(registered < F.lit(as_of), registered))
    return F.max(name).getField("value")

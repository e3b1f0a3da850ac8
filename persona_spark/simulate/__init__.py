"""A shop with planted personas: its feeds and the truth, from hashed seeds."""

from persona_spark.simulate.shop import simulate

__all__ = ["simulate"]

"""User profiles at scale on Spark and Delta: from a shop's raw events to versioned profile releases."""

__version__ = "0.1.0"

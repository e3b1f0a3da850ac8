"""Versioned profile releases: published whole after audits, kept in history, read by id or day."""

from persona_spark.profiles.reader import Profiles, profile_of, releases

__all__ = ["Profiles", "profile_of", "releases"]

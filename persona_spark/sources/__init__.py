"""Ingest: a shop's files become canonical events, accounts and items, each exactly once."""

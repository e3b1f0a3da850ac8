"""Tiles: what accounts did, by day, order and session, kept so that an event is read once."""

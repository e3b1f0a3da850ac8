"""Sessions, tables and what was known: everything that touches storage."""

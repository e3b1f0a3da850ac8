"""Identity: which user is behind each account."""

"""Rule tags: evaluated in one pass, with a history of what was gained and lost."""

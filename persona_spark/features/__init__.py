"""Features: what users did, over windows, as of a day."""

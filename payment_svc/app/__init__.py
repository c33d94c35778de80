"""What the service does, and what it needs for that, in its own nouns."""

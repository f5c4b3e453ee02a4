"""The target's own side: its socket table."""

"""One attempt and what it saw."""

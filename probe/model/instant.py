"""Points in time."""

from datetime import datetime


def stamp(when: str) -> float:
    """RFC 3339 as seconds since 1970; 0 where it says nothing."""
    try:
        return datetime.fromisoformat(when).timestamp()
    except ValueError:
        return 0.0

"""Points in time, as records and reports have them: RFC 3339, in UTC where no zone is said."""

from datetime import UTC, datetime

EPOCH = datetime.fromtimestamp(0, UTC)


def read(when: str, otherwise: datetime = EPOCH) -> datetime:
    """With its zone; `otherwise` where it says nothing."""
    try:
        found = datetime.fromisoformat(when)
    except ValueError:
        return otherwise
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def stamp(when: str) -> float:
    """In seconds since 1970; 0 where it says nothing."""
    return read(when).timestamp()

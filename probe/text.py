"""Text from strangers, made safe to show."""


def printable(text: str) -> str:
    """Control characters, direction marks and the like shown instead of obeyed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, such as a UserError's, which keeps them."""
    return "\n".join(printable(line) for line in text.split("\n"))


def excerpt(data: bytes) -> str:
    """The first bytes of what a stranger said, printable, at most 80 characters."""
    return printable(data[:80].decode("latin-1"))[:80]

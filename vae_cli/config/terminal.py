"""What a terminal is shown: text that cannot control it."""

LONGEST = 300  # letters of an error message


def printable(text: str, longest: int | None = None) -> str:
    """`text` with escape sequences, control characters and unpaired surrogates as `\\x1b`, `\\n` or `\\udcff`. With
    `longest`, cut in the middle."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if longest is None or len(shown) <= longest:
        return shown
    half = (longest - 1) // 2
    return f"{shown[:half]}…{shown[half + 1 - longest :]}"

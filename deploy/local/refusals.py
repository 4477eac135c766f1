"""The launcher's "no": one sentence for a person that says what to do."""


class CannotStart(Exception):
    """Something that the launcher needs is missing or in the way; the text is the last line that it prints."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: stop what runs, in order, and end."""


def last_line(text: str) -> str:
    """Return the last line of `text` that has something on it, for quoting what a program complained about."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."

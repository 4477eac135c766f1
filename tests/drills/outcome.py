"""What a drill proves, line by line, and whether any of it is red."""

import json
from pathlib import Path
from typing import Any


class Outcome:
    """The lines of one drill."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, Any] = {}
        self._red: list[str] = []

    def tell(self, text: str) -> None:
        """Print what is being done."""
        print(f"       {text}", flush=True)

    def prove(self, what: str, *, holds: bool) -> None:
        """Print one line, and remember when it doesn't hold."""
        print(f"{'ok    ' if holds else 'BROKEN'} {what}", flush=True)
        if not holds:
            self._red.append(what)

    def note(self, name: str, value: Any) -> None:
        """Keep one figure for the last line."""
        self.figures[name] = value

    def end(self) -> int:
        """Print the figures; return the exit code."""
        print(json.dumps({"drill": self.name, **self.figures}), flush=True)
        print(f"The drill {self.name} is {'red: ' + '; '.join(self._red) if self._red else 'green'}.")
        return 1 if self._red else 0


def shorten(folder: Path) -> str:
    """Name a folder's size in MB."""
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.0f} MB"

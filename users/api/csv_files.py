"""CSV that a spreadsheet opens as what it says: text stays text, whatever somebody typed into it."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from django.http import StreamingHttpResponse

from users.api.answers import PRIVATE

# What makes a spreadsheet take a cell for a formula, in the full-width forms of some keyboards, too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

ROWS_AT_ONCE = 200


def text_cell(text: str) -> str:
    """Keep text from being run as a formula: an apostrophe goes before what would start one."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Write rows as CSV (RFC 4180, UTF-8), some hundreds at a time; text cells must have passed `text_cell`."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    waiting = 0
    for row in rows:
        writer.writerow(row)
        waiting += 1
        if waiting == ROWS_AT_ONCE:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
            waiting = 0
    if waiting:
        yield buffer.getvalue().encode()


def csv_answer(rows: Iterable[Sequence[Any]], *, filename: str) -> StreamingHttpResponse:
    """Answer with a CSV file that is sent as it is read."""
    return StreamingHttpResponse(
        csv_lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Cache-Control": PRIVATE,
            "Content-Disposition": f'attachment; filename="{filename}"',
        },
    )

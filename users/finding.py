"""Finding people by what is remembered of them: words of a name, the beginning of an address."""

import re
from typing import Final
from uuid import UUID

from django.db import connection

_WORD: Final = re.compile(r"\w+")
_LIKE_SPECIAL: Final = re.compile(r"([\\%_])")

# Of more namesakes than this the newest aren't sorted out: whoever quotes so little has to quote more.
MOST_COMPARED: Final = 1_000
# Materialised, or the planner may walk the primary key backwards until enough people match: nobody may.
_FIND: Final = """
WITH people AS MATERIALIZED (
    (SELECT id FROM users_user WHERE email LIKE %(beginning)s LIMIT %(most)s)
    UNION
    (SELECT id FROM users_user
     WHERE to_tsvector('simple'::regconfig, COALESCE(name, '')) @@ to_tsquery('simple'::regconfig, %(words)s)
     LIMIT %(most)s)
)
SELECT id FROM people ORDER BY id DESC LIMIT %(count)s
"""


def find_people(text: str, *, count: int) -> list[UUID]:
    """Find up to `count` people, the newest first, whose address or all of whose name's words begin like `text`.

    Reads the primary; the words may stand in any order. Nobody is found by an empty text.
    """
    words = " & ".join(f"{word}:*" for word in _WORD.findall(text))
    if not words:
        return []
    beginning = _LIKE_SPECIAL.sub(r"\\\1", text.lower()) + "%"
    with connection.cursor() as cursor:
        cursor.execute(_FIND, {"beginning": beginning, "words": words, "most": MOST_COMPARED, "count": count})
        return [key for (key,) in cursor.fetchall()]

"""Schemathesis' hooks: most ids are those of things that exist, so that calls get past `not_found`."""

import json
import os
from typing import Any

import schemathesis

IDS: dict[str, str] = json.loads(os.environ.get("FUZZ_IDS") or "{}")
REAL_AMONG_TEN = 7
_turns = iter(range(10**9))


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put an id that exists in the place of most made-up ones."""
    if not path_parameters:
        return path_parameters
    for name in path_parameters:
        known = IDS.get(name.removesuffix("_id"))
        if known and next(_turns) % 10 < REAL_AMONG_TEN:
            path_parameters[name] = known
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """The same for the ids of a body."""
    if isinstance(body, dict):
        for name in body:
            known = IDS.get(name.removesuffix("_id").removeprefix("from_").removeprefix("to_"))
            if name.endswith("_id") and known and next(_turns) % 10 < REAL_AMONG_TEN:
                body[name] = known
    return body

"""Logging: one JSON object for each line on standard error, with the request's ids, without any secret."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from config.redaction import MASK, is_secret_key, may_hold_secrets, redacted
from events.context import current

# Libraries that log each request, query or connection at INFO.
QUIET_LOGGERS = (
    "django.security.csrf",
    "urllib3",
    "kombu",
    "amqp",
    "celery.redirected",
    "PIL",
)


def with_context(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the ids of the request or task under way, the level and the time."""
    context = current()
    if context.request_id:
        event.setdefault("request_id", context.request_id)
        event.setdefault("trace_id", context.traceparent[3:35])
    event["level"] = method
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return event


def rendered(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    """Render one line of JSON; only a line that looks suspicious pays for the search through its values."""
    for key, value in event.items():
        if value and is_secret_key(key):
            event[key] = MASK
    line = orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    if may_hold_secrets(line):
        plain = orjson.loads(line)
        line = orjson.dumps(redacted(plain))
    return line


def only_failures(record: logging.LogRecord) -> bool:
    """Drop what Django says of each answer from 400 on: the access log has said it, and with the request's ids."""
    return record.exc_info is not None


class JSONFormatter(logging.Formatter):
    """The standard library's log records, in the same form."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record, its traceback included."""
        event: EventDict = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        with_context(None, record.levelname.lower(), event)
        return rendered(None, "", event).decode()


def configure(config: dict[str, Any]) -> None:
    """Set up structlog and the standard library's logging; `config` holds the least `level` that is logged."""
    level = logging.getLevelNamesMapping()[config.get("level", "INFO")]
    # The list stays the same one: loggers that have written a line already hold on to it.
    processors = structlog.get_config()["processors"]
    processors[:] = [with_context, structlog.processors.format_exc_info, rendered]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    logging.getLogger("django.request").filters = [only_failures]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)

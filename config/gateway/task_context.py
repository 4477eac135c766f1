"""The request's context on every task that it causes: the ids travel in the task's headers."""

from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from celery import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from config.gateway.moved_time import before_task
from config.gateway.request_ids import continued_trace, new_trace
from events import spans
from events.context import RequestContext, current, request_context

HEADER = "request_context"

_running: dict[str, AbstractContextManager[None]] = {}


def send_context(headers: dict[str, Any], **_signal: Any) -> None:
    """Write the context of the request under way into the headers of a task that is sent."""
    context = current()
    if context.request_id:
        headers.setdefault(HEADER, asdict(context))


def restore_context(task_id: str, task: Task, **_signal: Any) -> None:
    """Work in the context of the request that caused the task, in a span of its own; otherwise by the task's id."""
    sent = getattr(task.request, HEADER, None) or {}
    traceparent = spans.at_work() or continued_trace(sent.get("traceparent", ""))
    context = RequestContext(
        request_id=sent.get("request_id") or task_id,
        traceparent=traceparent or new_trace(),
        tracestate=sent.get("tracestate", "") if traceparent else "",
        address=sent.get("address", ""),
    )
    _running[task_id] = request_context(context)
    _running[task_id].__enter__()


def leave_context(task_id: str, **_signal: Any) -> None:
    """Leave the context of a task that ended."""
    entered = _running.pop(task_id, None)
    if entered is not None:
        entered.__exit__(None, None, None)


def connect() -> None:
    """Listen to Celery."""
    before_task_publish.connect(send_context, weak=False, dispatch_uid="send_context")
    task_prerun.connect(restore_context, weak=False, dispatch_uid="restore_context")
    task_prerun.connect(before_task, weak=False, dispatch_uid="before_task")
    task_postrun.connect(leave_context, weak=False, dispatch_uid="leave_context")

"""The request's ids on every task that it causes."""

from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

from config.gateway.task_context import leave_context, restore_context, send_context
from events.context import RequestContext, current, request_context

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONTEXT = RequestContext(
    request_id="order-4711", traceparent=TRACEPARENT, tracestate="a=1", address="192.0.2.7"
)


class SentTask:
    """A task as the worker gets it."""

    def __init__(self, headers: dict[str, Any]) -> None:
        self.request = type("Request", (), headers)()


def received(headers: dict[str, Any], task_id: str = "task-0001") -> RequestContext:
    restore_context(task_id=task_id, task=SentTask(headers))  # type: ignore[arg-type]
    try:
        return current()
    finally:
        leave_context(task_id=task_id)


def test_when_a_request_sends_a_task_then_the_task_works_in_its_context() -> None:
    headers: dict[str, Any] = {}
    with request_context(CONTEXT):
        send_context(headers=headers)

    context = received(headers)

    assert (context.request_id, context.address, context.tracestate) == ("order-4711", "192.0.2.7", "a=1")
    assert context.traceparent[:36] == TRACEPARENT[:36]
    assert context.traceparent != TRACEPARENT


def test_when_a_task_ends_then_its_context_is_left() -> None:
    before = current()

    received({"request_context": {"request_id": "order-4711"}})

    assert current() == before


def test_when_nobody_asked_for_a_task_then_its_own_id_is_its_request_id() -> None:
    headers: dict[str, Any] = {}
    send_context(headers=headers)

    context = received(headers, task_id="beat-task-1")

    assert headers == {}
    assert context.request_id == "beat-task-1"
    assert len(context.traceparent) == 55


@pytest.mark.filterwarnings("ignore")
def test_when_a_worker_runs_the_task_then_the_ids_have_travelled_through_the_broker() -> None:
    app = Celery("travel", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

    @app.task(name="tell")
    def tell() -> list[str]:
        return [current().request_id, current().traceparent]

    with (
        start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20),
        request_context(CONTEXT),
    ):
        request_id, traceparent = tell.delay().get(timeout=20)

    assert request_id == "order-4711"
    assert traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")

"""Work that keeps failing, over HTTP."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from events.api.serializers import EmptyBody
from events.doorbells import ring
from events.failed_work import MAY_RETRY, as_shown, retry_work
from events.models import FailedWork
from users.api.answers import answer
from users.api.authentication import caller
from users.api.keyed_writes import Written, write_once
from users.api.pages import PageQuery, page, seek_rows
from users.api.views import StrictViewSet
from users.refusals import NotFound


class FailedWorkView(serializers.Serializer[Any]):
    """Work that failed at its last try; it stays due, and is tried ever more seldom."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="Such as `payments.provider_event`.")
    object_id = serializers.CharField(help_text="What it is about; of a `sweep`, its name.")
    tries = serializers.IntegerField(help_text="How often in a row it has failed since somebody retried it.")
    error = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)
    first_failed_at = serializers.DateTimeField()
    last_failed_at = serializers.DateTimeField()


class FailedWorkPage(serializers.Serializer[Any]):
    """A page of what fails, newest first."""

    results = FailedWorkView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class RetriedWork(serializers.Serializer[Any]):
    """It is due now."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["due"])


@extend_schema(tags=["Administration"])
class FailedWorkViewSet(StrictViewSet):
    """Work that keeps failing."""

    scopes: ClassVar = {"list": MAY_RETRY, "retry": MAY_RETRY}
    keys: ClassVar = {"retry": "accepted"}

    @extend_schema(
        operation_id="list_failed_work",
        summary="List work that keeps failing",
        parameters=[PageQuery],
        responses={200: FailedWorkPage},
    )
    def list(self, request: Request) -> HttpResponse:
        """What failed at its last try, newest first. A success takes its entry away."""
        query = PageQuery.read(request)
        return answer(
            page(
                request,
                lambda seek: seek_rows(FailedWork.objects.all(), seek, by=["id"]),
                query=query,
                key=lambda work: (work.id,),
                shape=as_shown,
            )
        )

    @extend_schema(
        operation_id="retry_failed_work",
        summary="Try failed work again",
        request=EmptyBody,
        responses={200: RetriedWork},
    )
    def retry(self, request: Request, failed_work_id: UUID) -> HttpResponse:
        """Make failed work due now. That is always safe: all work is idempotent."""
        EmptyBody.check(request.data or {})
        principal = caller(request)

        def write() -> Written:
            bell = retry_work(work_id=failed_work_id, principal=principal)
            if bell is None:
                raise NotFound("There is no such failed work.")
            task, arguments = bell
            ring(task, *arguments)
            return Written(200, {"id": failed_work_id, "status": "due"}, f"failed_work:{failed_work_id}")

        return write_once(request, write)

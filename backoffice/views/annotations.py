"""Notes and tags on customers and wallets."""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import annotations
from backoffice.annotations import ObjectType
from backoffice.form_calls import back_to, form_call, outcome_of, uuid_or_none
from backoffice.staff_pages import staff_page
from transactions.refusals import InvalidInput
from users.customers import customers
from users.staff_screens import principal_of
from wallets.models import Wallet


@staff_page("customer:write")
@require_POST
def note(request: HttpRequest, object_type: str, object_id: UUID) -> HttpResponse:
    """Write a note about a customer or a wallet, or that two customers are one person."""
    about = _known(object_type, object_id)
    principal = principal_of(request)
    text, other = request.POST.get("text", ""), request.POST.get("same_as", "").strip()
    call = form_call(request, principal, "note", object_id, text, other)

    def write() -> object:
        if not other:
            return annotations.add_note(
                object_type=about, object_id=object_id, text=text, actor=principal.name, call=call
            )
        other_id = uuid_or_none(other)
        if other_id is None or about != "user":
            raise InvalidInput(_("Give the other customer’s id."))
        return annotations.note_same_person(
            customer_id=object_id, other_id=other_id, text=text, actor=principal.name, call=call
        )

    return _told(request, object_type, object_id, write, _("Noted."))


@staff_page("customer:write")
@require_POST
def tag(request: HttpRequest, object_type: str, object_id: UUID) -> HttpResponse:
    """Put a tag on a customer or a wallet."""
    about, name = _known(object_type, object_id), request.POST.get("name", "")
    actor = principal_of(request).name
    return _told(
        request,
        object_type,
        object_id,
        lambda: annotations.add_tag(object_type=about, object_id=object_id, name=name, actor=actor),
        _("Tagged."),
    )


@staff_page("customer:write")
@require_POST
def untag(request: HttpRequest, object_type: str, object_id: UUID) -> HttpResponse:
    """Take a tag off a customer or a wallet."""
    about, name = _known(object_type, object_id), request.POST.get("name", "").replace("\0", "")
    actor = principal_of(request).name
    return _told(
        request,
        object_type,
        object_id,
        lambda: annotations.remove_tag(object_type=about, object_id=object_id, name=name, actor=actor),
        _("The tag is gone."),
    )


def _known(object_type: str, object_id: UUID) -> ObjectType:
    found = {"user": customers().filter(id=object_id), "wallet": Wallet.objects.filter(pk=object_id)}
    if object_type not in found or not found[object_type].exists():
        raise Http404
    return cast("ObjectType", object_type)


def _told(
    request: HttpRequest, object_type: str, object_id: UUID, act: Callable[[], object], done: str
) -> HttpResponse:
    outcome = outcome_of(object_id, act)
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    page = "backoffice:customer" if object_type == "user" else "backoffice:wallet"
    return back_to(request, reverse(page, args=[object_id]))

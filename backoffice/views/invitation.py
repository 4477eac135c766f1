"""The page on which somebody who was invited chooses a password; open to whoever has the link."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from users.invitations import accept, invited
from users.refusals import InvalidInput, NotFound
from users.signing_in import LONGEST_SECRET


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Take the password of somebody who was invited, and lead to the log-in."""
    problems: list[str] = []
    try:
        person = invited(token)
        if request.method == "POST":
            wanted = request.POST.get("new_password", "")
            if wanted != request.POST.get("again", ""):
                raise InvalidInput(_("The two passwords differ."), field="again")
            accept(token=token, password=wanted, now=timezone.now())
            return HttpResponseRedirect(reverse("admin:login"))
    except NotFound as gone:
        refused_with = {"title": _("Invitation"), "gone": gone.detail}
        return render(request, "backoffice/invitation.html", refused_with, status=404)
    except InvalidInput as refused:
        problems = [error["detail"] for error in refused.errors]
    context = {"title": _("Invitation"), "person": person, "problems": problems, "longest": LONGEST_SECRET}
    return render(request, "backoffice/invitation.html", context, status=422 if problems else 200)

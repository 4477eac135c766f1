"""The project's own explanation of each error code: where the `type` of every problem leads."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from config.gateway.problems import ADVICE_TEXTS, PROBLEMS, Problem

CACHE_CONTROL = "public, max-age=3600"


def _facts(problem: Problem) -> dict[str, str | int]:
    return {
        "code": problem.code,
        "status": problem.status,
        "title": problem.title,
        "advice": problem.advice,
        "explanation": problem.explanation,
        "remedy": problem.remedy,
    }


def _asks_for_json(request: HttpRequest) -> bool:
    accepted = request.META.get("HTTP_ACCEPT", "")
    return "json" in accepted and "text/html" not in accepted


def _cacheable(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = CACHE_CONTROL
    response.headers["Vary"] = "Accept"
    return response


@require_safe
def error_page(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one code: to people as a page, to programs as JSON."""
    problem = PROBLEMS.get(code)
    if problem is None:
        raise Http404
    if _asks_for_json(request):
        return _cacheable(JsonResponse(_facts(problem)))
    context = {"problem": problem, "advice": ADVICE_TEXTS[problem.advice]}
    return _cacheable(HttpResponse(render_to_string("docs/error.html", context, request)))


@require_safe
def error_index(request: HttpRequest) -> HttpResponse:
    """List all codes by their status."""
    problems = sorted(PROBLEMS.values(), key=lambda problem: (problem.status, problem.code))
    if _asks_for_json(request):
        return _cacheable(JsonResponse({"results": [_facts(problem) for problem in problems]}))
    return _cacheable(HttpResponse(render_to_string("docs/errors.html", {"problems": problems}, request)))

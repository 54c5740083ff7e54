"""Pages outside the admin: how the place stands, for strangers, and metrics for a machine.

Neither asks who it is: `hospital.strangers` takes the session away before, so that they answer
without a database.
"""

from __future__ import annotations

from django.conf import settings
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from ops.metrics import scraped
from ops.public import DAYS, kept_status
from ops.standing import standings, without_database


@require_safe
@cache_control(public=True, max_age=10)
def status(request: HttpRequest) -> HttpResponse:
    """Tell whoever asks how the place stands. It is answered as well where that is badly."""
    return render(request, "ops/status.html", {"status": kept_status.get(), "days": DAYS})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give the figures to whoever bears the token; to others there is no such address."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    is_known = constant_time_compare(token, wanted) and scheme.lower() == "bearer"
    if not wanted or not is_known:
        raise Http404
    try:
        stand = standings(timezone.now())
    except Error:
        stand = without_database()
    content = scraped(
        {one.name: one.figures for one in stand},
        health={one.name: one.health for one in stand},
        version=settings.VERSION,
    )
    return HttpResponse(content, content_type="text/plain; version=0.0.4; charset=utf-8")

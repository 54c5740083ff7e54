"""The pages around the single-page app, and what each of them must say.

Knows how the built app is served and whether the place is alive. Must not know a patient.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ops.queries.schema import unapplied

log = logging.getLogger(__name__)


def place(_request: HttpRequest) -> dict[str, object]:
    """Tell every page where it is: a demonstration says that its people are invented."""
    return {"demo": settings.DEMO, "hospital_time_zone": settings.HOSPITAL_TIME_ZONE}


@require_safe
@login_required
@never_cache
def board(request: HttpRequest) -> HttpResponse:
    """Serve the app, whose own addresses all lead here, with this answer's nonce for styles."""
    try:
        page = (settings.FRONTEND_DIST / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return render(request, "not_built.html", status=503)
    # Taking the nonce also puts it into this answer's Content-Security-Policy.
    return HttpResponse(page.replace("__CSP_NONCE__", str(request.csp_nonce)))  # type: ignore[attr-defined]


@require_safe
def icon(_request: HttpRequest) -> HttpResponse:
    """Browsers ask for it at an address of their own, and would get a sign-in page."""
    return redirect(static("vigil/vigil.svg"))


@require_safe
@never_cache
def livez(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers. It asks nobody: a restart would not mend the database."""
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether work may be sent here: the database answers and has every migration.

    Strangers may ask, so that the reason is in the log alone.
    """
    try:
        is_ready = not _lacks_migrations()
    except DatabaseError as error:
        log.warning(
            "not ready: the database does not answer", extra={"error": type(error).__name__}
        )
        is_ready = False
    words, status = ("ready\n", 200) if is_ready else ("not ready\n", 503)
    return HttpResponse(words, content_type="text/plain", status=status)


def _lacks_migrations() -> bool:
    lacking = unapplied()
    if lacking:
        log.warning("not ready: migrations are not applied", extra={"count": len(lacking)})
    return bool(lacking)

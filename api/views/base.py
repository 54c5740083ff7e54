"""What every operation has in common: parameters are validated, and answers are not kept."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.queries.realms import realm_seen_by
from ingestion.synthetic import Realm


class Operation(APIView):
    """One operation. Whoever is signed in may ask; nobody else, unless a subclass says so."""

    @property
    def realm(self) -> Realm:
        """Whose patients, feeds and files whoever asks may see."""
        return realm_seen_by(self.request.user)

    def handle_exception(self, exc: Exception) -> Response:
        """Refuse a body too large to be read; unsaid, that would count as an error of ours."""
        if isinstance(exc, RequestDataTooBig):
            exc = ParseError("The body is too large.")
        return super().handle_exception(exc)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Forbid everybody on the way to keep an answer, unless the operation has spoken itself."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "private, no-store")
        return final

"""Who is asking, and what the screen must know before anything else."""

from __future__ import annotations

from django.conf import settings
from django.middleware.csrf import get_token
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from api.serializers import answers
from api.views.base import Operation


class SessionView(Operation):
    """The session; the one question that a stranger may ask, and he learns nothing by it."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="session_retrieve", responses=answers.Session)
    def get(self, request: Request) -> Response:
        """Say who is signed in, and under which settings."""
        user = request.user
        return Response(
            {
                "signed_in": user.is_authenticated,
                "user": {
                    "username": user.get_username(),
                    "display_name": user.get_full_name() or user.get_username(),
                    "is_operator": user.is_staff,
                }
                if user.is_authenticated
                else None,
                "demo": settings.DEMO,
                "time_zone": settings.TIME_ZONE,
                "idle_sign_out_seconds": settings.IDLE_SIGN_OUT_SECONDS,
                "version": settings.VERSION,
                "csrf_token": get_token(request),
            }
        )

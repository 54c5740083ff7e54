"""The one envelope in which every refusal of the API arrives, as the schema tells it.

drf-standardized-errors makes the envelope itself; its own schema has one component per field and
fault, which no client wants to name.
"""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class Fault(serializers.Serializer[Any]):
    """One thing that is wrong; `attr` names the parameter, where it is one."""

    code = serializers.CharField()
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)


class Refusal(serializers.Serializer[Any]):
    """Why there is no answer."""

    type = serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"])
    errors = Fault(many=True)  # type: ignore[assignment]


class EnvelopeSchema(AutoSchema):
    """Adds the refusals that an operation can answer with."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        """Name the answers that the operation declares, then its refusals."""
        bodies = super()._get_response_bodies(direction)
        for status in self._refusals():
            bodies[status] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                Refusal, status, direction=direction
            )
        return bodies

    def _refusals(self) -> list[str]:
        takes_parameters = bool(self.get_override_parameters()) or self.method == "POST"
        is_guarded = not any(auth == {} for auth in self.get_auth())
        return [
            *(["400"] if takes_parameters else []),
            *(["403"] if is_guarded else []),
            *(["404"] if "{" in self.path else []),
            "500",
        ]

"""What stands at every other address below the API: nothing, said in the API's own words."""

from __future__ import annotations

from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from api.views.base import Operation


@extend_schema(exclude=True)
class NowhereView(Operation):
    """Answers 404 as JSON: a script that mistyped an address must not be sent a web page."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Say so to whoever is signed in, whatever the method; a stranger learns not even that."""
        super().initial(request, *args, **kwargs)
        raise NotFound

"""The function that answers people: HTTP from the API gateway, given to Django.

Knows the gateway's event (payload 2.0) and CloudFront's key. Logs no address: it may hold a search.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from hospital.functions.start import Event, EventNotKnown, is_tick, roll_call, start

start(answers_people=True)

# pylint: disable=wrong-import-position
from apig_wsgi import make_lambda_handler
from django.conf import settings

from hospital.wsgi import application

_answer = make_lambda_handler(application)
_FORBIDDEN = {"statusCode": 403, "headers": {"content-type": "text/plain"}, "body": "forbidden\n"}


def stay_warm(event: Event, context: object = None) -> dict[str, bool]:
    """Be there: the clock calls it, so that no nurse waits for a cold start."""
    return {"warm": True}


def handler(event: Event, context: object = None) -> dict[str, Any]:
    """Answer a request of the gateway. Raises EventNotKnown."""
    if answer := roll_call(event):
        return answer
    if is_tick(event):
        return stay_warm(event, context)
    if not _is_request(event):
        raise EventNotKnown("The API's function answers requests of its gateway and nothing else.")
    if settings.ORIGIN_KEY:
        if not _came_by_the_front_door(event):
            return _FORBIDDEN
        event = _as_asked_at_the_front_door(event)
    return _answer(dict(event), context)


def _is_request(event: Event) -> bool:
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    return (
        isinstance(context, Mapping)
        and isinstance(context.get("http"), Mapping)
        and event.get("version") == "2.0"
    )


def _came_by_the_front_door(event: Event) -> bool:
    """Tell whether CloudFront sent it: whoever asks the gateway itself passes by the firewall."""
    given = str((event.get("headers") or {}).get("x-origin-key", ""))
    return compare_digest(given.encode(), settings.ORIGIN_KEY.encode())


def _as_asked_at_the_front_door(event: Event) -> dict[str, Any]:
    """Tell host and client as CloudFront saw them: the gateway knows CloudFront alone.

    Sign-ins are counted by the client's address, and passkeys are bound to the host.
    """
    headers = {name: value for name, value in event["headers"].items() if name != "x-origin-key"}
    headers["host"] = urlsplit(settings.ADDRESS).netloc
    viewer = headers.get("x-vigil-address", "")
    context = event["requestContext"]
    http = context["http"] | ({"sourceIp": viewer} if viewer else {})
    return {**event, "headers": headers, "requestContext": {**context, "http": http}}

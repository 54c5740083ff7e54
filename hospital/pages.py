"""The pages around the single-page app, and what each of them must say."""

from django.conf import settings
from django.http import HttpRequest


def place(_request: HttpRequest) -> dict[str, object]:
    """Tell every page where it is: a demonstration says that its people are invented."""
    return {"demo": settings.DEMO, "hospital_time_zone": settings.HOSPITAL_TIME_ZONE}

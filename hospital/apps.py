"""The project as an application: commands and the pages around the app, no models."""

from django.apps import AppConfig


class HospitalConfig(AppConfig):
    """Makes the queue's application known before any task is declared."""

    name = "hospital"

    def ready(self) -> None:
        # Without this import `shared_task` would send to a nameless default application.
        from hospital import celery as _celery  # noqa: F401

"""The API as an application; it has no models."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Registers the application."""

    name = "api"

"""Ingestion: from an object in storage to a trustworthy record."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Registers the application under the name that its tables carry."""

    name = "ingestion"

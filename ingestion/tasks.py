"""Ingestion by message: a message only makes quick what the database already holds as work."""

from celery import shared_task

from ingestion.services.draining import drain


@shared_task
def ingest_received() -> int:
    """Ingest whatever the inbox has on record as received. Safe to run twice, or at once."""
    return drain()

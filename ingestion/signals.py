"""What ingestion calls out to whoever listens above it, so that it need not know them."""

from django.dispatch import Signal

# Sent after a batch of files has been committed.
# patients: set of Patient primary keys whose record changed, or None for "too many to name".
records_changed = Signal()

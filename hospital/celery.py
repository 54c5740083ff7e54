"""The queue's application and, on one screen, everything that happens by the clock."""

import os

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging
from django.conf import settings

from hospital import surroundings

# The container on AWS starts here and not by manage.py: without its stage's configuration it would
# wait for tasks where nobody sends any.
if not settings.configured:
    surroundings.load_if_told([])
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hospital.settings")

app = Celery("hospital")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    # So often, that at most a minute of what people did is lost with the database.
    "ship the database's log": {
        "task": "ops.tasks.ship_log",
        "schedule": 20.0,
        "options": {"expires": 19},
    },
    # Asks what is due: a night that was missed is made up for.
    "back up and drill": {
        "task": "ops.tasks.keep_backups",
        "schedule": 300.0,
        "options": {"expires": 290},
    },
    # Asks what is due: once a day, after the night's backup.
    "remove what is over": {
        "task": "ops.tasks.remove_what_is_over",
        "schedule": 600.0,
        "options": {"expires": 590},
    },
    # For what only the clock changes: hours go by, feeds fall silent.
    "evaluate every open admission": {
        "task": "alerts.tasks.sweep",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    # For what a lost message left: files that are on record as received and not yet done.
    "take in what was received": {
        "task": "ingestion.tasks.ingest_received",
        "schedule": 15.0,
        "options": {"expires": 14},
    },
    # For what a lost notice left: objects that lie in a bucket and are not on record.
    "reconcile the buckets with the record": {
        "task": "ingestion.tasks.reconcile_buckets",
        "schedule": settings.RECONCILE_SECONDS,
        "options": {"expires": settings.RECONCILE_SECONDS},
    },
    # How each component stands: what is not sampled is unknown.
    "ask every component how it stands": {
        "task": "ops.tasks.sample_components",
        "schedule": 60.0,
        "options": {"expires": 55},
    },
    "count the days that are over": {
        "task": "ops.tasks.fold_samples",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
    # Asked often and done seldom, so that it is done soon after a start.
    "hold every row against the books, if it is due": {
        "task": "ingestion.tasks.balance_books",
        "schedule": 300.0,
        "options": {"expires": 290},
    },
    # So that what somebody did or saw cannot be unsaid.
    "seal the audit trail": {
        "task": "ops.tasks.seal",
        "schedule": 30.0,
        "options": {"expires": 25},
    },
    # By night, by the hospital's clock.
    "hold the last week of the trail against its seals": {
        "task": "ops.tasks.verify_last_week",
        "schedule": crontab(hour="2", minute="17"),
        "options": {"expires": 3600},
    },
}


@setup_logging.connect
def keep_our_logging(**_kwargs: object) -> None:
    """Stop Celery from replacing the logging that the settings configure."""

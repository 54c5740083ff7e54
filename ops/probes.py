"""The components that any place has: clock, database, queue, workers, disk, certificates and keys.

Each question is bounded in time. Words are for operators; strangers are told health alone.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from celery import current_app, current_task
from cryptography import x509
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import OperationalError as QueueError

from ops import replica
from ops.choices import Health
from ops.queries.schema import unapplied
from ops.queries.status import newest_sample_at
from ops.registry import Finding, Probe, add_probe
from ops.standing import CLOCK, STALE_AFTER, clock_stopped

# What runs the place has a queue and workers of its own, called after what they are.
_KEEPING, _KEEPER = "keeping", "keeper@"
_SECONDS = 2
_MIB, _GIB = 1 << 20, 1 << 30
# A queue of this many is no moment's rush any more: the clock alone adds a handful a minute.
_LONG_QUEUE = 100
# The clock asks for long tasks some 18 times an hour; a dump or a drill takes one hour, not two.
_LONG, _LONG_TASKS = "long", 36
_LITTLE_DISK, _NO_DISK = 0.10, 0.02
_WARN_DAYS, _ALARM_DAYS = 30, 7
# Samples are written each minute: if those of the last two have not come, nothing comes.
_REPLICA_LATE_SECONDS = 120


def clock() -> Finding:
    """Tell whether clock and workers run. Asked by a worker that the clock has called, they do.

    While they do not nobody asks, and then readers judge by the age of the samples.
    """
    newest = newest_sample_at()
    if _is_called(newest):
        return Finding(Health.WELL, "The clock calls, and a worker answers.")
    return Finding(Health.DOWN, clock_stopped(newest, timezone.now()))


def _is_called(newest: datetime | None) -> bool:
    """Tell whether tasks are called: one of them asks this, or the newest sample is fresh."""
    return bool(current_task) or (newest is not None and timezone.now() - newest <= STALE_AFTER)


def database() -> Finding:
    """Ask whether it answers, and has every migration."""
    started = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            ((size,),) = cursor.fetchall()
    except DatabaseError as error:
        return Finding(Health.DOWN, f"It does not answer ({type(error).__name__}).")
    took = 1000 * (time.monotonic() - started)
    figures = {"database_answer_milliseconds": round(took, 1), "database_size_bytes": float(size)}
    lacking = len(unapplied())
    if lacking:
        words = f"It answers and lacks {lacking} migrations: run manage.py migrate."
        return Finding(Health.DOWN, words, figures)
    words = f"It answers in {took:.0f} ms and has every migration; {_size(size)}."
    return Finding(Health.WELL, words, figures)


def reader() -> Finding:
    """Ask how far the replica is behind. Without it everything goes on: the writer answers."""
    try:
        state = replica.ask_state()
        is_ours = replica.is_of_the_writer(state)
    except DatabaseError as error:
        replica.leave_alone(error)
        words = f"It does not answer ({type(error).__name__}). The writer answers in its place."
        return Finding(Health.DEGRADED, words)
    if not is_ours:
        words = (
            "DATABASE_READER_URL leads to no replica of this database, so nobody is answered from"
            " there. Set it to the replica, or take it away."
        )
        return Finding(Health.DEGRADED, words)
    if state.lag is None:
        return Finding(Health.WELL, "It answers, and has replayed nothing yet.")
    figures = {"replica_lag_seconds": round(state.lag, 1)}
    # While nothing is written anywhere nothing is replayed: a sample a minute is.
    if state.lag > _REPLICA_LATE_SECONDS:
        words = f"Its newest transaction is {state.lag:.0f} s old. The writer answers in its place."
        return Finding(Health.DEGRADED, words, figures)
    return Finding(
        Health.WELL, f"It answers; its newest transaction is {state.lag:.1f} s old.", figures
    )


def queue() -> Finding:
    """Ask the broker how many messages wait."""
    options = {
        **current_app.conf.broker_transport_options,
        "socket_timeout": _SECONDS,
        "socket_connect_timeout": _SECONDS,
    }
    names = (current_app.conf.task_default_queue, _KEEPING, _LONG)
    with Connection(settings.CELERY_BROKER_URL, transport_options=options) as broker:
        try:
            broker.ensure_connection(max_retries=1, timeout=_SECONDS)
            length, keeping, long = (_length(broker, name) for name in names)
        except (QueueError, OSError) as error:
            words = (
                f"The broker does not answer ({type(error).__name__}): files are found by the"
                " clock no more. See that it runs, and CELERY_BROKER_URL."
            )
            return Finding(Health.DOWN, words)
    figures = {
        "queue_length": float(length),
        "keeper_queue_length": float(keeping),
        "long_queue_length": float(long),
    }
    if length > _LONG_QUEUE:
        words = f"{length} messages wait: the workers do not keep up, or none runs."
        return Finding(Health.DEGRADED, words, figures)
    if long > _LONG_TASKS:
        words = (
            f"{long} long tasks wait: whoever makes backups and drills does not run. See its log."
        )
        return Finding(Health.DEGRADED, words, figures)
    waiting = "nothing waits" if not length else f"{length} waiting"
    return Finding(Health.WELL, f"The broker answers; {waiting}.", figures)


def _length(broker: Connection, name: str) -> int:
    channel: Any = broker.channel()
    try:
        return int(channel.queue_declare(queue=name, passive=True).message_count)
    except broker.channel_errors:
        return 0  # a queue in which nothing waits is not there
    finally:
        channel.close()


def workers() -> Finding:
    """Call the roll of the workers, where the queue can carry it."""
    if settings.TASK_QUEUES:
        return _functions()
    if not settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        if current_task:
            return Finding(Health.WELL, "A worker runs: it asked this.")
        return Finding(Health.UNKNOWN, "This kind of queue cannot call a roll.")
    try:
        nodes = [node for each in current_app.control.ping(timeout=0.5) or () for node in each]
    except (QueueError, OSError) as error:
        if current_task:
            return Finding(Health.DEGRADED, "A worker runs and cannot reach the queue.")
        return Finding(Health.UNKNOWN, f"The roll cannot be called ({type(error).__name__}).")
    keepers = sum(node.startswith(_KEEPER) for node in nodes)
    count = len(nodes) - keepers
    figures = {"workers": float(count), "keepers": float(keepers)}
    many = "One worker answers" if count == 1 else f"{count} workers answer"
    if count and keepers:
        return Finding(Health.WELL, f"{many}, and the keeper.", figures)
    if count:
        words = f"{many}. No keeper does: nothing is backed up. Start it, and read its log."
        return Finding(Health.DEGRADED, words, figures)
    if current_task:
        return Finding(Health.DEGRADED, "A worker runs, and none answers the roll call.", figures)
    return Finding(Health.DOWN, "No worker answers: start one, and read its log.", figures)


def _functions() -> Finding:
    """On AWS no worker waits for a roll call: functions run when the clock or a queue calls them.

    What is asked by one of them proves it; else the age of what it last found does.
    """
    if _is_called(newest_sample_at()):
        return Finding(Health.WELL, "The function that runs tasks does: it asked this.")
    return Finding(Health.DOWN, "The function that runs tasks was not called: see its log.")


def disk() -> Finding:
    """Ask how much room the data folder has."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    share = usage.free / usage.total
    figures = {"disk_free_bytes": float(usage.free), "disk_free_percent": round(100 * share, 1)}
    words = f"{_size(usage.free)} free, {100 * share:.0f} % of the data folder's disk."
    if share < _NO_DISK:
        return Finding(Health.DOWN, f"{words} Nothing can be written soon: make room.", figures)
    if share < _LITTLE_DISK:
        return Finding(Health.DEGRADED, f"{words} Make room.", figures)
    return Finding(Health.WELL, words, figures)


def expiry() -> Finding:
    """Ask of each certificate and key that is watched how many days it has left."""
    today = timezone.localdate()
    left = {name: _days_left(place) for name, place in settings.WATCHED_CERTIFICATES}
    left |= {name: float((day - today).days) for name, day in settings.WATCHED_KEYS}
    if not left:
        words = (
            "Nothing is watched. Name certificates in HOSPITAL_WATCHED_CERTIFICATES and the days"
            " by which keys are to be changed in HOSPITAL_WATCHED_KEYS."
        )
        return Finding(Health.UNKNOWN, words)
    figures = {
        f"expiry_days_left:{name}": days for name, days in left.items() if isinstance(days, float)
    }
    words = " ".join(_said(name, days) for name, days in sorted(left.items(), key=_urgency))
    return Finding(_health_of(left.values()), words, figures)


def _urgency(one: tuple[str, float | str]) -> float:
    return one[1] if isinstance(one[1], float) else -1e6


def _said(name: str, days: float | str) -> str:
    if isinstance(days, str):
        return f"{name}: not known ({days})."
    if days < 0:
        return f"{name}: expired {-days:.0f} days ago."
    return f"{name}: {days:.0f} days left."


def _health_of(left: Iterable[float | str]) -> Health:
    """Judge them together: what is known to be bad goes before what is not known."""
    known = [days for days in left if isinstance(days, float)]
    worst = min(known, default=None)
    if worst is not None and worst <= _ALARM_DAYS:
        return Health.DOWN
    if worst is not None and worst <= _WARN_DAYS:
        return Health.DEGRADED
    return Health.WELL if len(known) == len(list(left)) else Health.UNKNOWN


def _days_left(place: str) -> float | str:
    """Give the days left of the first to expire in a file or at a host; else what went wrong."""
    try:
        path = Path(place)
        found = _of_a_file(path) if path.is_absolute() else _of_a_host(place)
    except (OSError, ValueError) as error:
        return type(error).__name__
    ends = min(each.not_valid_after_utc for each in found)
    return float((ends - datetime.now(UTC)).days)


def _of_a_file(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _of_a_host(place: str) -> list[x509.Certificate]:
    """Fetch what a server shows. Whether it is trusted is not asked: an expired one is not."""
    host, _, port = place.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=host.strip("[]")) as wrapped,
    ):
        shown = wrapped.getpeercert(binary_form=True)
    if shown is None:
        raise ValueError("no certificate was shown")
    return [x509.load_der_x509_certificate(shown)]


def _size(size: float) -> str:
    if size < _GIB:
        return f"{size / _MIB:,.0f} MiB"
    return f"{size / _GIB:,.1f} GiB"


def register() -> None:
    """Put them among those that are asked."""
    add_probe(Probe(CLOCK, "Clock and workers", clock, order=5))
    add_probe(
        Probe(
            "database",
            "Database",
            database,
            order=10,
            figure="database_answer_milliseconds",
            figure_title="milliseconds to an answer",
        )
    )
    if replica.is_set():
        add_probe(
            Probe(
                "replica",
                "Read replica",
                reader,
                order=15,
                figure="replica_lag_seconds",
                figure_title="seconds behind",
                is_public=False,
            )
        )
    add_probe(
        Probe(
            "queue",
            "Queue",
            queue,
            order=20,
            figure="queue_length",
            figure_title="messages waiting",
        )
    )
    add_probe(
        Probe("workers", "Workers", workers, order=30, figure="workers", figure_title="workers")
    )
    if not settings.TASK_QUEUES:
        # A function on AWS has no disk that lasts; the database's has an alarm there.
        add_probe(
            Probe(
                "disk",
                "Disk",
                disk,
                order=80,
                figure="disk_free_percent",
                figure_title="percent free",
                is_public=False,
            )
        )
    add_probe(Probe("expiry", "Certificates and keys", expiry, order=90, is_public=False))

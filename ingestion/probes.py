"""How ingestion stands, for the operators' pages: feeds, files, books, and the watch.

Words and figures name sources and layouts, and neither files nor patients.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from ingestion import queries
from ingestion.services.books import BALANCE
from ingestion.services.watching import WATCH
from ops.queries.status import last_run
from ops.registry import Finding, Health, Probe, add_probe

# The watch says each minute that it runs; after so long it is taken for dead.
_WATCH_SILENT = timedelta(minutes=3)
_FILES_LATE, _FILES_STUCK = timedelta(minutes=2), timedelta(minutes=15)


def feeds() -> Finding:
    """Tell how fresh the feeds are. One that is silent makes rules blind."""
    now = timezone.now()
    judged = queries.freshness_of_feeds(now)
    if not judged:
        return Finding(Health.UNKNOWN, "No feed has delivered yet.")
    count = Counter(one.freshness for one in judged)
    figures = {f"feeds_{name}": float(count[name]) for name in _NOT_FRESH}
    for one in judged:
        if one.newest_source_time is not None:
            figures[f"feed_age_seconds:{one.feed}"] = _seconds(now - one.newest_source_time)
    ages = [age for name, age in figures.items() if name.startswith("feed_age_seconds:")]
    figures["oldest_feed_age_seconds"] = max(ages, default=0.0)
    silent = [str(one.feed) for one in judged if one.freshness == queries.SILENT]
    others = ", ".join(f"{count[name]} {name.replace('_', ' ')}" for name in _WORDS if count[name])
    if silent:
        words = f"Silent: {', '.join(silent)}. Of {len(judged)}: {others}. Ask the sending system."
        return Finding(Health.DOWN, words, figures)
    if count[queries.FRESH] < len(judged):
        return Finding(Health.DEGRADED, f"Of {len(judged)}: {others}.", figures)
    return Finding(Health.WELL, f"All {len(judged)} are fresh.", figures)


_NOT_FRESH = (queries.LATE, queries.SILENT, queries.CATCHING_UP)
_WORDS = (queries.SILENT, queries.CATCHING_UP, queries.LATE, queries.FRESH)


def files() -> Finding:
    """Tell which files wait to be read, and what was refused or rejected and not worked off."""
    now = timezone.now()
    work = queries.open_work()
    waits = _seconds(now - work.oldest_receipt) if work.oldest_receipt else 0.0
    figures = {
        "files_not_done": float(work.files_not_done),
        "oldest_file_not_done_seconds": waits,
        "refused_files": float(work.refused_files),
        "rejected_rows": float(work.rejected_rows),
        "waiting_rows": float(work.waiting_rows),
    }
    words = (
        f"{_many(work.files_not_done, 'file')} to be read;"
        f" {_many(work.refused_files, 'refused file')} and"
        f" {_many(work.rejected_rows, 'rejected row')} to be worked off;"
        f" {_many(work.waiting_rows, 'row')} waiting for a parent."
    )
    if waits > _FILES_STUCK.total_seconds():
        words = f"A file has waited for {waits / 60:.0f} minutes: see the worker's log. {words}"
        return Finding(Health.DOWN, words, figures)
    if waits > _FILES_LATE.total_seconds() or work.refused_files:
        return Finding(Health.DEGRADED, words, figures)
    return Finding(Health.WELL, words, figures)


def books() -> Finding:
    """Tell what came of the last time when every row was held against the books."""
    run = last_run(BALANCE)
    if run is None:
        return Finding(Health.UNKNOWN, "Not recomputed yet: the clock does it within minutes.")
    age = timezone.now() - run.at
    figures = {**run.figures, "books_age_seconds": _seconds(age)}
    words = f"{run.words} Recomputed at {_clock(run.at)}."
    if run.health == Health.WELL and age > 2 * timedelta(hours=settings.BALANCE_HOURS):
        return Finding(Health.UNKNOWN, f"Not recomputed since. {words}", figures)
    return Finding(Health(run.health), words, figures)


def watch() -> Finding:
    """Tell whether the watch of the inbox runs: it says so each minute."""
    run = last_run(WATCH)
    if run is None:
        return Finding(Health.UNKNOWN, "It has never said that it runs: start manage.py watch.")
    age = timezone.now() - run.at
    figures = {"watch_age_seconds": _seconds(age)}
    if age > _WATCH_SILENT:
        words = f"Not heard of since {_clock(run.at)}: start manage.py watch, and read its log."
        return Finding(Health.DOWN, words, figures)
    return Finding(Health.WELL, "It looks for new files.", figures)


def _seconds(age: timedelta) -> float:
    return max(0.0, round(age.total_seconds(), 1))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def _clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M on %d %b %Z}"


def register() -> None:
    """Put them among the components that are asked."""
    add_probe(
        Probe(
            "feeds",
            "Feeds",
            feeds,
            order=40,
            figure="oldest_feed_age_seconds",
            figure_title="seconds since the oldest feed's newest file",
            address="admin:ingestion_feed_changelist",
            permission="ingestion.view_feed",
        )
    )
    add_probe(
        Probe(
            "files",
            "Files",
            files,
            order=45,
            figure="files_not_done",
            figure_title="files to be read",
            address="admin:ingestion_feedfile_changelist",
            permission="ingestion.view_feedfile",
        )
    )
    add_probe(Probe("books", "Books", books, order=50))
    if not settings.TASK_QUEUES:
        # On AWS files come by the buckets' queue, and nothing watches a folder.
        add_probe(Probe("watch", "Watch of the inbox", watch, order=35))

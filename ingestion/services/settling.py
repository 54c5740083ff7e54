"""When a rejected row stops being work: a later version of the same record has been applied.

Later means in the order of versions, and that one version must state every column that the
rejected row has: what was lost with it has then been said again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef

from ingestion.choices import RecordKind, Settlement
from ingestion.merging import Timeline, Version
from ingestion.models import RejectedRow, RejectedSubject
from ingestion.services.merging_rows import rank_of
from ingestion.services.staging import Stage, array_text
from ingestion.services.tables import Entry, Identity, fetch, tables_of


def settle_stage(stage: Stage, *, now: datetime) -> None:
    """Settle the rejected rows that a staged file has overtaken, and its own that came late."""
    if not RejectedSubject.objects.filter(is_settled=False).exists():
        return
    timeline = Timeline(rank_of)
    for kind in RecordKind:
        spoken = [
            f"SELECT ARRAY[{', '.join(f'{name}::text' for name in table.identity)}]"
            f" FROM {table.stage}"
            for table in stage.tables
            if table.kind == kind
        ]
        spoken += [
            f"SELECT identity FROM {name} WHERE kind = '{kind}'"
            for name in ("stage_found", "stage_subject")
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT DISTINCT s.identity FROM {RejectedSubject._meta.db_table} s"
                f" JOIN ({' UNION '.join(spoken)}) AS spoken(of) ON s.identity = spoken.of"
                f" WHERE s.kind = '{kind}' AND NOT s.is_settled"
            )
            identities = [tuple(identity) for (identity,) in cursor.fetchall()]
        settle(kind, identities, columns_of=stage.columns.columns_of, timeline=timeline, now=now)


def settle(
    kind: RecordKind,
    identities: Collection[Identity],
    *,
    columns_of: dict[int, frozenset[str]],
    timeline: Timeline,
    now: datetime,
) -> None:
    """Settle the rejected rows that spoke of these records and have been overtaken."""
    subjects = _unsettled(kind, identities)
    if not subjects:
        return
    records: dict[Identity, Entry] = {}
    for length, table in tables_of(kind).items():
        wanted = {tuple(s.identity) for s in subjects if len(s.identity) == length}
        records.update(fetch(table, wanted) if wanted else {})
    overtaken = [
        subject.pk
        for subject in subjects
        if _is_overtaken(subject, records.get(tuple(subject.identity)), columns_of, timeline)
    ]
    RejectedSubject.objects.filter(pk__in=overtaken).update(is_settled=True)
    open_subjects = RejectedSubject.objects.filter(rejected_row=OuterRef("pk"), is_settled=False)
    RejectedRow.objects.filter(
        ~Exists(open_subjects), subjects__in=overtaken, settled_at__isnull=True
    ).update(settled_at=now, settlement=Settlement.OVERTAKEN)


def _unsettled(kind: RecordKind, identities: Collection[Identity]) -> list[RejectedSubject]:
    waiting = RejectedSubject.objects.filter(kind=kind, is_settled=False)
    if not identities or not waiting.exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.id FROM {RejectedSubject._meta.db_table} s"
            " JOIN unnest(%s::text[]) AS spoken(of)"
            " ON s.identity = spoken.of::text[] WHERE s.kind = %s AND NOT s.is_settled",
            [[array_text(identity) for identity in identities], str(kind)],
        )
        found = [key for (key,) in cursor.fetchall()]
    return list(waiting.filter(pk__in=found).select_related("rejected_row__feed_file"))


def _is_overtaken(
    subject: RejectedSubject,
    record: Entry | None,
    columns_of: dict[int, frozenset[str]],
    timeline: Timeline,
) -> bool:
    """A record that waits has not been applied: it settles nothing yet."""
    if record is None or (subject.kind != RecordKind.PATIENT and record.parent is None):
        return False
    row = subject.rejected_row
    rejected = Version.of(row.feed_file.source_time, row.feed_file_id, row.line)
    return any(
        columns_of[column_set] >= columns_of[subject.column_set_id]
        and timeline.is_later(version, rejected)
        for column_set, version in record.statements.items()
    )

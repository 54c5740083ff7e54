"""Whether the books balance: recomputed from what is stored, and never assumed.

Each reading says of every line in which column it is. Here those lines are held against the
ledger, against the rejected and the waiting rows, and against what each record says of where it
began and who said it last. Sets of lines are compared whole, one for each file and not one
question for each line.
"""

from __future__ import annotations

from django.db import connection

from ingestion.choices import RowOutcome
from ingestion.models.feeds import LEDGER_COLUMNS

_EACH = [f"lines_{outcome}" for outcome in RowOutcome]
_ALL_LINES = " + ".join(_EACH)
_LEDGER = ("rows", *LEDGER_COLUMNS, "flaws")


def _size(lines: str) -> str:
    return f"(SELECT coalesce(sum(upper(x) - lower(x)), 0) FROM unnest({lines}) AS x)"


# The lines that are stored of each reading, and how many flaws. A reading from before lines were
# kept has none of its own: `lines_*` are NULL there.
_STORED = """
    readings AS (
        SELECT * FROM ingestion_reading WHERE status = 'ingested'
    ), waits AS (
        SELECT feed_file_id AS file, reading, range_agg(int4range(line::int, line::int + 1))
            AS lines, count(*) AS n FROM ingestion_waitingrow GROUP BY 1, 2
    ), rejected AS (
        SELECT feed_file_id AS file, reading, range_agg(int4range(line::int, line::int + 1))
            AS lines, count(*) AS n FROM ingestion_rejectedrow GROUP BY 1, 2
    ), flawed AS (
        SELECT feed_file_id AS file, reading, count(*) AS n FROM ingestion_flaw GROUP BY 1, 2
    )
"""

# A reading whose ledger is not the sizes of its sets of lines, whose sets share a line, or whose
# rejected and waiting rows are not those that it says.
_READINGS = f"""
    SELECT r.feed_file_id AS file FROM readings r
    LEFT JOIN waits w ON (w.file, w.reading) = (r.feed_file_id, r.number)
    LEFT JOIN rejected j ON (j.file, j.reading) = (r.feed_file_id, r.number)
    LEFT JOIN flawed f ON (f.file, f.reading) = (r.feed_file_id, r.number)
    WHERE r.rows <> {" + ".join(f"r.{name}" for name in LEDGER_COLUMNS)}
       OR r.waiting <> coalesce(w.n, 0)
       OR r.rejected <> coalesce(j.n, 0)
       OR r.flaws <> coalesce(f.n, 0)
       OR num_nulls({", ".join(_EACH)}) NOT IN (0, {len(_EACH)})
       OR r.lines_created IS NOT NULL AND (
          {" OR ".join(f"r.{each} <> {_size(f'r.lines_{each}')}" for each in RowOutcome)}
          OR r.rows <> {_size(f"({_ALL_LINES})")}
          OR r.lines_waiting <> coalesce(w.lines, '{{}}')
          OR r.lines_rejected <> coalesce(j.lines, '{{}}')
       )
"""

# A file that does not show the ledger of the reading that it names; rows of a reading that is not.
_FILES = f"""
    SELECT f.id FROM ingestion_feedfile f
    LEFT JOIN readings r ON (r.feed_file_id, r.number) = (f.id, f.reading)
    WHERE f.status = 'ingested' AND (r.id IS NULL
       OR ({", ".join(f"f.{name}" for name in _LEDGER)})
          IS DISTINCT FROM ({", ".join(f"r.{name}" for name in _LEDGER)}))
    UNION ALL
    SELECT of.file FROM (
        SELECT file, reading FROM waits UNION ALL SELECT file, reading FROM rejected
        UNION ALL SELECT file, reading FROM flawed
    ) AS of
    LEFT JOIN readings r ON (r.feed_file_id, r.number) = (of.file, of.reading)
    WHERE r.id IS NULL
"""

# Where each record began, and which line said it last; what came late. By file, as sets of lines.
_TOLD = """
    begun AS (
        SELECT file, range_agg(int4range(line::int, line::int + 1)) AS lines FROM (
            SELECT created_in_id AS file, created_line AS line FROM ingestion_patient
            UNION ALL SELECT created_in_id, created_line FROM ingestion_admission
            UNION ALL SELECT created_in_id, created_line FROM ingestion_labtest
            UNION ALL SELECT created_in_id, created_line FROM ingestion_labresult
                WHERE created_in_id IS NOT NULL
        ) AS each GROUP BY file
    ), said AS (
        SELECT file, range_agg(int4range(line::int, line::int + 1)) AS lines FROM (
            SELECT said_in_id AS file, said_line AS line FROM ingestion_patient
            UNION ALL SELECT said_in_id, said_line FROM ingestion_admission
            UNION ALL SELECT said_in_id, said_line FROM ingestion_labtest
            UNION ALL SELECT said_in_id, said_line FROM ingestion_labresult
        ) AS each GROUP BY file
    ), late AS (
        SELECT feed_file_id AS file, range_agg(int4range(line::int, line::int + 1)) AS lines,
            range_agg(int4range(line::int, line::int + 1)) FILTER (WHERE outcome = 'superseded')
                AS superseded
        FROM ingestion_lateversion GROUP BY 1
    )
"""

# By file, over all its readings: which lines may have begun a record, said it last, or come late.
# A combined row speaks of two records: what came late of one may have made the other.
_APPLIED = """
    applied AS (
        SELECT r.feed_file_id AS file, bool_and(r.lines_created IS NOT NULL) AS has_lines,
            count(*) AS readings, max(r.created) AS created,
            max(r.created + r.updated + r.unchanged) AS spoken,
            range_agg(r.lines_created) AS created_lines,
            range_agg(r.lines_created + r.lines_waiting) AS beginning,
            range_agg(r.lines_created + r.lines_updated + r.lines_unchanged + r.lines_waiting)
                AS speaking,
            range_agg(r.lines_unchanged + r.lines_superseded + r.lines_waiting) AS late,
            range_agg(r.lines_superseded + r.lines_waiting) AS superseded,
            range_agg(CASE WHEN d.layout LIKE '%.combined' THEN
                r.lines_created + r.lines_updated + r.lines_unchanged ELSE '{}' END) AS combined
        FROM readings r JOIN ingestion_feedfile f ON f.id = r.feed_file_id
        LEFT JOIN ingestion_feed d ON d.id = f.feed_id GROUP BY r.feed_file_id
    )
"""

# Records that name a file which is not there or was never ingested, or a line of it that no
# reading applied; lines that were called created and began nothing. Of a file that was read before
# lines were kept, the numbers are held against each other, and that nothing rejected was applied.
_RECORDS = f"""
    SELECT told.file FROM (
        SELECT file FROM begun UNION SELECT file FROM said UNION SELECT file FROM late
    ) AS told
    LEFT JOIN applied a ON a.file = told.file WHERE a.file IS NULL
    UNION ALL
    SELECT a.file FROM applied a
    LEFT JOIN begun ON begun.file = a.file LEFT JOIN said ON said.file = a.file
    LEFT JOIN late ON late.file = a.file
    WHERE a.has_lines AND (
        NOT coalesce(begun.lines, '{{}}') <@ a.beginning
        OR NOT a.created_lines <@ coalesce(begun.lines, '{{}}')
        OR NOT coalesce(said.lines, '{{}}') <@ a.speaking
        OR NOT coalesce(late.lines, '{{}}') <@ (a.late + a.combined)
        OR NOT coalesce(late.superseded, '{{}}') <@ (a.superseded + a.combined)
    )
    UNION ALL
    SELECT a.file FROM applied a
    LEFT JOIN begun ON begun.file = a.file LEFT JOIN said ON said.file = a.file
    LEFT JOIN waits w ON w.file = a.file LEFT JOIN rejected j ON j.file = a.file
    WHERE NOT a.has_lines AND a.readings = 1 AND (
        a.created <> {_size("(coalesce(begun.lines, '{}') - coalesce(w.lines, '{}'))")}
        OR a.spoken < {_size("(coalesce(said.lines, '{}') - coalesce(w.lines, '{}'))")}
        OR j.lines && (coalesce(begun.lines, '{{}}') + coalesce(said.lines, '{{}}')
            + coalesce(w.lines, '{{}}'))
    )
"""

# A line that waits has its record, which waits too; what was applied has found its parent. A
# result may lose its test again to a conflict, so of an applied one it is not asked.
_WAITING = """
    SELECT w.feed_file_id FROM ingestion_waitingrow w
    LEFT JOIN ingestion_admission a
      ON w.kind = 'admission' AND (a.case_number, a.patient_number) = (w.identity[1], w.identity[2])
    LEFT JOIN ingestion_labtest t
      ON w.kind = 'lab_test' AND (t.test_id, t.patient_number) = (w.identity[1], w.identity[2])
    LEFT JOIN ingestion_labresult r
      ON w.kind = 'lab_result' AND r.result_id = w.identity[1] AND cardinality(w.identity) = 1
    LEFT JOIN ingestion_labresult c
      ON w.kind = 'lab_result' AND c.result_id IS NULL AND cardinality(w.identity) = 2
      AND (c.test_id, c.patient_number) = (w.identity[1], w.identity[2])
    WHERE coalesce(a.id, t.id, r.id, c.id) IS NULL
       OR (w.applied_at IS NULL) <> (coalesce(a.patient_id, t.patient_id) IS NULL)
          AND w.kind <> 'lab_result'
       OR w.applied_at IS NULL AND coalesce(r.lab_test_id, c.lab_test_id) IS NOT NULL
"""

_UNBALANCED_LEDGERS = f"WITH {_STORED} {_READINGS} UNION {_FILES}"
_UNBALANCED = f"""
    WITH {_STORED}, {_TOLD}, {_APPLIED}
    {_READINGS} UNION {_FILES} UNION {_RECORDS} UNION {_WAITING}
"""


def unbalanced_files() -> list[int]:
    """Give the keys of the files whose ledgers differ from what is stored of their rows."""
    return _keys(_UNBALANCED)


def unbalanced_ledgers() -> list[int]:
    """Give the keys of the files whose ledgers do not hold by themselves, records aside.

    That much can be held of an earlier moment too. Records cannot: workers end their files in
    another order than they began them, so that the last instants before a moment may be mixed.
    """
    return _keys(_UNBALANCED_LEDGERS)


def _keys(question: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return [key for (key,) in cursor.fetchall()]

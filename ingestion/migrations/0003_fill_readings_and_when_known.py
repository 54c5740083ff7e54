"""Give what is on record already its first reading, its source time and when it became known.

What the lines of old readings did, one by one, was not kept: their `lines_*` stay NULL.
"""

from django.db import migrations

RECORDS = ("ingestion_patient", "ingestion_admission", "ingestion_labtest", "ingestion_labresult")

# The triggers are put aside: that a row gets its dates is no change of what was said.
FILL = "\n".join(
    f"""
    ALTER TABLE {table} DISABLE TRIGGER USER;
    UPDATE {table} r SET said_at = f.source_time, known_at = f.finished_at
    FROM ingestion_feedfile f WHERE f.id = r.said_in_id AND r.known_at IS NULL;
    ALTER TABLE {table} ENABLE TRIGGER USER;
    """
    for table in RECORDS
)
READINGS = """
    INSERT INTO ingestion_reading (feed_file_id, number, status, refusal, reason, asked_by, why,
        finished_at, rows, created, updated, unchanged, superseded, waiting, rejected, flaws)
    SELECT id, 1, status, refusal, reason, '', '', coalesce(finished_at, received_at), rows,
        created, updated, unchanged, superseded, waiting, rejected, flaws
    FROM ingestion_feedfile WHERE status IN ('ingested', 'refused');
    UPDATE ingestion_feedfile SET reading = 1 WHERE status = 'ingested';
    UPDATE ingestion_feedfile SET content = substr(version, 1, 64)
    WHERE version ~ '^[0-9a-f]{64}(@|$)';
    UPDATE ingestion_rejectedrow SET settlement = 'overtaken' WHERE settled_at IS NOT NULL;
"""
UNDO = """
    UPDATE ingestion_feedfile SET reading = 0, content = '';
    DELETE FROM ingestion_reading;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0002_history_and_readings")]

    operations = [
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(READINGS, UNDO),
    ]

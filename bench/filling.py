"""A record of millions of tests within minutes: by SQL, in copies of rows that were ingested.

Consistent all the same: each test has its patient, each patient a last test and an open admission,
and the ledgers of the files balance. Only a database that will be thrown away may be filled so.
"""

from __future__ import annotations

from bench.exports import ADMISSIONS, LAB_TESTS, PATIENTS, write
from bench.measuring import take_in
from bench.place import Scratch

# The row that is copied is the first data row of its file; its copies come behind it.
_FIRST_LINE = 2
# Between the tests of one patient.
_APART = "interval '7 minutes'"
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = '{table}'::regclass AND NOT indisunique
"""


def fill(place: Scratch, database: str, *, tests: int, people: int) -> None:
    """Put so many tests of so many new patients (F0000000 …) on record."""
    for kind in (PATIENTS, ADMISSIONS, LAB_TESTS):
        export = write(
            kind, place.files, rows=1, series="F", people=1, is_faultless=True,
            whose=lambda _: "F-seed",
        )  # fmt: skip
        take_in(export)
    numbers = f"generate_series(0, {people - 1}) AS n"
    _copy(
        place, database, PATIENTS.table, f"{numbers}", people,
        id="gen_random_uuid()", patient_id="'F' || lpad(n::text, 7, '0')",
    )  # fmt: skip
    _number_people(place, database)
    _copy(
        place, database, ADMISSIONS.table, "bench_people", people,
        patient_id="person", patient_number="number", case_number="'F-' || n",
    )  # fmt: skip
    _copy(
        place, database, LAB_TESTS.table,
        f"(SELECT i AS n, person, number FROM generate_series(0, {tests - 1}) AS i"
        f" JOIN bench_people ON bench_people.n = i % {people}) AS numbered",
        tests,
        patient_id="person", patient_number="number", test_id="'F-' || lpad(n::text, 9, '0')",
        ordered_at=f"t.ordered_at - (n / {people}) * {_APART}",
    )  # fmt: skip
    place.administer(database, *_DERIVED, "VACUUM (ANALYZE)", "CHECKPOINT")


# What follows from the rest: each patient's last test, and since when the admission is quiet.
_DERIVED = (
    "SET session_replication_role = replica",
    """UPDATE ingestion_patient p SET last_test_at = t.ordered_at, last_test_number = t.test_id,
           last_test_name = t.name
       FROM (SELECT DISTINCT ON (patient_id) patient_id, ordered_at, test_id, name
             FROM ingestion_labtest ORDER BY patient_id, ordered_at DESC, test_id DESC) AS t
       WHERE t.patient_id = p.id""",
    """UPDATE ingestion_admission a SET quiet_since = greatest(a.admitted_at, p.last_test_at)
       FROM ingestion_patient p WHERE p.id = a.patient_id""",
    "DROP TABLE bench_people",
)


def _copy(
    place: Scratch, database: str, table: str, source: str, count: int, **changed: str
) -> None:
    """Copy the row of table whose identity begins with F for each `n` of a source, with changes.

    Without checks and triggers, and with the indexes made at the end: all is known to be good.
    """
    line = f"n + {_FIRST_LINE + 1}"
    seed, file = place.administer(
        database, f"SELECT id, said_in_id FROM {table} ORDER BY said_in_id DESC LIMIT 1"
    )[0]
    statements = f"replace(t.statements::text, ', {_FIRST_LINE}]', ', ' || ({line}) || ']')::jsonb"
    values = {"said_line": line, "created_line": line, "statements": statements, **changed}
    columns = [
        name
        for (name,) in place.administer(
            database,
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
            f" AND table_name = '{table}' AND is_generated = 'NEVER'",
        )
        if name != "id" or "id" in changed
    ]
    indexes = place.administer(database, _INDEXES.format(table=table))
    named = ", ".join(f'"{name}"' for name in columns)
    selected = ", ".join(values.get(name, f't."{name}"') for name in columns)
    last = count + _FIRST_LINE
    ledger = f"rows = {count + 1}, created = {count + 1}"
    place.administer(
        database,
        "SET session_replication_role = replica",
        "SET maintenance_work_mem = '256MB'",
        *(f"DROP INDEX {name}" for name, _ in indexes),
        f"INSERT INTO {table} ({named}) SELECT {selected}"
        f" FROM {source}, (SELECT * FROM {table} WHERE id = '{seed}') AS t",
        *(definition for _, definition in indexes),
        f"UPDATE ingestion_feedfile SET {ledger} WHERE id = {file}",
        f"UPDATE ingestion_reading SET {ledger},"
        f" lines_created = '{{[{_FIRST_LINE},{last + 1})}}' WHERE feed_file_id = {file}",
        f"ANALYZE {table}",
    )


def _number_people(place: Scratch, database: str) -> None:
    place.administer(
        database,
        """CREATE UNLOGGED TABLE bench_people AS
           SELECT substr(patient_id, 2)::int AS n, id AS person, patient_id AS number
           FROM ingestion_patient WHERE patient_id ~ '^F[0-9]+$'""",
        "ANALYZE bench_people",
    )

"""Figure 10: whether the record becomes slower as it grows."""

from __future__ import annotations

from bench.exports import LAB_TESTS, person, write
from bench.figures import Figure, Measure, Sizes, at_least, ratios, require_same, shown
from bench.filling import fill
from bench.measuring import Say, check_ledger, identities, interleaved, rejected_lines, seconds_of
from bench.place import Scratch
from ingestion.services.receiving import ingest
from ingestion.storage import local_object

_TESTS_PER_PATIENT = 100


def as_it_grows(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 10: the same file into a record of few tests and into one of many."""
    few, many = sizes.tests_on_record
    for database, tests in (("few", few), ("many", many)):
        people = max(sizes.people, tests // _TESTS_PER_PATIENT)
        place.fresh(database)
        seconds = seconds_of(lambda: fill(place, database, tests=tests, people=people))  # noqa: B023
        say(f"  {shown(tests)} tests of {shown(people)} more patients put on record: {seconds:.0f} s")
    stored: dict[str, list[str]] = {"few": [], "many": []}
    rounds = {"few": 0, "many": 0}

    def ingest_into(database: str, people: int) -> float:
        place.use(database)
        number = rounds[database] = rounds[database] + 1
        apart = people // sizes.people
        export = write(
            LAB_TESTS, place.files, rows=sizes.rows, series=f"G{number}", people=sizes.people,
            whose=lambda n: f"F{n * apart:07}",
        )  # fmt: skip
        place.settle()
        seconds = seconds_of(lambda: ingest(local_object(export.path)))
        check_ledger(export, ingest(local_object(export.path)).file, column="created")
        require_same("rejected", planted=sorted(export.faulty_lines), found=rejected_lines())
        stored[database].append(identities(LAB_TESTS.table, "test_id", prefix=f"G{number}"))
        return seconds

    def into(database: str, tests: int) -> float:
        return ingest_into(database, max(sizes.people, tests // _TESTS_PER_PATIENT))

    taken = interleaved(
        {"few": lambda: into("few", few), "many": lambda: into("many", many)},
        repeats=sizes.repeats,
        say=say,
    )
    require_same("tests stored", few=stored["few"], many=stored["many"])
    return Figure(
        10,
        "As the record grows",
        [
            Measure(
                f"rows/s at {shown(many)} ÷ at {shown(few)} tests",
                ratios(taken["few"], taken["many"]),
                goal=at_least(0.8),
            ),
            *(
                Measure(f"at {shown(tests)} tests on record",
                        tuple(sizes.rows / one for one in taken[name]), "rows/s")
                for name, tests in (("few", few), ("many", many))
            ),
        ],
        f"the same {shown(sizes.rows)} rows for {sizes.repeats} files each: stored and rejected"
        " alike in both",
        [
            f"Files of {shown(sizes.rows)} new tests of {shown(sizes.people)} patients, spread over"
            " all; the records grow by them from repetition to repetition.",
            "The record is filled by SQL, in copies of rows that were ingested, with patients,"
            " admissions, ledgers and readings to match; then vacuumed and analysed.",
        ],
    )

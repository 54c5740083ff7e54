"""Figure 10: whether the record becomes slower as it grows."""

from __future__ import annotations

from bench.exports import LAB_TESTS, write
from bench.figures import Figure, Measure, Sizes, at_least, ratios, require_same, shown
from bench.filling import fill
from bench.measuring import Say, identities, interleaved, rejected_lines, seconds_of, take_in
from bench.place import Scratch
from ingestion.services.books import unbalanced_files

_TESTS_PER_PATIENT = 100


def as_it_grows(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 10: the same file into a record of few tests and into one of many."""
    few, many = sizes.tests_on_record
    for database, tests in (("few", few), ("many", many)):
        _fill(place, sizes, say, database=database, tests=tests)
        if tests == few:
            require_same("files of the filling that balance", all=[], found=unbalanced_files())
    stored: dict[str, list[str]] = {"few": [], "many": []}

    def into_few() -> float:
        place.fresh(template="few")
        return _ingested(place, sizes, stored["few"], people=_people(sizes, few))

    def into_many() -> float:
        # Not copied, for its size: a hundredth is added each time.
        place.use("many")
        return _ingested(place, sizes, stored["many"], people=_people(sizes, many))

    taken = interleaved({"few": into_few, "many": into_many}, repeats=sizes.repeats, say=say)
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
                Measure(
                    f"at {shown(tests)} tests on record",
                    tuple(sizes.rows / one for one in taken[name]),
                    "rows/s",
                )
                for name, tests in (("few", few), ("many", many))
            ),
        ],
        f"the same {shown(sizes.rows)} rows for {sizes.repeats} files each: stored and rejected"
        " alike in both",
        [
            (
                f"Files of {shown(sizes.rows)} new tests of {shown(sizes.people)} patients,"
                f" spread over all, of whom there are {shown(_people(sizes, few))} and"
                f" {shown(_people(sizes, many))}."
            ),
            (
                "The record is filled by SQL, in copies of rows that were ingested, with"
                " patients, admissions, ledgers and readings to match; then vacuumed and"
                " analysed."
            ),
        ],
    )


def _people(sizes: Sizes, tests: int) -> int:
    return max(sizes.people, tests // _TESTS_PER_PATIENT)


def _fill(place: Scratch, sizes: Sizes, say: Say, *, database: str, tests: int) -> None:
    people = _people(sizes, tests)
    place.fresh(database)
    seconds = seconds_of(lambda: fill(place, database, tests=tests, people=people))
    say(f"  {shown(tests)} tests of {shown(people)} more patients put on record: {seconds:.0f} s")


def _ingested(place: Scratch, sizes: Sizes, stored: list[str], *, people: int) -> float:
    """Ingest new tests of patients all over the record."""
    series = f"G{len(stored)}"
    apart = people // sizes.people
    export = write(
        LAB_TESTS, place.files, rows=sizes.rows, series=series, people=sizes.people,
        whose=lambda n: f"F{n * apart:07}",
    )  # fmt: skip
    place.settle()
    seconds = seconds_of(lambda: take_in(export))
    require_same("rejected", planted=sorted(export.faulty_lines), found=rejected_lines())
    stored.append(identities(LAB_TESTS.table, LAB_TESTS.recorded_identity, prefix=series))
    return seconds

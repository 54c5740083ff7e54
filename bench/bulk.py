"""Figures 1 to 3: a large file beside raw COPY, beside Django's ORM, and read again."""

from __future__ import annotations

from bench.baselines import (
    PLAIN,
    RAW,
    bulk_create,
    copy_raw,
    make_plain_table,
    make_raw_table,
    save_row_by_row,
)
from bench.exports import (
    ADMISSIONS,
    LAB_RESULTS,
    LAB_TESTS,
    LATER_STAMP,
    PATIENTS,
    STAMP,
    TESTED,
    Export,
    Kind,
    person,
    write,
)
from bench.figures import (
    Figure,
    Measure,
    Sizes,
    at_least,
    at_most,
    ratios,
    require_same,
    shown,
)
from bench.measuring import (
    Say,
    check_ledger,
    identities,
    interleaved,
    lab_tests_in,
    rejected_lines,
    seconds_of,
    take_in,
)
from bench.place import Scratch
from ingestion.services.receiving import Replay, ingest
from ingestion.storage import local_object

_TABLES_WITH_HISTORY = """
    SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger
    WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ingestion_%' ORDER BY 1
"""


class Bulk:
    """One file of many rows, what may be done with it, and what each way of doing it stored."""

    def __init__(self, place: Scratch, sizes: Sizes, kind: Kind) -> None:
        self.place = place
        self.sizes = sizes
        self.kind = kind
        self.export = self._write("Ordered")
        self._stored: dict[str, str] = {}
        self._rejected: dict[str, list[int]] = {"planted": sorted(self.export.faulty_lines)}

    def rates(self, seconds: tuple[float, ...]) -> tuple[float, ...]:
        """Give rows per second."""
        return tuple(self.export.rows / one for one in seconds)

    def copy_raw(self) -> float:
        """Let PostgreSQL copy the file as it lies. It rejects nothing: faulty rows are set aside
        before what it stored is compared."""
        self.place.fresh()
        make_raw_table(self.place, "run", self.kind)
        seconds = seconds_of(lambda: copy_raw(self.export.path))
        self._stored["raw COPY"] = identities(
            RAW, self.kind.identity, prefix=TESTED, without=self.export.faulty_identities
        )
        return seconds

    def ingest(self) -> float:
        """Ingest the file: the product, everything on."""
        self._prepare()
        seconds = seconds_of(lambda: take_in(self.export))
        self._note_what_was_ingested("ingested")
        return seconds

    def ingest_without_history(self) -> float:
        """Ingest the file with the triggers of history off."""
        self._prepare()
        self._switch_history_off()
        seconds = seconds_of(lambda: take_in(self.export))
        self._note_what_was_ingested("ingested without history")
        return seconds

    def update(self, *, history: bool) -> float:
        """Ingest a newer file about the same records: each of its rows changes one."""
        self._prepare()
        take_in(self.export)
        newer = self._write("Completed", stamp=LATER_STAMP)
        if not history:
            self._switch_history_off()
        self.place.settle()
        seconds = seconds_of(lambda: ingest(local_object(newer.path)))
        check_ledger(newer, ingest(local_object(newer.path)).file, column="updated")
        return seconds

    def check(self) -> str:
        """Raise VariantsDiffer unless all stored and rejected the same; else say what was."""
        require_same(f"what is stored of {self.kind.layout}", **self._stored)
        require_same(f"what is rejected of {self.kind.layout}", **self._rejected)
        stored = next(iter(self._stored.values())).partition(",")[0]
        return f"{self.kind.layout}: {stored} stored, {self.export.faulty} rejected by all"

    def _write(self, status: str, *, stamp: str = STAMP) -> Export:
        is_of_people = self.kind is PATIENTS
        return write(
            self.kind,
            self.place.files,
            rows=self.sizes.rows,
            series=TESTED,
            people=self.sizes.rows if is_of_people else self.sizes.people,
            whose=new_person if is_of_people else person,
            stamp=stamp,
            status=status if self.kind is LAB_TESTS else "",
        )

    def _prepare(self) -> None:
        """A fresh record with the people of the hospital, and for results with their tests."""
        self.place.fresh()
        if self.kind is LAB_RESULTS:
            take_in(Bulk(self.place, self.sizes, LAB_TESTS).export)
            self.place.settle()

    def _switch_history_off(self) -> None:
        tables = self.place.administer("run", _TABLES_WITH_HISTORY)
        self.place.administer(
            "run", *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for (table,) in tables)
        )

    def _note_what_was_ingested(self, variant: str) -> None:
        self._stored[variant] = identities(
            self.kind.table, self.kind.recorded_identity, prefix=TESTED
        )
        self._rejected[variant] = rejected_lines()


def new_person(number: int) -> str:
    """Give the patient_id of somebody who is not in hospital yet."""
    return f"{TESTED}-{number:08}"


def beside_raw_copy(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 1: the whole pipeline beside raw COPY of the same file."""
    tests = Bulk(place, sizes, LAB_TESTS)
    taken = interleaved(
        {
            "raw COPY": tests.copy_raw,
            "ingest": tests.ingest,
            "ingest, history off": tests.ingest_without_history,
            "update": lambda: tests.update(history=True),
            "update, history off": lambda: tests.update(history=False),
        },
        repeats=sizes.repeats,
        say=say,
    )
    raw, ours = taken["raw COPY"], taken["ingest"]
    measures = [
        Measure("lab tests: ingest ÷ raw COPY", ratios(raw, ours), goal=at_least(0.15)),
        *(Measure(f"lab tests: {name}", tests.rates(taken[name]), "rows/s") for name in taken),
    ]
    same = [tests.check()]
    for kind in (PATIENTS, ADMISSIONS, LAB_RESULTS) if sizes.other_layouts else ():
        say(f" {kind.layout}")
        bulk = Bulk(place, sizes, kind)
        both = {"raw COPY": bulk.copy_raw, "ingest": bulk.ingest}
        other = interleaved(both, repeats=sizes.repeats, say=say)
        measures += [
            Measure(
                f"{kind.layout}: ingest ÷ raw COPY", ratios(other["raw COPY"], other["ingest"])
            ),
            Measure(f"{kind.layout}: ingest", bulk.rates(other["ingest"]), "rows/s"),
        ]
        same.append(bulk.check())
    return Figure(
        1,
        "Bulk: the whole pipeline beside raw COPY",
        measures,
        "; ".join(same),
        [
            (
                f"{shown(sizes.rows)} rows in one file, one in 1 000 faulty,"
                f" {shown(sizes.people)} patients known; the record is new for each repetition"
                " and variant."
            ),
            (
                "Raw COPY: into an unlogged table of texts without an index, on the same"
                " connection. It can reject nothing; its faulty rows are set aside before the"
                " comparison."
            ),
            (
                "Stretch goal: ≥ 0.3. History keeps what a row was before a change, so that"
                " it costs where rows are updated; “history off” is with the triggers off."
            ),
        ],
    )


def beside_orm(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 2: the whole pipeline beside `bulk_create`, and beside saving row by row."""
    tests = Bulk(place, sizes, LAB_TESTS)
    stored: dict[str, str] = {}
    first: dict[str, str] = {}
    rejected: dict[str, list[int]] = {"planted": sorted(tests.export.faulty_lines)}
    last_line = sizes.rows_by_orm + 1

    def ours() -> float:
        seconds = tests.ingest()
        stored["ingest"] = lab_tests_in(LAB_TESTS.table)
        first["ingest"] = lab_tests_in(LAB_TESTS.table, up_to_line=last_line)
        rejected["ingest"] = rejected_lines()
        return seconds

    def by_bulk_create() -> float:
        place.fresh()
        make_plain_table(place, "run")
        seconds = seconds_of(lambda: rejected.update(bulk_create=bulk_create(tests.export.path)))
        stored["bulk_create"] = lab_tests_in(PLAIN)
        return seconds

    def row_by_row() -> float:
        place.fresh()
        make_plain_table(place, "run")
        refused: list[int] = []
        rows = sizes.rows_by_orm
        seconds = seconds_of(lambda: refused.extend(save_row_by_row(tests.export.path, rows=rows)))
        first["row by row"] = lab_tests_in(PLAIN)
        planted = [line for line in rejected["planted"] if line <= last_line]
        require_same("rejected lines", planted=planted, row_by_row=refused)
        return seconds

    variants = {"ingest": ours, "bulk_create": by_bulk_create, "row by row": row_by_row}
    taken = interleaved(variants, repeats=sizes.repeats, say=say)
    require_same("what is stored", **stored)
    require_same(f"what is stored of the first {sizes.rows_by_orm} rows", **first)
    require_same("rejected lines", **rejected)
    rates = {
        "ingest": tests.rates(taken["ingest"]),
        "bulk_create": tests.rates(taken["bulk_create"]),
        "row by row": tuple(sizes.rows_by_orm / seconds for seconds in taken["row by row"]),
    }
    return Figure(
        2,
        "Bulk: beside Django's ORM",
        [
            Measure(
                "ingest ÷ bulk_create",
                ratios(rates["ingest"], rates["bulk_create"]),
                goal=at_least(10),
            ),
            Measure(
                "ingest ÷ row by row",
                ratios(rates["ingest"], rates["row by row"]),
                goal=at_least(200),
            ),
            *(Measure(name, rate, "rows/s") for name, rate in rates.items()),
        ],
        f"all values of {stored['ingest'].partition(',')[0]}; {len(rejected['planted'])} rejected"
        f" by all; row by row the same for the first {shown(sizes.rows_by_orm)}",
        [
            (
                "bulk_create: the csv module, dates by strptime with a memo, update_conflicts"
                " in batches of 5 000 into a table with the same columns, constraints and"
                " indexes, no history."
            ),
            (
                f"Row by row: update_or_create of {shown(sizes.rows_by_orm)} rows in one"
                " transaction, patients remembered; compared as a rate."
            ),
        ],
    )


def read_again(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 3: a forced replay of an ingested file beside its first ingestion."""
    tests = Bulk(place, sizes, LAB_TESTS)
    stored: dict[str, str] = {}
    first: list[float] = []

    def first_time() -> float:
        seconds = tests.ingest()
        stored["first"] = lab_tests_in(LAB_TESTS.table)
        return seconds

    def replayed() -> float:
        first.append(first_time())
        place.settle()
        why = Replay("bench", "how long it takes to read a file again")
        seconds = seconds_of(lambda: ingest(local_object(tests.export.path), replay=why))
        file = ingest(local_object(tests.export.path)).file
        check_ledger(tests.export, file, column="unchanged")
        require_same("number of readings", expected=2, found=file.readings.count())
        stored["replay"] = lab_tests_in(LAB_TESTS.table)
        require_same("rejected lines", planted=sorted(tests.export.faulty_lines),
                     replay=rejected_lines())  # fmt: skip
        return seconds

    taken = interleaved({"replay": replayed}, repeats=sizes.repeats, say=say)
    require_same("what is stored", **stored)
    return Figure(
        3,
        "An ingested file read again",
        [
            Measure("replay ÷ first ingestion", ratios(taken["replay"], first), goal=at_most(0.3)),
            Measure("first ingestion", tests.rates(tuple(first)), "rows/s"),
            Measure("replay", tests.rates(taken["replay"]), "rows/s"),
        ],
        f"the replay left all values of {stored['first'].partition(',')[0]} as they were and"
        f" rejected the same {tests.export.faulty}",
        [
            (
                f"{shown(sizes.rows)} rows. A replay reads every byte and judges every row"
                " anew and keeps a reading with a ledger of its own; each is timed after the"
                " first ingestion in the same record."
            ),
        ],
    )

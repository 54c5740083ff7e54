"""Export files written by hand, in which every quirk of the feed contract occurs once.

`split_set()` and `combined_set()` build them; a comment beside each line names its quirk, and
`README.md` lists them. `python -m tests.exports.quirks FOLDER` writes them out to look at or to
ingest. Nobody in them has ever lived. Must not know what comes of a file: the tests do.

The hospital is in Jerusalem: UTC+2, from 28 March 2025 at 02:00 on UTC+3.
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.exports.files import BAD_BYTES, bytes_of, local_file
from tests.oracle import ExportObject

ZONE = "Asia/Jerusalem"
CLOCK = datetime(2025, 3, 30, 12, 0, tzinfo=UTC)

PATIENTS = "patient_id,first_name,last_name,date_of_birth"
ADMISSIONS = "patient_id,hospitalization_case_number,admission_date,admission_time"
TESTS = "test_id,patient_id,test_name,order_date,order_time"
RESULTS = "result_id,test_id,result_value,performed_date,performed_time"


def split_set(*, received_at: datetime = CLOCK) -> list[ExportObject]:
    """The four split layouts in fifteen files, four of them to refuse; ingest them in any order."""
    return [
        *_patients(received_at),
        *_admissions(received_at),
        *_tests(received_at),
        *_results(received_at),
        *_refused(received_at),
    ]


def combined_set(*, received_at: datetime = CLOCK) -> list[ExportObject]:
    """The two combined layouts, one hospital of its own; ingest them in any order."""
    return [*_combined_admissions(received_at), *_combined_tests(received_at)]


def write_to(folder: Path, objects: Sequence[ExportObject]) -> None:
    """Write the files with their last-modified times, as an export would have left them."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in objects:
        path = folder / each.key
        path.write_bytes(each.content)
        os.utime(path, (each.last_modified.timestamp(),) * 2)


def _file(
    name: str,
    lines: Sequence[str],
    received_at: datetime,
    *,
    encoding: str = "utf-8",
    line_end: str = "\n",
    is_cut: bool = False,
) -> ExportObject:
    content = bytes_of(lines, encoding=encoding, line_end=line_end, is_cut=is_cut)
    modified = datetime(2025, 3, 26, 9, 0, tzinfo=UTC)
    return local_file(name, content, last_modified=modified, received_at=received_at)


def _patients(received_at: datetime) -> list[ExportObject]:
    first = [
        "\ufeff" + PATIENTS + ",gender,allergies",  # a BOM inside the text as well
        "",  # line 2: blank lines are no rows
        "1001,Noa,Levi,3/14/1950,F,None",  # "None" is a value: no known allergies
        "007,Na,Null,1961-12-01,M,NULL",  # names; a leading zero; NULL is missing
        "7,Ana,Cruz,1961-12-01T00:00:00,F,n/a",  # another patient than 007; a date-time's date
        '1002,"Dan, Jr.","O""Hara",2/30/1970,M,',  # quotes, delimiters; bad_date is a flaw
        '1003,"Two',  # line 7: a line break inside quotes
        'lines",Bar,1950-05-05,F,latex',
        "1004,Old,Age,3/1/1890,,",  # implausible: over 130 years, a flaw
        " 1005 , Gil , Paz , 2025-04-01 ,,",  # trimmed; implausible: born after the source time
        ",Nobody,Nowhere,1950-01-01,,",  # line 11: missing, the row is rejected
        "1006,Short",  # line 12: columns
        f"1007,Bad{BAD_BYTES},Bytes,1950-01-01,,",  # line 13: encoding, this row alone
        '1008,"Open,Quote,1950-01-01,F,',  # line 14: quote, it swallows no row behind it
        "1009,After,Quote,1950-01-01,F,",
    ]
    later = [  # semicolons, CRLF, columns in another order and case; no gender, no allergies
        "DATE_OF_BIRTH; Last_Name ;first_name;PATIENT_ID;shoe_size",
        ";Levi-Katz;Noa;1001;39",  # the date of birth is stated as missing; gender is not stated
        "1/2/1970;O'Hara;Dan;1002;",
        "1/2/1970;O'Hara;Daniel;1002;41",  # the later line of one file wins
    ]
    return [
        _file("pms-patients-2025-03-26T05-00-00Z.csv", first, received_at, encoding="utf-8-sig"),
        _file("pms-patients-20250326T060000.5Z.csv", later, received_at, line_end="\r\n"),
    ]


def _admissions(received_at: datetime) -> list[ExportObject]:
    header = ADMISSIONS + ",release_date,release_time,department,room_number"
    first = [
        header,
        "1001,A-1,3/20/2025,8:30 AM,,,Cardiology,12",
        "007,A-2,2025-03-21,23:15:30,3/25/2025,11:00 AM,Surgery,3",  # released, confirmed
        "7,A-2,2025-03-21,9:00,3/28/2025,10:00,Surgery,4",  # the same case number; a plan
        "1002,A-3,10/27/2024,1:30,,,Oncology,1",  # a local time that occurs twice: the earlier
        "1003,A-4,3/24/2025,8:00,3/26/2025,,Oncology,2",  # no time: the source time, same day
        "1004,A-5,3/24/2025,8:00,3/25/2025,25:61,Surgery,5",  # bad_time: the release is missing
        "1005,A-6,3/24/2025,8:00,3/23/2025,8:00,Surgery,6",  # release_before_admission
        "9999,A-7,3/24/2025,8:00,,,Cardiology,9",  # waits for a patient who never comes
        "1009,A-8,3/26/2025,7:05,3/25/2025,,Surgery,8",  # five minutes ahead; a day before
        "1009,A-9,3/26/2025,7:06,,,Surgery,8",  # line 11: future
        "1009,A-10,24.3.2025,8:00,,,Surgery,8",  # line 12: bad_date
        "1009,A-11,3/24/2025,13:00 PM,,,Surgery,8",  # line 13: bad_time
        "1009,A-12,12/31/1899,8:00,,,Surgery,8",  # line 14: implausible
        "1009,A-13,NULL,8:00,,,Surgery,8",  # line 15: missing
        "1009," + "8" * 65 + ",3/24/2025,8:00,,,Surgery,8",  # line 16: too_long
    ]
    later = [  # tabs and no release columns: what they say stays as it was
        (ADMISSIONS + ",department").replace(",", "\t"),
        "007\tA-2\t3/21/2025\t11:15:30 PM\tCardiology",
        "1001\tA-1\t3/20/2025\t8:30 AM\tN/A",  # the department is stated as missing
    ]
    skipped = [  # after the clocks went forward
        header,
        "1002,A-14,3/28/2025,2:30,3/28/2025,23:00,Oncology,1",  # a local time that is skipped
        "1003,A-4,3/24/2025,8:00,,,Oncology,2",  # the release is taken back
    ]
    return [
        _file("pms-admissions-2025-03-26T05-00-00Z.csv", first, received_at),
        _file("pms-admissions-2025-03-26T05-30-00.250Z.csv", later, received_at),
        _file("pms-admissions-2025-03-29T05-00-00Z.csv", skipped, received_at, is_cut=True),
    ]


def _tests(received_at: datetime) -> list[ExportObject]:
    header = TESTS + ",ordering_physician,status"
    first = [
        header,
        "T-1,1001,Sodium,3/24/2025,9:00 AM,Dr. Tal,Ordered",
        "T-2,007,Glucose,3/24/2025,10:00,Dr. Tal,completed",  # status without regard to case
        "T-2,7,Glucose,3/24/2025,11:00,Dr. Tal,Ordered",  # a test id of two patients
        "T-3,1002,Iron,3/24/2025,12:00,Dr. Tal,Cancelled",
        "T-4,1002,Iron,3/24/2025,12:00,Dr. Tal,Mislaid",  # an unlisted status says nothing
        "T-5,8888,Iron,3/24/2025,12:00,,",  # waits
        "T-6,1001,NA,3/24/2025,12:00,,",  # line 8: missing, a test without a name
        "T-7,1001,Iron,3/27/2025,12:00,,",  # line 9: future, it would silence its alert
        "T-8,1001,Iron,3/24/2025,,,",  # line 10: missing
        "T-9,1001,Iron,3/24/2025,12:00," + "x" * 1001 + ",",  # too_long is a flaw
    ]
    later = [
        header,
        "T-2,7,Glucose,3/24/2025,11:00,Dr. Tal,Entered in error",  # the conflict is over
        "T-1,1001,Sodium,3/24/2025,9:00 AM,Dr. Tal,Mislaid",  # still Ordered
        "T-3,1002,Iron,3/24/2025,12:00,Dr. Tal,In Progress",  # no longer cancelled
    ]
    return [
        _file("lis-tests-2025-03-26T05-00-00Z.csv", first, received_at, encoding="utf-16-le"),
        _file("lis-tests-20250327T050000Z.csv", later, received_at),
        _file("lis-tests-2025-03-29T11-50-00Z.csv", [header], received_at),  # a header alone
    ]


def _results(received_at: datetime) -> list[ExportObject]:
    header = RESULTS + ",result_unit,result_status"
    first = [
        header,
        "R-1,T-1,140,3/24/2025,2:00 PM,mmol/L,Final",
        'R-2,T-1,<0.1,3/24/2025,15:00,"mmol/L, mg/dL",Preliminary',  # comparator; two units
        "R-3,T-2,5.40,3/24/2025,16:00,mmol/L,Final",  # ambiguous until T-2 of 7 is cancelled
        "R-4,T-77,5,3/24/2025,16:00,mmol/L,Final",  # waits for its test
        "R-5,T-1,999,3/25/2025,16:00,mmol/L,Deleted",  # withdrawn: its time does not count
        "R-6,T-5,5,3/24/2025,16:00,mmol/L,Final",  # its test waits, so it waits
        "R-7,T-1,NULL,3/24/2025,16:00,,",  # a missing value, on record
        "R-8,T-1,5,3/24/2025,noon,,",  # line 9: bad_time
    ]
    named = [
        RESULTS + ",patient_id,note",
        "R-9,T-2,6,3/24/2025,17:00,7,by phone",  # names its patient: never ambiguous
        "R-1,T-1,141,3/24/2025,2:00 PM,NULL,",  # as if the column were not there; unit stays
        "R-10,T-2,6,3/24/2025,17:00,1001,",  # waits only for that test
        "R-11,T-2,6,3/24/2025,17:00," + "7" * 65 + ",",  # line 5: too_long, vital in its form
    ]
    # No stamp in the name: the last-modified time, 26 March 2025 09:00 UTC, is the source time.
    return [
        _file("lis-results-2025-03-26T05-00-00Z.csv", first, received_at),
        _file("lis-results-evening.csv", named, received_at),
        _file("lis-results-2025-03-29T11-55-00Z.csv", [header], received_at),
    ]


def _refused(received_at: datetime) -> list[ExportObject]:
    """Each of these is refused whole and leaves no trace in the record."""
    return [
        _file(  # a required column of the combined layout: admissions, not mere patients
            "pms-renamed-2025-03-26T07-00-00Z.csv",
            [PATIENTS + ",admission_id", "2001,No,Body,1950-01-01,A-99"],
            received_at,
        ),
        _file(
            "pms-twice-2025-03-26T07-00-00Z.csv",
            [PATIENTS + ",Gender,gender", "2002,No,Body,1950-01-01,F,M"],
            received_at,
        ),
        _file(  # no layout fits
            "lis-cut-2025-03-26T07-00-00Z.csv",
            ["test_id,patient_id,test_name", "T-99,1001,Iron"],
            received_at,
        ),
        _file(  # a stamp from the future would win for ever
            "pms-patients-2035-03-26T07-00-00Z.csv",
            [PATIENTS, "1001,Not,Yet,1950-01-01"],
            received_at,
        ),
    ]


def _combined_admissions(received_at: datetime) -> list[ExportObject]:
    header = (
        "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date"
        ",ward,bed_number,status,discharge_date"
    )
    first = [
        header,
        "1,Noa,Levi,1950-03-14,E-1,2025-03-20T08:30,North,12,Active,",
        "2,Dan,Cohen,1/2/1970,E-2,2025-03-20 08:30:00Z,North,13,DISCHARGED,",  # at source time
        "3,Gil,Paz,1/2/1970,E-3,2025-03-20T08:30+05:00,North,14,Active,2025-03-25T10:00",
        "4,Tal,Bar,1/2/1970,E-4,2025-03-20T08:30,South,1,Discharged,tomorrow",  # stays: a flaw
        "5,Ram,Bar,1/2/1970,E-5,2025-03-20T08:30,South,2,Active,2025-04-01T10:00",  # a plan
        "6,Ana,Bar,1/2/1970,E-6,2025-03-20,South,3,Active,",  # line 7: bad_time, both records
        "7,Ian,Bar,soon,E-7,2025-03-20T08:30,South,4,,",  # a flaw; not released
        "8,Eva,Bar,1/2/1970,,2025-03-20T08:30,South,5,Active,",  # line 9: missing
    ]
    later = [  # neither status nor discharge_date: the release is not spoken of
        "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,ward",
        "2,Daniel,Cohen,1/2/1970,E-2,2025-03-20T08:30Z,South",
    ]
    back = [
        header,
        "3,Gil,Paz,1/2/1970,E-3,2025-03-20T08:30+05:00,North,14,Active,NULL",  # taken back
    ]
    return [
        _file("adt-2025-03-26T05-00-00Z.csv", first, received_at),
        _file("adt-2025-03-26T06-00-00Z.csv", later, received_at),
        _file("adt-2025-03-26T07-00-00Z.csv", back, received_at),
    ]


def _combined_tests(received_at: datetime) -> list[ExportObject]:
    header = "test_id,patient_id,test_type,test_date,admission_id,result,status,lab_location"
    first = [
        header,
        "L-1,1,Sodium,2025-03-24T09:00,E-1,140,Completed,Main",  # a test and its result
        "L-2,1,Iron,2025-03-24 10:00:30+02:00,E-1,,Ordered,Main",  # a test alone
        "L-1,2,Sodium,2025-03-24T09:00,E-2,150,Completed,Main",  # the same test id: two tests
        "L-3,99,Iron,2025-03-24T10:00,,12,Completed,Main",  # waits, counted as one test
        "L-4,3,Iron,3/24/2025,E-3,12,Completed,Main",  # line 6: bad_time, a bare date
        "L-5,3,Iron,3/24/2025 10:00,E-3,12,Completed,Main",  # line 7: bad_date, not ISO 8601
        "L-6,3,Iron,2025-03-24T10:00," + "3" * 65 + ",12,Completed,Main",  # a flaw: too_long
        "L-7,4,Iron,2025-03-24T10:00,E-4,<5,CANCELLED,Main",
    ]
    later = [
        header,
        "L-1,1,Sodium,2025-03-24T09:30,E-1,NULL,In Progress,Main",  # takes its result back
        "L-1,2,Sodium,2025-03-24T09:00,E-2,151,Completed,Annex",
    ]
    silent = [  # no result column: the result keeps its value and its time
        "test_id,patient_id,test_type,test_date",
        "L-1,2,Sodium,2025-03-24T11:00",
    ]
    return [
        _file("lab-2025-03-26T05-00-00Z.csv", first, received_at),
        _file("lab-2025-03-26T06-00-00Z.csv", later, received_at),
        _file("lab-2025-03-26T07-00-00Z.csv", silent, received_at),
    ]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_to(target / "split", split_set())
    write_to(target / "combined", combined_set())

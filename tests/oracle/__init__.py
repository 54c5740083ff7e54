"""A slow, obviously correct, in-memory reference of the feed contract.

It was written from the contract's words and from nothing else: it must never import the product.
`Hospital(zone).ingest(objects)` takes objects in any order, any of them any number of times;
`.books()`, `.overdue(at)`, `.record()`, `.files` and `.file(key)` answer from all of them anew.

Shapes that the contract leaves to the reader of a dump:

- `hours_without_test` is not rounded; `number` is `str` of a normalised Decimal (100 is "1E+2").
- `extra` is keyed by the lowered column name; what was stated as missing is left out of it.
- `status` is spelled as it was sent; compare without regard to case if the product settles it.
- The origins of rows (created, updated …) depend on order and are not here; `balanced` is True.

Readings of the contract
------------------------
Where its words leave a choice, the one that can never make a patient disappear or look fine.

Files and names
 1. The object's name is its whole key. A stamp stands behind no other digit, with `T` and `Z` in
    capitals and a point before the fraction; a fraction is cut at microseconds.
 2. Two layouts that fit with equally many required columns: refused. A header that fits none and
    names a column twice is refused for the first, as the contract lists them.
 3. A header must stand on one physical line, be decodable, without NUL and under 1 MiB; else the
    file has no header. An empty column name is a name like any other: two of them are a column
    named twice, one is an unknown column.
    Blanks and BOMs around a name are no part of it, in whatever mixture.
 4. A BOM says more than a declared encoding. A declared encoding counts for the feed that declared
    it: a file that read so belongs to that feed's layout is read so.
 5. Two notices of one (bucket, key, version) are one file; of an object without a stamp only with
    the same last-modified time. With another the content has come back, as section 5's last
    sentence asks: whether something lay between the two must not depend on what has arrived.
 6. The bucket settles the last tie (same key, times and version in two buckets).

Rows
 7. Delimiters are counted in the whole header line, also inside quotes; on a tie the comma wins
    over the semicolon and that over the tab.
 8. Blank is what `str.strip` strips, but a line that holds the delimiter is a row (a line of tabs).
 9. 1 MiB is counted in bytes as sent, without the line end. A quoted field cannot run over a line
    that is too long.
10. Only LF and CRLF end a line; a CR elsewhere is a character, one at the very end of the file is
    half a line end. A line break in a quoted field is kept as sent.
11. "Read by itself" counts an open quote's field to the line's end as one field; a quote closed
    early runs on to the next delimiter. Lines after the opening one include the closing one.
12. A quote that fails in a row's second quoted field rejects the row's first line, and reading
    goes on with the line after that first one.
13. A row over several lines has the fault `encoding` if any of them has; a line whose quote fails
    and that has bad bytes is `encoding` (first in the table).

Values
14. AM and PM in any case, after exactly one blank. A day of year 0000 or an instant behind the
    year 9999 is `bad_date`. ISO 8601 in its extended form, seconds optional, capital T and Z; a
    fraction stands behind a point or a comma.
15. A date-time with a time that is none is `bad_date` ("anything else"). Of a date-time in a date
    column the date counts as written, whatever its offset. In a combined layout `date_of_birth`
    holds a date alone.
16. Missing words hold in unknown columns too, and quoting does not make them values.
17. Numbers are plain decimals with `.`: no exponent, no thousands, no comma. Comparators are
    `<`, `>`, `<=`, `>=`, `≤`, `≥`. A number behind a comparator is still the number.
18. Entries of a unit are parted by comma or semicolon.
19. The last second of a day whose last hour occurs twice is the later one.
20. Text lengths are counted in characters after trimming. `admission_id` in `lis.combined` is an
    identifier (64), as a flaw. An unknown column's value may be `too_long`.
21. A result text over 1,000 in `lis.combined` counts as missing, so it yields no result.

Judging
22. One value has one flaw, the first in the table; a rejected row has no flaws.
23. A bad release time is a flaw even where the release date is missing or not in the header. A
    release time without a date is no release, and without a date column states nothing.
24. A faulty `discharge_date` makes the whole release missing, also with `Discharged`.
25. `pms.combined` whose header has `status` but not `discharge_date`: a missing or unlisted status
    says nothing of the release. With `discharge_date` in the header a missing one says "not
    released" unless the status is `Discharged`. `Active` with a discharge date is released then.
26. Dates of birth are compared as local days; 130 years to the day are still plausible.
27. `status` is stated only by a listed word, as `is_cancelled` is. Both test layouts share one
    list.
28. Extra data of a combined row is kept with its admission or its test.
29. A result names a patient if any of its rows ever did: a later row that does not says nothing.
30. A `lis.combined` row without a `result` column leaves the result as it was, performed time too.

Conflicts and waiting
31. One test not cancelled under a test id: results that name only the id belong to it, or wait as
    `test` if it waits itself. None but several cancelled ones: `ambiguous_test`, though no
    conflict. The combined result of a waiting test waits as `test` and is not counted.
32. A case number is contested as soon as admissions of two patients are known, on record or
    waiting, released or not.

Evaluation
33. Each order or performed time later than the instant is ignored by itself.
34. A hospital whose LIS has never delivered has no feed that is silent: its alerts are due.
35. A feed that delivered only later than the instant was silent at that instant.
36. An admission is judged with its release, department, cancellations and withdrawals as they
    stand now. Departments' thresholds are found by their exact name.
37. A feed has delivered once a file of it was ingested; refused files start none. A second notice
    of a refused file changes nothing.

Not modelled: drift, the mark of a possibly cut file, the column of a rejection, settledness,
operators' decisions, the board's list of what it cannot vouch for.
"""

from tests.oracle.hospital import FileReading, Hospital
from tests.oracle.objects import Declaration, ExportObject

__all__ = ["Declaration", "ExportObject", "FileReading", "Hospital"]

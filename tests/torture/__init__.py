"""Bad input and faults on purpose: `make torture`, or `python -m tests.torture --help`.

`mutations` reads a hundred thousand damaged files and holds each verdict of the product against
tests/oracle; `kills` kills workers and database while they ingest and asks afterwards whether
anything is missing. Nobody in these files has ever lived.
"""

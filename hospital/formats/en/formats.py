"""Times as a log writes them: sortable, 24 hours, no month to guess, and with their zone: twice a
year an hour comes twice."""

DATE_FORMAT = "Y-m-d"
SHORT_DATE_FORMAT = DATE_FORMAT
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = f"{DATE_FORMAT} {TIME_FORMAT} T"
SHORT_DATETIME_FORMAT = DATETIME_FORMAT

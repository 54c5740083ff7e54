"""What gunicorn must be told beyond its command line (`-c python:hospital.webserver`).

The access log is off. Whoever switches it on gets a line without query string and without
referrer, either of which could hold what somebody searched for.
"""

# Address of the peer, method, path, status, bytes, milliseconds.
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(b)s %(M)s"

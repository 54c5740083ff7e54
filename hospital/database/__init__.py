"""Who may do what in the database, and where the passwords of its roles are kept.

Knows nothing of Django (but for `postgresql` and `names`), so that the embedded server can ask
before the settings are read.
"""

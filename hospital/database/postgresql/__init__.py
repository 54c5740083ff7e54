"""Django's PostgreSQL, which finds the password that holds: see `hospital.database.passwords`."""

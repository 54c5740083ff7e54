"""Running the place and remembering what happened; lowest of all, so that everyone may use it."""

"""The runbooks, each carried out in the situation that it describes."""

"""One class per operation: validate what was asked, ask the queries, answer."""

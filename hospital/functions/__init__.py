"""The three functions on AWS Lambda: API handling, data ingestion, alert generation.

One package, three entry points. Each reads its stage's configuration at its cold start, answers the
events that it knows, and raises on every other: what counts as handled was handled.
"""

"""From a record to somebody who knows and answers."""

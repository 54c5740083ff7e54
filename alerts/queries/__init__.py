"""What can be asked of alerts: how each admission stands, and what the board shows of it."""

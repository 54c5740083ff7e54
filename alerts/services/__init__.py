"""What writes alerts."""

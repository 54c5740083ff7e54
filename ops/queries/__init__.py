"""What is read of the place."""

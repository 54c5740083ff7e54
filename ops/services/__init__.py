"""What changes the place: one module for each kind of act."""

"""From an object in storage to a trustworthy record."""

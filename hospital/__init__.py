"""The project: settings, addresses, background work and the stage on which they run."""

"""The project: settings, addresses, the queue, and the embedded servers of a single machine."""

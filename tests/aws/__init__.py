"""AWS on loopback: the emulator, and the way of a deployment through it."""

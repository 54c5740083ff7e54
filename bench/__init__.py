"""How fast it is, and beside what: the figures of `make bench`, each with its goal.

Knows the product from outside alone, by what a command or a browser may ask of it; the product
knows nothing of this. Works in a database of its own that is thrown away, never in a record.
"""

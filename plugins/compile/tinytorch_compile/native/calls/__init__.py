"""Which loops stand for a call: one module for each kind of functions, each with a table."""

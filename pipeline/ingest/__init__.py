"""How ExampleGen reads, in Beam."""

"""Tables that tests and benchmarks work on."""

"""Types of the `--json` answers, one per command; their JSON schemas are generated from them.

`cli.answers.answers` lists them; the other modules have the types that are no records elsewhere.
"""

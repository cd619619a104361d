"""What `--json` answers: a type for each command, from which its JSON schema is made.

`cli.answers.answers` lists them; the other modules have the types that are no records elsewhere.
"""

"""A compiled specification: its tasks, conditions, placeholders, and what is refused."""

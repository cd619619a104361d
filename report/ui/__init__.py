"""All runs in one place: a home with a table, pages of runs and the explorer, kept up to date."""

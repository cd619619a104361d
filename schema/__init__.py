"""The contract for the data: curated schemas, one folder each, and how they are found and read."""

"""Profiles the columns of a table: facts, evidence and kinds. Imports no TensorFlow."""

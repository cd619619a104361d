"""Rows of files of every format, with what could not be read set apart."""

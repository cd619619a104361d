"""Proposes settings and schema for a table, for `fareline init`."""

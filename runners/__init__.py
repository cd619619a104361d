"""Runs pipelines here and on clusters. Only this package and `cli` read the environment."""

from fareline.start import secure_names

secure_names()

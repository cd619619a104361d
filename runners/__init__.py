"""Where a pipeline runs. Nothing but this package and `cli` reads the environment."""

from fareline.start import secure_names

secure_names()

"""HTML pages of runs and stores."""

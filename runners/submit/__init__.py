"""From settings to a job in a cluster."""

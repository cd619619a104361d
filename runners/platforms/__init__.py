"""Where a job can be sent: a folder for each platform."""

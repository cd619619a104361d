"""Where a pipeline runs, and the command line. The only room that reads the environment."""

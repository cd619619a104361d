"""Where data comes from: the taxi sample that TFX ships, and the check of a CSV source."""

"""Components that TFX lacks: thin TFX wrappers of plain functions in lower packages."""

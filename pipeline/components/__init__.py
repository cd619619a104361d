"""Components that TFX lacks: thin TFX coats over plain functions of the ground floor."""

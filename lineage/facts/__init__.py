"""Facts about single elements of a store: models, pushes, baselines, payloads, sources."""

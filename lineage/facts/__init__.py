"""What a store says of single things: models, pushes, baselines, payloads, sources."""

"""A run whose steps are processes of their own, which an orchestrator starts."""

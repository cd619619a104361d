"""Components that work on Vertex AI."""

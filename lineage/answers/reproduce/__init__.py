"""The way to reproduce a model."""

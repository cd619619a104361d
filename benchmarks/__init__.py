"""Measurements, side by side with stock TFX: `make bench`. Never part of a test."""

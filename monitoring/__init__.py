"""Compares new data and live models with the training data and the evaluation."""

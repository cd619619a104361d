"""Pushed models: live versions, rollbacks, predictions from files, reproductions."""

"""Compares the live model of a workspace with its evaluation, and records alarms."""

"""Runs whose steps are separate processes, started by an orchestrator."""

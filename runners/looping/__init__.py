"""`fareline loop`: keeps a model fresh on one machine: triggers, actions, notifications."""

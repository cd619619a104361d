"""The graph and its settings: config.py, dag.py, evaluation.py, user_code.py, checks.py, components/."""

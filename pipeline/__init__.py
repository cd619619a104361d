"""The graph and its settings, from the typed YAML file to the components in DAG order."""

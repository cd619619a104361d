"""A store, or a part of it, in common formats: Graphviz, Mermaid, JSON, OpenLineage."""

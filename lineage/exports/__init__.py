"""A store, or a part of it, in the formats of others: Graphviz, Mermaid, JSON, OpenLineage."""

"""Servers on this machine that speak as Vertex, Kubeflow Pipelines and Cloud Storage do.

They refuse what the real ones refuse, and execute what they accept. Their words are the platforms'.
"""

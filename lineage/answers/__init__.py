"""The questions about a store, a folder each, with how the answer is shown in its `view`."""

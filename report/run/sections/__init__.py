"""Content of each section of the page of a run, read from a store and from files of artifacts."""

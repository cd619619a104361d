"""What each section of the page of a run shows, read from a store and from files of artifacts."""

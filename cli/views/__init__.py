"""Views of answers that are long or that several commands share."""

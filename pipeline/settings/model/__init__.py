"""The sections of a settings file about the model: whose functions make it, and of what kind."""

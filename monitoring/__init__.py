"""Is the data that comes now still the data that a model learned from?"""

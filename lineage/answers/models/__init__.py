"""Which models are there, and how good are they?"""

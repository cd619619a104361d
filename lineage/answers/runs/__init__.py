"""Which runs were there, and how did they end?"""

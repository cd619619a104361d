"""Why was this executed, and not taken from the cache?"""

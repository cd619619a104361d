"""Why was this model blessed and pushed, or not?"""

"""Which files were read, and which spans?"""

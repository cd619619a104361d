"""Does the store agree with the files, and with itself?"""

"""Which models has this data or file reached?"""

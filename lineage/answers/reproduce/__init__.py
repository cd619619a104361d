"""How is this model made again?"""

"""What differs between two runs or models?"""

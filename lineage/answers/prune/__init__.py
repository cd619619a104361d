"""What may be deleted?"""

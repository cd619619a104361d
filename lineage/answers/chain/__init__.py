"""What did this come from, what came of it, and how did one lead to the other?"""

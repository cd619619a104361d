"""What comes of what is noticed of a live model: the policy, and the loop that keeps to it."""

"""Pushed models: which is live, going back, predicting from files, making one again."""

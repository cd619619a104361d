"""Half pushes: what an interrupted push left is undone by the next, wherever it was begun."""

"""The serving folder: its versions, and what people decided about them."""

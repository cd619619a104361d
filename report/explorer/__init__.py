"""The explorer: one HTML file that shows a store. Python gathers and writes, `web/` draws."""

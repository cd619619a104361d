"""Sources of a run: files, spans of files, queries; checked before it starts."""

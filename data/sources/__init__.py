"""What a run reads: files, spans of files, queries; checked before it starts."""

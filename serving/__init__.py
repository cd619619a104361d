"""A pushed model in use: the serving folder, model servers, and the check before a push."""

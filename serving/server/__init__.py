"""The model server: gRPC and REST over the live version."""

"""What the columns of a table are: from the file to facts, evidence and kinds. No TensorFlow."""

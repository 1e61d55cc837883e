"""What brings a checkout to the point where everything in it runs."""

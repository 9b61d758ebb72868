"""What the command lines of the products share."""

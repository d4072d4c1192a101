"""What the scripts that train the sample weights share."""

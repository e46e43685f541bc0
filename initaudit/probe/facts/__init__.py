"""What the record of a build tells: the timelines of tensors, and a file for each other subject."""

"""One file of a project: its text, its outline, its slices, and what reading it depends on."""

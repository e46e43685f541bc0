"""Files of code: what is read as Python, where it stands, and what of a notebook or a Markdown file is code."""

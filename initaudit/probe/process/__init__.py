"""The processes of a probe: the child that builds, what ends it, and many targets side by side."""

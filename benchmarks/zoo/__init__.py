"""Small architectures, healthy and broken, for the thresholds of the probe."""

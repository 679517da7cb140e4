"""Music as data, without torch: `Score` and the notations it is read from and written to."""

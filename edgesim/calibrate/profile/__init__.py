"""What `edgesim profile` does: measure this machine, and write it down as a device."""

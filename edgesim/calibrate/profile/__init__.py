"""The command `edgesim profile`: measures this machine and describes it as a device."""

"""Tools for finding wrong gradients: anomaly detection, gradcheck, and checks for the devkit."""

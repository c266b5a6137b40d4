"""The vocabulary: frozen values that all stages speak, without behaviour that needs anything else."""

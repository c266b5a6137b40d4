"""Values as the VO writes them in parameters and cells: text → frozen values, refused with the parameter's name (DALI 1.1 §3.3)."""

"""What a clinician computes: dose, eGFR, SLEDAI-2K and canonical laboratory units."""

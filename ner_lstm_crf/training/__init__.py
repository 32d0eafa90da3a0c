"""The trainer and its optimizer."""

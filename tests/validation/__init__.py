"""What is measured on synthetic trials, shared by the tests and by ``make validate``."""

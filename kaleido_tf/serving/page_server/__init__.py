"""The search page's server: what it answers, and how HTTP brings it. No TensorFlow in here."""

"""What people look at: results as a page. No TensorFlow in here."""

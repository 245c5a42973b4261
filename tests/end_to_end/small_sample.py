"""`pretrain_main.py`, whose sample is of a third of the products: 5 of each of the 16
sub-categories are in valid, one truth and 4 others.
"""

import pretrain_main  # first: it says what TensorFlow prints before TensorFlow is imported
from data_prep.sample import sample_records

sample_records.NUM_PRODUCTS, sample_records.NUM_OTHERS = 320, 4

if __name__ == "__main__":
    pretrain_main.run_command(pretrain_main.main)

"""FashionViL (ECCV 2022): a ResNet and one BERT, trained on six tasks, one a step."""

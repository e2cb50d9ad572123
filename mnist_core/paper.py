"""What the paper reports: R. M. Montgomery, "Exploring Neural Networks: A Walk Through the MNIST
Dataset Classification", 2024, figure 2's log of a 784-128-10 network trained with Adam."""

import pandas as pd

EPOCHS = pd.DataFrame(
    {
        "loss": [0.2579, 0.1130, 0.0774, 0.0576, 0.0442],
        "accuracy": [0.9274, 0.9667, 0.9770, 0.9825, 0.9868],
        "val_loss": [0.1380, 0.0969, 0.0813, 0.0793, 0.0674],
        "val_accuracy": [0.9607, 0.9698, 0.9747, 0.9762, 0.9781],
    },
    index=pd.RangeIndex(1, 6, name="epoch"),
)
ERRORS = 219  # of 10,000 test images

"""The paper's training as a plain PyTorch loop, data in memory; prints JSON.

The same network, batch size, optimizer and number of epochs, validated after each epoch; timed from
imports done and arrays in memory.
"""

import json
import sys
import time

import numpy as np
import torch

with np.load(sys.argv[1]) as file:
    x_train, y_train = file["x_train"], file["y_train"]
    x_test, y_test = file["x_test"], file["y_test"]

torch.manual_seed(1)
began = time.perf_counter()
x_train, x_test = (torch.from_numpy(x).reshape(-1, 784).float() / 255 for x in (x_train, x_test))
y_train, y_test = (torch.from_numpy(y).long() for y in (y_train, y_test))
model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7)
criterion = torch.nn.CrossEntropyLoss()
accuracies = []
for _ in range(5):
    for index in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        criterion(model(x_train[index]), y_train[index]).backward()
        optimizer.step()
    with torch.no_grad():
        accuracies.append((model(x_test).argmax(1) == y_test).float().mean().item())
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "val_accuracy": accuracies}))

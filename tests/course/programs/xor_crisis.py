"""One linear layer cannot learn XOR, however long it is trained."""

import numpy as np
from tinytorch.core.activations import Sigmoid
from tinytorch.core.autograd import enable_autograd
from tinytorch.core.layers import Linear
from tinytorch.core.losses import BinaryCrossEntropyLoss
from tinytorch.core.optimizers import SGD
from tinytorch.core.tensor import Tensor

enable_autograd(quiet=True)
np.random.seed(0)
X = Tensor(np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10))
y = Tensor(np.array([[0], [1], [1], [0]] * 10))

layer, sigmoid = Linear(2, 1), Sigmoid()
optimizer = SGD(layer.parameters(), lr=0.5)
losses = []
for epoch in range(200):
    loss = BinaryCrossEntropyLoss().forward(sigmoid.forward(layer.forward(X)), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(float(loss.data))

accuracy = ((sigmoid(layer(X)).data > 0.5).astype(int) == y.data).mean()
print(f"accuracy: {accuracy:.0%}, loss: {losses[-1]:.2f}")

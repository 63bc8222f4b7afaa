"""A perceptron separates two clouds of points that overlap a little."""

import numpy as np
from tinytorch import SGD, BinaryCrossEntropyLoss, Linear, Sigmoid, Tensor

np.random.seed(42)
upper = np.random.randn(60, 2) + 1.2
lower = np.random.randn(60, 2) - 1.2
X = Tensor(np.vstack([upper, lower]))
y = Tensor(np.array([[1]] * 60 + [[0]] * 60))


class Perceptron:
    def __init__(self):
        self.linear = Linear(2, 1)
        self.activation = Sigmoid()

    def __call__(self, x):
        return self.activation(self.linear(x))

    def parameters(self):
        return self.linear.parameters()


model = Perceptron()
loss_fn = BinaryCrossEntropyLoss()
optimizer = SGD(model.parameters(), lr=0.1)
for epoch in range(100):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

accuracy = ((model(X).data > 0.5) == y.data).mean()
print(f"accuracy: {accuracy:.0%}")

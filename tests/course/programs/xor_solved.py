"""A hidden layer learns XOR."""

import numpy as np
from tinytorch import SGD, BinaryCrossEntropyLoss, Linear, ReLU, Sigmoid, Tensor

np.random.seed(3)
X = Tensor(np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10))
y = Tensor(np.array([[0], [1], [1], [0]] * 10))


class XORNetwork:
    def __init__(self, hidden_size=4):
        self.hidden = Linear(2, hidden_size)
        self.relu = ReLU()
        self.output = Linear(hidden_size, 1)
        self.sigmoid = Sigmoid()

    def __call__(self, x):
        return self.sigmoid(self.output(self.relu(self.hidden(x))))

    def parameters(self):
        return self.hidden.parameters() + self.output.parameters()


model = XORNetwork(8)
loss_fn = BinaryCrossEntropyLoss()
optimizer = SGD(model.parameters(), lr=0.5)
for epoch in range(500):
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

accuracy = ((model(X).data > 0.5).astype(int) == y.data).mean()
print(f"accuracy: {accuracy:.0%}")

"""A network with one hidden layer reads digits of 8 × 8 pixels."""

import numpy as np
from sklearn.datasets import load_digits
from tinytorch import SGD, CrossEntropyLoss, Linear, ReLU, Tensor
from tinytorch.data.loader import DataLoader, TensorDataset

np.random.seed(1)
images, labels = load_digits(return_X_y=True)
images = images / 16
train = TensorDataset(Tensor(images[:1000]), Tensor(labels[:1000]))
test_images, test_labels = Tensor(images[1000:1200]), labels[1000:1200]


class DigitMLP:
    def __init__(self, hidden_size=32):
        self.fc1 = Linear(64, hidden_size)
        self.relu = ReLU()
        self.fc2 = Linear(hidden_size, 10)

    def forward(self, x):
        if len(x.shape) > 2:
            x = x.reshape(x.shape[0], -1)
        return self.fc2(self.relu(self.fc1(x)))

    def parameters(self):
        return self.fc1.parameters() + self.fc2.parameters()


model = DigitMLP()
loss_fn = CrossEntropyLoss()
optimizer = SGD(model.parameters(), lr=0.05)
for epoch in range(20):
    for x, t in DataLoader(train, batch_size=32, shuffle=True):
        loss = loss_fn(model.forward(x), t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

predictions = np.argmax(model.forward(test_images).data, axis=1)
accuracy = (predictions == test_labels).mean()
print(f"accuracy: {accuracy:.0%}")

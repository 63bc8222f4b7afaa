"""A convolution reads digits of 8 × 8 pixels."""

import numpy as np
from sklearn.datasets import load_digits
from tinytorch.core.activations import ReLU
from tinytorch.core.dataloader import DataLoader, TensorDataset
from tinytorch.core.layers import Linear
from tinytorch.core.losses import CrossEntropyLoss
from tinytorch.core.optimizers import SGD
from tinytorch.core.spatial import Conv2d, MaxPool2D
from tinytorch.core.tensor import Tensor

np.random.seed(2)
images, labels = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 1, 8, 8)
train = TensorDataset(Tensor(images[:1000]), Tensor(labels[:1000]))
test_images, test_labels = Tensor(images[1000:1200]), Tensor(labels[1000:1200])


class SimpleDigitCNN:
    def __init__(self):
        self.conv = Conv2d(in_channels=1, out_channels=8, kernel_size=3)
        self.relu = ReLU()
        self.pool = MaxPool2D(kernel_size=2)
        self.fc = Linear(8 * 3 * 3, 10)
        self.params = self.conv.parameters() + self.fc.parameters()

    def forward(self, x):
        out = self.pool.forward(self.relu.forward(self.conv.forward(x)))
        return self.fc.forward(out.reshape(out.shape[0], -1))

    def parameters(self):
        return self.params


model = SimpleDigitCNN()
loss_fn = CrossEntropyLoss()
optimizer = SGD(model.parameters(), lr=0.02)
for epoch in range(15):
    for x, t in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn.forward(model.forward(x), t)
        loss.backward()
        optimizer.step()

predictions = np.argmax(model.forward(test_images).data, axis=1)
accuracy = np.mean(predictions == test_labels.data)
print(f"accuracy: {accuracy:.0%}")

"""Reversing a sequence needs attention: each output depends on a distant input."""

import numpy as np
from tinytorch.core.activations import ReLU
from tinytorch.core.attention import MultiHeadAttention
from tinytorch.core.autograd import enable_autograd
from tinytorch.core.layers import Linear
from tinytorch.core.losses import CrossEntropyLoss
from tinytorch.core.optimizers import Adam
from tinytorch.core.tensor import Tensor
from tinytorch.core.transformer import LayerNorm
from tinytorch.text.embeddings import Embedding, PositionalEncoding

enable_autograd(quiet=True)
np.random.seed(0)
VOCAB, LENGTH, WIDTH = 10, 6, 32


class ReversalTransformer:
    def __init__(self):
        self.embedding = Embedding(VOCAB, WIDTH)
        self.positions = PositionalEncoding(LENGTH, WIDTH)
        self.attention = MultiHeadAttention(WIDTH, 4)
        self.ln1 = LayerNorm(WIDTH)
        self.ln2 = LayerNorm(WIDTH)
        self.fc1 = Linear(WIDTH, 64)
        self.relu = ReLU()
        self.fc2 = Linear(64, WIDTH)
        self.output = Linear(WIDTH, VOCAB)
        self._params = [
            p
            for part in (
                self.embedding,
                self.positions,
                self.attention,
                self.ln1,
                self.ln2,
                self.fc1,
                self.fc2,
                self.output,
            )
            for p in part.parameters()
        ]
        for p in self._params:
            p.requires_grad = True

    def __call__(self, x):
        x = self.positions.forward(self.embedding.forward(x))
        x = self.ln1.forward(x + self.attention.forward(x, mask=None))
        x = self.ln2.forward(x + self.fc2(self.relu(self.fc1(x))))
        batch, length, width = x.shape
        return self.output(x.reshape(batch * length, width)).reshape(batch, length, VOCAB)

    def parameters(self):
        return self._params


inputs = np.random.randint(1, VOCAB, (600, LENGTH))
targets = inputs[:, ::-1]
model = ReversalTransformer()
optimizer = Adam(model.parameters(), lr=0.005)
loss_fn = CrossEntropyLoss()
for epoch in range(12):
    for start in range(0, 500, 25):
        x, y = Tensor(inputs[start : start + 25]), Tensor(targets[start : start + 25])
        logits = model(x)
        loss = loss_fn(logits.reshape(-1, VOCAB), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

predictions = np.argmax(model(Tensor(inputs[500:])).data, axis=-1)
accuracy = np.mean(np.all(predictions == targets[500:], axis=1))
print(f"accuracy: {accuracy:.0%}")

"""A small GPT learns to answer questions, one character at a time."""

import numpy as np
from tinytorch.core.losses import CrossEntropyLoss
from tinytorch.core.optimizers import Adam
from tinytorch.core.tensor import Tensor
from tinytorch.models.transformer import GPT
from tinytorch.text.tokenization import CharTokenizer

np.random.seed(0)
texts = ["Q: sky? A: blue.", "Q: sun? A: hot!!", "Q: ice? A: cold."]
tokenizer = CharTokenizer()
tokenizer.build_vocab(texts)
tokens = np.array([tokenizer.encode(text) for text in texts])

model = GPT(tokenizer.vocab_size, embed_dim=32, num_layers=2, num_heads=4, max_seq_len=16)
optimizer = Adam(model.parameters(), lr=0.005)
loss_fn = CrossEntropyLoss()
losses = []
for step in range(60):
    logits = model.forward(Tensor(tokens[:, :-1]))
    batch, length, size = logits.shape
    loss = loss_fn.forward(logits.reshape(batch * length, size), Tensor(tokens[:, 1:].reshape(-1)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(float(loss.data))

prompt = Tensor([tokenizer.encode("Q: ice? ")])
answer = tokenizer.decode(model.generate(prompt, max_new_tokens=8, temperature=0.1).data[0])
print(f"loss: {losses[0]:.2f} to {losses[-1]:.2f}; {answer}")

"""The variable that is optimized is moved to the GPU after it requires a gradient."""

import torch
import torch.nn.functional as F
from torch.autograd import Variable

cuda = torch.cuda.is_available()


def transfer(content, model, epochs=100, learning_rate=0.002):
    a_G_var = Variable(torch.randn(content.shape) * 1e-3, requires_grad=True)
    if cuda:
        model = model.cuda()
        a_G_var = a_G_var.cuda()  # wrong

    optimizer = torch.optim.Adam([a_G_var])
    for epoch in range(epochs):
        optimizer.zero_grad()
        loss = F.mse_loss(model(a_G_var), model(content))
        loss.backward()
        optimizer.step()
    return a_G_var

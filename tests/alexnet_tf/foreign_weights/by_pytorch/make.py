"""How zip.pth and legacy.pth were made, with PyTorch 2.5.1: python make.py, in this folder."""

import torch

W = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
MODEL = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 2))
MODEL[0].weight.data = W
MODEL[0].bias.data = torch.tensor([-0.5, 1.5, 2.5, 1e-30])
MODEL[1].weight.data = W.T[:2]  # a part of the same storage, with other strides
MODEL[1].bias.data = torch.tensor([7.0, 8.0])
torch.save(MODEL.state_dict(), "zip.pth")
torch.save(MODEL.state_dict(), "legacy.pth", _use_new_zipfile_serialization=False)

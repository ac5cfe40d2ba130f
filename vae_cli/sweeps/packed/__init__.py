"""hydra/launcher=packed: members of a sweep that train as one stacked model.

Begin with `scheduler`, which trains all members in this process. `multi_gpu` shares them out to several processes, one
for each GPU.
"""

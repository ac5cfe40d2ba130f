"""Hydra's plugins: this folder is on its search path, and `hydra_plugins` is the namespace that it reads.

May import every room up to `sweeps`. Begin with `hydra_plugins/vae_cli_packed_launcher.py`, the launcher `packed`.
"""

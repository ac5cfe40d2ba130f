"""Plugins that Hydra finds by themselves: this folder is on its search path, `hydra_plugins` is the namespace it reads."""

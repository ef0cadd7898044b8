"""What `import gigawatt as gw` offers; `gigawatt/__init__.py` names it, and everything else is private."""

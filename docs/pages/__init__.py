"""One module per generated reference page; each has `render(root) -> str`."""

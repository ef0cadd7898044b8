"""What is served beside the tokens of a chat: images and video."""

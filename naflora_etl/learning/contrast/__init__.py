"""Contrast: images and words in one space, by CLIP's loss; LiT locks the image tower, zero-shot asks in words."""
